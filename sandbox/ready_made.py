"""The tokens that the sandbox knows from the start, so that a newcomer can type one; app.py adds them to the state."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sandbox.person_tokens import gitlab_token, openid_token
from sandbox.tokens import (
    Behaviour,
    GitHubAccount,
    GitHubRepository,
    GitHubToken,
    Quota,
    SlackBot,
    SlackChannel,
    SlackTeam,
    SlackToken,
    Token,
)

WRITE_FAULTS = {
    Behaviour.DONE_THEN_CUT: "does what is asked, and closes the connection in the middle of the answer",
    Behaviour.DONE_THEN_ERROR: "does what is asked, and answers 502 (or 500, 503, 504)",
    Behaviour.DONE_THEN_SLOW: "does what is asked, and answers after 5 seconds",
}
GITHUB_BEHAVIOURS = {
    Behaviour.NORMAL: "works",
    Behaviour.REVOKED: "401 Bad credentials",
    Behaviour.EXPIRED: "401 Bad credentials: GitHub says the same of expired and revoked ones",
    Behaviour.SUSPENDED: "403 Sorry. Your account was suspended.",
    Behaviour.SSO_REQUIRED: "403 with x-github-sso: the organization wants a single sign-on",
    Behaviour.MISSING_SCOPE: "403 Resource not accessible by personal access token",
    Behaviour.RATE_LIMITED: "403 API rate limit exceeded, with x-ratelimit-remaining 0 and its reset",
    Behaviour.SECONDARY_LIMITED: "403 (or 429) secondary rate limit, with retry-after",
    Behaviour.SECONDARY_LIMITED_BARE: "403 (or 429) secondary rate limit that doesn't say how long",
    Behaviour.SERVER_ERROR: "500 (or 502, 503, 504)",
    Behaviour.SLOW: "answers after 5 seconds",
    Behaviour.GARBAGE_HTML: "200 with a web page instead of JSON",
    Behaviour.GARBAGE_JSON: "200 with JSON that breaks off",
    Behaviour.WRONG_TYPE: "200 with a JSON list of numbers",
    Behaviour.EMPTY_OBJECT: "200 with {}",
    Behaviour.TRUNCATED: "200, the connection closed in the middle of the body",
    Behaviour.HUGE_BODY: "200 with 64 MiB",
    **WRITE_FAULTS,
}
FAULTS = {
    behaviour: GITHUB_BEHAVIOURS[behaviour]
    for behaviour in (
        Behaviour.SERVER_ERROR,
        Behaviour.SLOW,
        Behaviour.GARBAGE_HTML,
        Behaviour.GARBAGE_JSON,
        Behaviour.WRONG_TYPE,
        Behaviour.EMPTY_OBJECT,
        Behaviour.TRUNCATED,
        Behaviour.HUGE_BODY,
    )
}
SLACK_BEHAVIOURS = {
    Behaviour.NORMAL: "works",
    Behaviour.REVOKED: "token_revoked",
    Behaviour.EXPIRED: "token_expired",
    Behaviour.INVALID_AUTH: "invalid_auth (of a token that Slack knows: an IP rule, for one)",
    Behaviour.ACCOUNT_INACTIVE: "account_inactive",
    Behaviour.ORG_LOGIN_REQUIRED: "org_login_required",
    Behaviour.EKM_ACCESS_DENIED: "ekm_access_denied",
    Behaviour.ACCESSLIMITED: "accesslimited",
    Behaviour.MISSING_SCOPE: "missing_scope, with needed and provided",
    Behaviour.INTERNAL_ERROR: "internal_error",
    Behaviour.RATE_LIMITED: "429 ratelimited, with Retry-After",
    **FAULTS,
    **WRITE_FAULTS,
}
GITLAB_BEHAVIOURS = {
    Behaviour.NORMAL: "works",
    Behaviour.REVOKED: "401 invalid_token: Token was revoked",
    Behaviour.EXPIRED: "401 invalid_token: Token is expired",
    Behaviour.SUSPENDED: "403 Your account has been blocked",
    Behaviour.MISSING_SCOPE: "403 insufficient_scope, with the scopes that would do",
    Behaviour.RATE_LIMITED: "429 Retry later, with Retry-After and the RateLimit headers",
    **FAULTS,
    **WRITE_FAULTS,
}
OPENID_BEHAVIOURS = {
    Behaviour.NORMAL: "works",
    Behaviour.REVOKED: "401 with WWW-Authenticate: invalid_token",
    Behaviour.EXPIRED: "401 with WWW-Authenticate: invalid_token",
    Behaviour.SUSPENDED: "403 without a reason",
    Behaviour.MISSING_SCOPE: "403 with WWW-Authenticate: insufficient_scope",
    Behaviour.RATE_LIMITED: "429 with Retry-After",
    **FAULTS,
}

REPOSITORY_NAMES = [
    "api",
    "billing",
    "design-system",
    "docs",
    "infrastructure",
    "intranet",
    "mobile",
    "notebooks",
    "playbooks",
    "runtime",
    "status-page",
    "website",
]
PRIVATE_REPOSITORIES = {"billing", "infrastructure", "intranet", "notebooks"}
CHANNEL_NAMES = ["general", "announcements", "deployments", "incidents", "random", "support"]


@dataclass(frozen=True, slots=True)
class ReadyMade:
    token: Token
    about: str


def ready_made_tokens(now: datetime) -> list[ReadyMade]:
    """Service by service: the useful ones first, then one for each way to behave."""
    soon = now + timedelta(days=5)
    github, slack = github_token("sandbox-github-acme", now), slack_token("sandbox-slack-acme", now)
    gitlab, openid = gitlab_token("sandbox-gitlab-acme", now), openid_token("sandbox-openid-alice", now)
    globex = replace(github, account=GitHubAccount(id=583232, login="globex-bot", name="Globex Bot"))
    globex_slack = replace(slack, account=SlackTeam(id="T0GLOBEX1", login="globex", name="Globex"))
    return [
        ReadyMade(github, "works: acme-bot, scopes repo, read:org, user, 12 repositories"),
        _variant(globex, "github-globex", now, "works, and belongs to another account: globex-bot"),
        _variant(replace(github, scopes=None), "github-fine-grained", now, "works; says no scopes"),
        _variant(replace(github, expires_at=soon), "github-expiring", now, "works; ends five days from the start"),
        _variant(
            replace(github, scopes=("read:user",)), "github-few-scopes", now, "works; its only scope is read:user"
        ),
        _low_quota(replace(github, name="sandbox-github-low-quota"), now),
        *(_misbehaving(github, "github", behaviour, about, now) for behaviour, about in GITHUB_BEHAVIOURS.items()),
        ReadyMade(
            slack, "works: workspace Acme, scopes channels:read, channels:join, chat:write, reactions:write, team:read"
        ),
        _variant(globex_slack, "slack-globex", now, "works, and belongs to another workspace: Globex"),
        _variant(replace(slack, expires_at=soon), "slack-expiring", now, "works; ends five days from the start"),
        _variant(
            replace(slack, scopes=("chat:write",)), "slack-few-scopes", now, "works; its only scope is chat:write"
        ),
        *(_misbehaving(slack, "slack", behaviour, about, now) for behaviour, about in SLACK_BEHAVIOURS.items()),
        ReadyMade(gitlab, "works: acme-dev, scopes read_api, read_repository, 6 projects"),
        _variant(replace(gitlab, expires_at=soon), "gitlab-expiring", now, "works; ends five days from the start"),
        _variant(
            replace(gitlab, scopes=("api",)), "gitlab-api", now, "works, and may change what it reaches: scope api"
        ),
        *(_misbehaving(gitlab, "gitlab", behaviour, about, now) for behaviour, about in GITLAB_BEHAVIOURS.items()),
        ReadyMade(openid, "works: alice, scopes openid, profile"),
        *(_misbehaving(openid, "openid", behaviour, about, now) for behaviour, about in OPENID_BEHAVIOURS.items()),
    ]


def github_token(name: str, now: datetime) -> GitHubToken:
    """A working token of acme-bot: what each new one is, but for what its maker says."""
    repositories = tuple(
        GitHubRepository(id=1296269 + index, name=each, private=each in PRIVATE_REPOSITORIES, archived=each == "mobile")
        for index, each in enumerate(REPOSITORY_NAMES)
    )
    account = GitHubAccount(id=583231, login="acme-bot", name="Acme Bot")
    scopes = ("repo", "read:org", "user")
    quota = Quota.full(5000, 3600, now)
    return GitHubToken(name=name, quota=quota, scopes=scopes, account=account, repositories=repositories)


def slack_token(name: str, now: datetime) -> SlackToken:
    """A working bot token of the workspace Acme: what each new one is, but for what its maker says."""
    channels = (
        *(SlackChannel(id=f"C0ACME{index:03}", name=each) for index, each in enumerate(CHANNEL_NAMES)),
        SlackChannel(id="C0ACME900", name="old-ideas", is_archived=True),
        SlackChannel(id="C0ACME901", name="leadership", is_private=True),
    )
    return SlackToken(
        name=name,
        quota=Quota.full(600, 60, now),
        scopes=("channels:read", "channels:join", "chat:write", "reactions:write", "team:read"),
        account=SlackTeam(id="T0ACME123", login="acme", name="Acme"),
        bot=SlackBot(user_id="U0ACMEBOT", user="tether", bot_id="B0ACMEBOT"),
        channels=channels,
    )


def _variant(token: Token, name: str, now: datetime, about: str) -> ReadyMade:
    quota = Quota.full(token.quota.limit, token.quota.window_seconds, now)  # its own: quotas count down apart
    return ReadyMade(replace(token, name=f"sandbox-{name}", quota=quota), about)


def _low_quota(token: GitHubToken, now: datetime) -> ReadyMade:
    quota = Quota(limit=5000, remaining=40, resets_at=now + timedelta(hours=1), window_seconds=3600)
    return ReadyMade(replace(token, quota=quota), "works; 40 of 5,000 calls are left this hour")


def _misbehaving(token: Token, service: str, behaviour: Behaviour, about: str, now: datetime) -> ReadyMade:
    name = f"{service}-{behaviour.replace('_', '-')}"
    return _variant(replace(token, behaviour=behaviour), name, now, about)
