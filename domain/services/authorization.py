"""Authorization: how a browser links a service, and how what it brings is exchanged and refreshed.

Implemented by each service with OAuth or app installations; called by AuthorizationFlows and CredentialRefresher.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.credential_secrets import CredentialSecret, OAuthSecret
from domain.secret import Secret
from domain.services.service_fault import ServiceFault


class AuthorizationMethod(StrEnum):
    """How a team can link a service."""

    OAUTH2 = "OAUTH2"
    GITHUB_APP = "GITHUB_APP"
    TOKEN = "TOKEN"  # noqa: S105 - the name of a method


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What the browser is sent to the service with. `code_challenge` (S256) is None where the service has no PKCE."""

    method: AuthorizationMethod
    state: Secret
    code_challenge: str | None
    redirect_uri: str
    scopes: Sequence[str]


@dataclass(frozen=True, slots=True)
class AuthorizationReturn:
    """What the browser came back with: the callback's query, whose state has been checked, and our own parts of it."""

    method: AuthorizationMethod
    query: Mapping[str, str]
    code_verifier: Secret | None
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a service gave. `scopes`: None where it doesn't tell. Ends: None for never or unknown.

    `webhook_key`: as `Identity.webhook_key`, where the service says it at once; None where it has to be asked.
    """

    secret: CredentialSecret
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    webhook_key: str | None = None


class Authorization(Protocol):
    """One registered client at one service."""

    @property
    def methods(self) -> Sequence[AuthorizationMethod]:
        """Those that a browser can go through, the usual one first."""

    @property
    def uses_pkce(self) -> bool: ...

    @property
    def issuer(self) -> str | None:
        """What the callback's `iss` has to be where there is one (RFC 9207)."""

    def address(self, request: AuthorizationRequest) -> str:
        """Where the browser goes."""

    async def exchange(self, returned: AuthorizationReturn) -> Grant | ServiceFault:
        """Turn a code (or an installation) into a credential."""

    async def refresh(self, secret: OAuthSecret) -> Grant | ServiceFault:
        """A new access token. CREDENTIAL_REFUSED: this refresh token is dead; CLIENT_REFUSED: our client is.

        A refresh token that the service doesn't renew stays in the grant's secret.
        """
