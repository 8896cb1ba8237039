"""What a token is at the simulated services, and how it behaves.

Made by ready_made.py and token_settings.py, kept in state.py, asked by github.py and slack.py at each call.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil


class Service(StrEnum):
    GITHUB = "github"
    SLACK = "slack"
    GITLAB = "gitlab"
    OPENID = "openid"


class Behaviour(StrEnum):
    """How every call with a token is answered."""

    NORMAL = "normal"
    # Every service, each in its own words.
    REVOKED = "revoked"
    EXPIRED = "expired"
    MISSING_SCOPE = "missing_scope"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    # Every service, below its words: what networks, proxies and broken programs do (faults.py).
    SLOW = "slow"
    GARBAGE_HTML = "garbage_html"
    GARBAGE_JSON = "garbage_json"
    WRONG_TYPE = "wrong_type"
    EMPTY_OBJECT = "empty_object"
    TRUNCATED = "truncated"
    HUGE_BODY = "huge_body"
    # Not OpenID: what was asked for is done, and whoever asked can't know it (faults.py).
    DONE_THEN_CUT = "done_then_cut"
    DONE_THEN_ERROR = "done_then_error"
    DONE_THEN_SLOW = "done_then_slow"
    # Not Slack.
    SUSPENDED = "suspended"
    # GitHub only.
    SSO_REQUIRED = "sso_required"
    SECONDARY_LIMITED = "secondary_limited"
    SECONDARY_LIMITED_BARE = "secondary_limited_bare"
    # Slack only.
    INVALID_AUTH = "invalid_auth"
    ACCOUNT_INACTIVE = "account_inactive"
    ORG_LOGIN_REQUIRED = "org_login_required"
    EKM_ACCESS_DENIED = "ekm_access_denied"
    ACCESSLIMITED = "accesslimited"
    INTERNAL_ERROR = "internal_error"


@dataclass(slots=True)
class Quota:
    """Calls left in a window. It counts down call by call and is full again when the window ends."""

    limit: int
    remaining: int
    resets_at: datetime
    window_seconds: int

    @classmethod
    def full(cls, limit: int, window_seconds: int, now: datetime) -> "Quota":
        return cls(limit, limit, now + timedelta(seconds=window_seconds), window_seconds)

    @property
    def used(self) -> int:
        return self.limit - self.remaining

    def renew(self, now: datetime) -> None:
        """Begin a new window if the last one has ended."""
        if now >= self.resets_at:
            self.remaining = self.limit
            self.resets_at = now + timedelta(seconds=self.window_seconds)

    def take(self) -> None:
        self.remaining = max(0, self.remaining - 1)

    def set(self, other: "Quota") -> None:
        """Become like another: whoever shares this one sees it."""
        self.limit, self.remaining = other.limit, other.remaining
        self.resets_at, self.window_seconds = other.resets_at, other.window_seconds

    def exhaust(self) -> None:
        self.remaining = 0

    def seconds_to_reset(self, now: datetime) -> int:
        return max(1, ceil((self.resets_at - now).total_seconds()))


@dataclass(frozen=True, slots=True)
class GitHubAccount:
    id: int
    login: str
    name: str
    type: str = "User"


@dataclass(frozen=True, slots=True)
class GitHubRepository:
    id: int
    name: str
    private: bool = False
    archived: bool = False
    default_branch: str = "main"


@dataclass(frozen=True, slots=True)
class SlackTeam:
    """A workspace: `login` is its domain, as in https://LOGIN.slack.com/."""

    id: str
    login: str
    name: str


@dataclass(frozen=True, slots=True)
class SlackBot:
    user_id: str
    user: str
    bot_id: str


@dataclass(frozen=True, slots=True)
class SlackChannel:
    id: str
    name: str
    is_private: bool = False
    is_archived: bool = False


@dataclass(slots=True, kw_only=True)
class Token:
    """What all services' tokens have in common. `name` is the token itself, as a caller presents it."""

    name: str
    quota: Quota
    scopes: tuple[str, ...] | None
    """None: a fine-grained token, which has permissions instead (GitHub only)."""
    expires_at: datetime | None = None
    behaviour: Behaviour = Behaviour.NORMAL
    behaviour_calls: int | None = None
    """For how many more calls the behaviour holds; after them the token is normal. None: for ever."""
    status: int | None = None
    """HTTP status of `server_error` (500 where None), `done_then_error` (502) and `secondary_limited` (403)."""
    retry_after_seconds: int = 60
    delay_seconds: float = 5.0
    body_bytes: int = 64 * 1024 * 1024

    def next_behaviour(self, now: datetime) -> Behaviour:
        """How the call that begins now is answered; uses up one of `behaviour_calls`."""
        if self.expires_at is not None and self.expires_at <= now:
            return Behaviour.EXPIRED
        if self.behaviour_calls is None:
            return self.behaviour
        if self.behaviour_calls == 0:
            return Behaviour.NORMAL
        self.behaviour_calls -= 1
        return self.behaviour


@dataclass(slots=True, kw_only=True)
class GitHubToken(Token):
    account: GitHubAccount
    repositories: tuple[GitHubRepository, ...] = field(default=())
    client_id: str | None = None
    """The client that it was issued to; None for one that a person has made."""
    installation_id: int | None = None
    """Of which installation it is the token; None for a person's."""

    def sees(self, repository: GitHubRepository) -> bool:
        """Private repositories need the scope `repo`, or a fine-grained token."""
        return not repository.private or self.scopes is None or "repo" in self.scopes


@dataclass(slots=True, kw_only=True)
class SlackToken(Token):
    account: SlackTeam
    bot: SlackBot
    channels: tuple[SlackChannel, ...] = field(default=())
