"""All that the sandbox remembers: tokens, clients, which service is down, and the calls that were made.

One object per application, made in app.py. All runs in one event loop and no method awaits, so each is atomic.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from sandbox.github_apps import GitHubApps, Installation
from sandbox.github_content import GitHubContents
from sandbox.gitlab_content import GitLabContents
from sandbox.numbered import numbered_token
from sandbox.oauth import Client
from sandbox.slack_workspaces import SlackWorkspaces
from sandbox.tokens import GitHubToken, Quota, Service, Token

Clock = Callable[[], datetime]
"""Says the present moment, in UTC."""

AnyToken = TypeVar("AnyToken", bound=Token)

REMEMBERED_CALLS = 10_000


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a simulated service. `token` is None where the presented token is unknown here or absent:
    it might be somebody's real one, so it is not kept."""

    token: str | None
    service: Service
    method: str
    path: str
    at: datetime


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where a service sends its webhooks, and with what it signs them."""

    url: str
    secret: str


class SandboxState:
    def __init__(self, clock: Clock) -> None:
        self.now = clock
        self.tokens: dict[str, Token] = {}
        self.clients: dict[tuple[Service, str], Client] = {}
        self.webhook_targets: dict[Service, WebhookTarget] = {}
        self.github_apps = GitHubApps()
        self.github_contents = GitHubContents()
        self.gitlab_contents = GitLabContents()
        self.slack_workspaces = SlackWorkspaces()
        self.anonymous_quota = Quota.full(60, 3600, clock())
        """GitHub's own, for calls without a token."""
        self._down: set[Service] = set()
        self._calls: deque[Call] = deque(maxlen=REMEMBERED_CALLS)

    def put(self, token: Token) -> bool:
        """Create or replace; True where it is new."""
        created = token.name not in self.tokens
        self.tokens[token.name] = token
        return created

    def find(self, name: str | None, kind: type[AnyToken]) -> AnyToken | None:
        """The token of that name, if it is one of that service's."""
        if name is None:
            return None
        token = self.tokens.get(name) or numbered_token(name, self.now())
        return token if isinstance(token, kind) else None

    def all_of(self, kind: type[AnyToken]) -> list[AnyToken]:
        return [token for token in self.tokens.values() if isinstance(token, kind)]

    def forget(self, name: str) -> bool:
        """True where there was one."""
        return self.tokens.pop(name, None) is not None

    def remove_installation(self, installation: Installation) -> None:
        """Uninstall a GitHub App: what was issued for the installation ends."""
        self.github_apps.installations.pop(installation.id, None)
        for token in self.all_of(GitHubToken):
            if token.installation_id == installation.id:
                self.forget(token.name)

    def put_client(self, client: Client) -> bool:
        """Create or replace; True where it is new. Codes and tokens of the one replaced are good no more."""
        created = (client.service, client.id) not in self.clients
        self.clients[client.service, client.id] = client
        return created

    def find_client(self, service: Service, client_id: str | None) -> Client | None:
        return None if client_id is None else self.clients.get((service, client_id))

    def set_down(self, service: Service, down: bool) -> None:
        if down:
            self._down.add(service)
        else:
            self._down.discard(service)

    def is_down(self, service: Service) -> bool:
        return service in self._down

    def record(self, token: Token | None, service: Service, method: str, path: str) -> None:
        name = token.name if token is not None else None
        self._calls.append(Call(name, service, method, path, self.now()))

    def calls(self, token: str | None = None) -> list[Call]:
        """The last calls, oldest first: those of one token, or all."""
        return [call for call in self._calls if token is None or call.token == token]
