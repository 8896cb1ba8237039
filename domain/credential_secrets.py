"""What a credential holds once it is opened: one class for each kind, and how it is written down to be sealed.

Made by the manager and the OAuth flow, understood by the services, sealed and opened by CredentialVault. Nothing here
shows itself: every part that opens something is a `Secret`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from domain.entities.credential import CredentialKind
from domain.secret import Secret, fingerprint


@dataclass(frozen=True, slots=True)
class TokenSecret:
    """A token that a person has made at the service."""

    token: Secret

    kind = CredentialKind.TOKEN
    refreshable = False

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.token)

    def parts(self) -> dict[str, str]:
        return {"token": self.token.reveal()}


@dataclass(frozen=True, slots=True)
class OAuthSecret:
    """What a code was exchanged for. Without a refresh token it can't be refreshed."""

    access_token: Secret
    refresh_token: Secret | None = None

    kind = CredentialKind.OAUTH2

    @property
    def refreshable(self) -> bool:
        return self.refresh_token is not None

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.access_token)

    def parts(self) -> dict[str, str]:
        refresh = {} if self.refresh_token is None else {"refresh_token": self.refresh_token.reveal()}
        return {"access_token": self.access_token.reveal(), **refresh}


@dataclass(frozen=True, slots=True)
class GitHubAppSecret:
    """An installation of a GitHub App. Without a private key of its own it is one of the operator's app.

    Raises ValueError for ids that aren't GitHub's: they become parts of addresses.
    """

    app_id: str
    installation_id: str
    private_key: Secret | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9.]{1,64}", self.app_id):
            raise ValueError("An app's id is a number, or its client id such as Iv23liABC.")
        if not re.fullmatch(r"[0-9]{1,20}", self.installation_id):
            raise ValueError("An installation's id is a number: the address of its settings ends with it.")

    kind = CredentialKind.GITHUB_APP
    refreshable = False  # its tokens are made from the key, whenever one is needed

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.private_key or Secret(f"{self.app_id}/{self.installation_id}"))

    def parts(self) -> dict[str, str]:
        key = {} if self.private_key is None else {"private_key": self.private_key.reveal()}
        return {"app_id": self.app_id, "installation_id": self.installation_id, **key}


CredentialSecret = TokenSecret | OAuthSecret | GitHubAppSecret


def written(secret: CredentialSecret) -> Secret:
    """The credential as one text, a JSON object."""
    return Secret(json.dumps(secret.parts()))


def read(kind: CredentialKind, text: Secret) -> CredentialSecret:
    """What `written` wrote for that kind. Raises KeyError and ValueError for anything else."""
    return _READ[kind](json.loads(text.reveal()))


def _token(parts: dict[str, Any]) -> TokenSecret:
    return TokenSecret(Secret(parts["token"]))


def _oauth(parts: dict[str, Any]) -> OAuthSecret:
    return OAuthSecret(Secret(parts["access_token"]), _optional(parts, "refresh_token"))


def _github_app(parts: dict[str, Any]) -> GitHubAppSecret:
    return GitHubAppSecret(parts["app_id"], parts["installation_id"], _optional(parts, "private_key"))


def _optional(parts: dict[str, Any], name: str) -> Secret | None:
    return Secret(parts[name]) if name in parts else None


_READ: Final[dict[CredentialKind, Callable[[dict[str, Any]], CredentialSecret]]] = {
    CredentialKind.TOKEN: _token,
    CredentialKind.OAUTH2: _oauth,
    CredentialKind.GITHUB_APP: _github_app,
}
