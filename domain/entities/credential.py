"""ServiceCredential: what opens a service, sealed, with all that may be shown of it.

Made and replaced by ServiceConnectionManager, opened only by CredentialEncryption.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.entities.health import Identity


class CredentialKind(StrEnum):
    """What sort of secret it is, and so whether it can be refreshed."""

    OAUTH2 = "OAUTH2"
    GITHUB_APP = "GITHUB_APP"
    TOKEN = "TOKEN"  # noqa: S105 - the name of a kind


@dataclass(slots=True)
class ServiceCredential:
    """One credential of one connection. `sealed` opens only for this organization and connection.

    `refreshable`: it holds a refresh token, so that it outlives `expires_at`.
    """

    id: UUID
    organization_id: UUID
    connection_id: UUID
    kind: CredentialKind
    sealed: str
    key_id: str
    fingerprint: str
    scopes: tuple[str, ...] | None
    expires_at: datetime | None
    refresh_expires_at: datetime | None
    refreshable: bool
    generation: int
    created_at: datetime
    rotated_at: datetime
    last_used_at: datetime | None = None

    @property
    def ends_at(self) -> datetime | None:
        """When it ends for good; None for never or unknown."""
        return self.refresh_expires_at if self.refreshable else self.expires_at

    def replace(
        self,
        *,
        kind: CredentialKind,
        sealed: str,
        key_id: str,
        fingerprint: str,
        scopes: tuple[str, ...] | None,
        expires_at: datetime | None,
        refresh_expires_at: datetime | None,
        refreshable: bool,
        now: datetime,
    ) -> None:
        """Take a new secret. The generation grows, so that whoever still holds the old one can tell."""
        self.kind, self.sealed, self.key_id, self.fingerprint = kind, sealed, key_id, fingerprint
        self.scopes, self.expires_at, self.refresh_expires_at = scopes, expires_at, refresh_expires_at
        self.refreshable = refreshable
        self.generation += 1
        self.rotated_at = now

    def learn(self, identity: Identity) -> bool:
        """Take what the service now says of this same secret; whether that was anything new."""
        known = (self.scopes, self.expires_at)
        self.scopes = self.scopes if identity.scopes is None else identity.scopes
        self.expires_at = identity.expires_at or self.expires_at
        return (self.scopes, self.expires_at) != known
