"""The GitHub Apps that the sandbox knows and where they are installed. Kept in state.py, asked by GitHub's modules."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.tokens import GitHubAccount, GitHubRepository, Quota

PERMISSIONS: Final = {
    "contents": "read",
    "issues": "write",
    "members": "read",
    "metadata": "read",
    "pull_requests": "write",
}
EVENTS: Final = ("issue_comment", "issues", "pull_request", "push", "repository")


@dataclass(slots=True, kw_only=True)
class App:
    """A registered app. `public_key` in PEM; without one no token of the app is taken for its own."""

    id: str
    slug: str
    client_id: str | None = None
    public_key: str | None = None
    permissions: dict[str, str] = field(default_factory=lambda: dict(PERMISSIONS))

    def make_key(self) -> str:
        """A new private key in PEM, the only one that counts from now on."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.public_key = public.decode()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        return private.decode()


@dataclass(slots=True, kw_only=True)
class Installation:
    """An app on an account. `users`: logins of those who may see it, `owners` of those who own the organization."""

    id: int
    app: App
    account: GitHubAccount
    repositories: tuple[GitHubRepository, ...]
    permissions: dict[str, str]
    users: tuple[str, ...]
    quota: Quota
    owners: tuple[str, ...] = ()
    suspended_at: datetime | None = None
    fresh_token_refusals: int = 0
    """How many calls with a new token answer 401 before it works, as GitHub's do for some seconds."""


class GitHubApps:
    def __init__(self) -> None:
        self.apps: dict[str, App] = {}
        self.installations: dict[int, Installation] = {}

    def by_slug(self, slug: str) -> App | None:
        return next((app for app in self.apps.values() if app.slug == slug), None)

    def by_issuer(self, issuer: object) -> App | None:
        """By app id or client id, either of which a token of the app may name."""
        return next((app for app in self.apps.values() if str(issuer) in (app.id, app.client_id)), None)

    def of_client(self, client_id: str) -> App | None:
        """The app whose client this is; None for one of a plain OAuth app."""
        return next((app for app in self.apps.values() if app.client_id == client_id), None)

    def on_account(self, app: App, login: str) -> Installation | None:
        return next(
            (each for each in self.installations.values() if each.app is app and each.account.login == login), None
        )

    def on_organization(self, login: str) -> list[Installation]:
        return [
            each
            for each in self.installations.values()
            if each.account.type == "Organization" and each.account.login.lower() == login.lower()
        ]

    def next_installation_id(self) -> int:
        return max(self.installations, default=50_000_000) + 1
