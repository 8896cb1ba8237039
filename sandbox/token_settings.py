"""Tokens from and to the control API's JSON. `read_token` says every mistake it finds, by key. Used by control.py."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TypeVar

from sandbox.json_reader import JsonReader, Problem
from sandbox.person_tokens import GitLabToken, OpenIdToken, gitlab_token, openid_token, read_person, read_projects
from sandbox.ready_made import (
    GITHUB_BEHAVIOURS,
    GITLAB_BEHAVIOURS,
    OPENID_BEHAVIOURS,
    SLACK_BEHAVIOURS,
    github_token,
    slack_token,
)
from sandbox.tokens import (
    Behaviour,
    GitHubAccount,
    GitHubRepository,
    GitHubToken,
    Quota,
    Service,
    SlackBot,
    SlackChannel,
    SlackTeam,
    SlackToken,
    Token,
)

STATUSES = {
    Behaviour.SERVER_ERROR: (500, 502, 503, 504),
    Behaviour.DONE_THEN_ERROR: (500, 502, 503, 504),
    Behaviour.SECONDARY_LIMITED: (403, 429),
    Behaviour.SECONDARY_LIMITED_BARE: (403, 429),
}

SERVICES = {
    GitHubToken: Service.GITHUB,
    SlackToken: Service.SLACK,
    GitLabToken: Service.GITLAB,
    OpenIdToken: Service.OPENID,
}

TokenKind = TypeVar("TokenKind", bound=Token)


def read_token(name: str, document: object, now: datetime) -> Token | list[Problem]:
    """The token that the JSON describes, or what is wrong with it. What it leaves out is as in a working token."""
    settings = JsonReader(document)
    service = settings.choice("service", Service, None)
    match service:
        case Service.GITHUB:
            token: Token = _read_github(settings, github_token(name, now), now)
        case Service.SLACK:
            token = _read_slack(settings, slack_token(name, now), now)
        case Service.GITLAB:
            gitlab = read_projects(settings, read_person(settings, gitlab_token(name, now)))
            token = _read_common(settings, gitlab, GITLAB_BEHAVIOURS, now)
        case Service.OPENID:
            openid = read_person(settings, openid_token(name, now))
            token = _read_common(settings, openid, OPENID_BEHAVIOURS, now)
        case _:
            return [problem for problem in settings.problems() if problem.problem != "unknown key"]
    return settings.problems() or token


def show_token(token: Token, now: datetime) -> dict[str, object]:
    """The keys that `read_token` understands, as they stand now, and the token's name."""
    return asdict(token) | {
        "service": SERVICES[type(token)],
        "quota": {
            "limit": token.quota.limit,
            "remaining": token.quota.remaining,
            "reset_in_seconds": token.quota.seconds_to_reset(now),
        },
    }


def _read_github(settings: JsonReader, default: GitHubToken, now: datetime) -> GitHubToken:
    account = settings.part("account")
    repositories = default.repositories
    if settings.has("repositories"):
        parts = settings.parts("repositories")
        repositories = tuple(read_repository(part, index) for index, part in enumerate(parts))
    token = replace(
        default,
        account=read_github_account(account, default.account),
        repositories=repositories,
        client_id=settings.text_or_null("client_id"),
        installation_id=settings.integer_or_null("installation_id"),
    )
    return _read_common(settings, token, GITHUB_BEHAVIOURS, now)


def read_github_account(settings: JsonReader, default: GitHubAccount) -> GitHubAccount:
    return GitHubAccount(
        id=settings.integer("id", default.id),
        login=settings.text("login", default.login),
        name=settings.text("name", default.name),
        type=settings.text("type", default.type),
    )


def read_repository(settings: JsonReader, index: int) -> GitHubRepository:
    return GitHubRepository(
        id=settings.integer("id", 1296269 + index),
        name=settings.text("name", f"repository-{index}"),
        private=settings.flag("private", False),
        archived=settings.flag("archived", False),
        default_branch=settings.text("default_branch", "main"),
    )


def _read_slack(settings: JsonReader, default: SlackToken, now: datetime) -> SlackToken:
    account, bot = settings.part("account"), settings.part("bot")
    channels = default.channels
    if settings.has("channels"):
        channels = tuple(_read_channel(part, index) for index, part in enumerate(settings.parts("channels")))
    token = replace(
        default,
        account=SlackTeam(
            id=account.text("id", default.account.id),
            login=account.text("login", default.account.login),
            name=account.text("name", default.account.name),
        ),
        bot=SlackBot(
            user_id=bot.text("user_id", default.bot.user_id),
            user=bot.text("user", default.bot.user),
            bot_id=bot.text("bot_id", default.bot.bot_id),
        ),
        channels=channels,
    )
    token = _read_common(settings, token, SLACK_BEHAVIOURS, now)
    if token.scopes is None:
        settings.complain("scopes", "must be a list of strings: Slack has no fine-grained tokens")
    return token


def _read_channel(settings: JsonReader, index: int) -> SlackChannel:
    return SlackChannel(
        id=settings.text("id", f"C0MADE{index:04}"),
        name=settings.text("name", f"channel-{index}"),
        is_private=settings.flag("is_private", False),
        is_archived=settings.flag("is_archived", False),
    )


def _read_common(settings: JsonReader, token: TokenKind, behaviours: Iterable[Behaviour], now: datetime) -> TokenKind:
    behaviour = settings.choice("behaviour", behaviours, Behaviour.NORMAL) or Behaviour.NORMAL
    status = settings.integer_or_null("status")
    if status is not None and status not in STATUSES.get(behaviour, ()):
        settings.complain(
            "status", f"with the behaviour {behaviour} must be one of {list(STATUSES.get(behaviour, ()))}"
        )
    return replace(
        token,
        scopes=settings.texts_or_null("scopes", token.scopes),
        expires_at=settings.moment_or_null("expires_at"),
        quota=read_quota(settings.part("quota"), token.quota, now),
        behaviour=behaviour,
        behaviour_calls=settings.integer_or_null("behaviour_calls"),
        status=status,
        retry_after_seconds=settings.integer("retry_after_seconds", token.retry_after_seconds),
        delay_seconds=settings.number("delay_seconds", token.delay_seconds),
        body_bytes=settings.integer("body_bytes", token.body_bytes),
    )


def read_quota(settings: JsonReader, default: Quota, now: datetime) -> Quota:
    limit = settings.integer("limit", default.limit, minimum=1)
    remaining = settings.integer("remaining", limit)
    if remaining > limit:
        settings.complain("remaining", "must not be more than the limit")
    reset_in_seconds = settings.integer("reset_in_seconds", default.window_seconds, minimum=1)
    if reset_in_seconds > 366 * 86400:
        settings.complain("reset_in_seconds", "must be within a year")
        reset_in_seconds = default.window_seconds
    return Quota(limit, remaining, now + timedelta(seconds=reset_in_seconds), default.window_seconds)
