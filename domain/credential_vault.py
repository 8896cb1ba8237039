"""CredentialVault: the only place where credentials meet CredentialEncryption: sealed to be stored, opened to be used.

Used by ServiceConnectionManager, CredentialRefresher, AuthorizationFlows, RepositorySync and retried revocations.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from domain import credential_secrets
from domain.credential_encryption import CredentialEncryption, SealedSecret
from domain.credential_secrets import CredentialSecret
from domain.entities.credential import CredentialKind, ServiceCredential
from domain.entities.health import Identity
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.errors import CredentialUnreadable
from domain.secret import Secret
from domain.services.authorization import Grant

_CREDENTIAL: Final = "credential"


class CredentialVault:
    """Seals and opens. What is sealed opens for the same organization, the same thing and the same use of it only."""

    def __init__(self, encryption: CredentialEncryption) -> None:
        self._encryption = encryption

    def create(
        self, connection: ServiceConnection, grant: Grant, identity: Identity, now: datetime
    ) -> ServiceCredential:
        """A connection's first credential; `identity` is what the service said of it just now."""
        sealed = self._seal(connection.organization_id, connection.id, _CREDENTIAL, grant.secret)
        return ServiceCredential(
            id=new_id(),
            organization_id=connection.organization_id,
            connection_id=connection.id,
            kind=grant.secret.kind,
            sealed=sealed.blob,
            key_id=sealed.key_id,
            fingerprint=grant.secret.fingerprint,
            scopes=grant.scopes if identity.scopes is None else identity.scopes,
            expires_at=identity.expires_at or grant.expires_at,
            refresh_expires_at=grant.refresh_expires_at,
            refreshable=grant.secret.refreshable,
            generation=1,
            created_at=now,
            rotated_at=now,
            last_used_at=now,
        )

    def replace(self, credential: ServiceCredential, grant: Grant, identity: Identity | None, now: datetime) -> None:
        """Put a new secret into a connection's credential. `identity`: None where nobody was asked."""
        told_scopes = None if identity is None else identity.scopes
        told_end = None if identity is None else identity.expires_at
        sealed = self._seal(credential.organization_id, credential.connection_id, _CREDENTIAL, grant.secret)
        credential.replace(
            kind=grant.secret.kind,
            sealed=sealed.blob,
            key_id=sealed.key_id,
            fingerprint=grant.secret.fingerprint,
            scopes=grant.scopes if told_scopes is None else told_scopes,
            expires_at=told_end or grant.expires_at,
            refresh_expires_at=grant.refresh_expires_at,
            refreshable=grant.secret.refreshable,
            now=now,
        )

    def open(self, credential: ServiceCredential) -> CredentialSecret | CredentialUnreadable:
        """What a connection's credential holds, or why it can't be had: for a health check that is a finding."""
        try:
            return self._open(
                credential.organization_id,
                credential.connection_id,
                _CREDENTIAL,
                SealedSecret(credential.sealed),
                credential.kind,
            )
        except CredentialUnreadable as unreadable:
            return unreadable

    def seal_apart(self, organization_id: UUID, subject_id: UUID, use: str, secret: CredentialSecret) -> str:
        """A credential outside of its row: one that waits to be completed, or to be revoked. For `open_apart`."""
        return f"{secret.kind}:{self._seal(organization_id, subject_id, use, secret).blob}"

    def open_apart(self, organization_id: UUID, subject_id: UUID, use: str, sealed: str) -> CredentialSecret:
        """Raises CredentialUnreadable."""
        kind, _, blob = sealed.partition(":")
        return self._open(organization_id, subject_id, use, SealedSecret(blob), CredentialKind(kind))

    def seal_text(self, organization_id: UUID, subject_id: UUID, use: str, text: Secret) -> str:
        """A secret that is no credential, such as a PKCE verifier."""
        return self._encryption.seal(text, organization_id=organization_id, connection_id=subject_id, field=use).blob

    def open_text(self, organization_id: UUID, subject_id: UUID, use: str, sealed: str) -> Secret:
        """Raises CredentialUnreadable."""
        return self._encryption.open(
            SealedSecret(sealed), organization_id=organization_id, connection_id=subject_id, field=use
        )

    def _open(
        self, organization_id: UUID, subject_id: UUID, use: str, sealed: SealedSecret, kind: CredentialKind
    ) -> CredentialSecret:
        opened = self._encryption.open(sealed, organization_id=organization_id, connection_id=subject_id, field=use)
        return credential_secrets.read(kind, opened)

    def _seal(self, organization_id: UUID, subject_id: UUID, use: str, secret: CredentialSecret) -> SealedSecret:
        return self._encryption.seal(
            credential_secrets.written(secret), organization_id=organization_id, connection_id=subject_id, field=use
        )
