"""TokenCredentials: makes, replaces and opens the credentials that hold one token. Used by ServiceConnectionManager.

Sealed is a JSON object, so that credentials of several parts are kept in the same way.
"""

import json
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.credential_encryption import CredentialEncryption, SealedSecret
from domain.entities.credential import CredentialKind, ServiceCredential
from domain.entities.health import Identity
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.errors import CredentialUnreadable
from domain.secret import Secret, fingerprint

_FIELD: Final = "credential"
_TOKEN: Final = "token"  # noqa: S105 - the key in the sealed object


class TokenCredentials:
    """The only place where tokens meet CredentialEncryption."""

    def __init__(self, encryption: CredentialEncryption) -> None:
        self._encryption = encryption

    def create(
        self, connection: ServiceConnection, token: Secret, identity: Identity, now: datetime
    ) -> ServiceCredential:
        """A connection's first credential, sealed; `identity` is what the service said of the token just now."""
        sealed = self._seal(connection.organization_id, connection.id, token)
        return ServiceCredential(
            id=new_id(),
            organization_id=connection.organization_id,
            connection_id=connection.id,
            kind=CredentialKind.TOKEN,
            sealed=sealed.blob,
            key_id=sealed.key_id,
            fingerprint=fingerprint(token),
            scopes=identity.scopes,
            expires_at=identity.expires_at,
            refresh_expires_at=None,
            generation=1,
            created_at=now,
            rotated_at=now,
            last_used_at=now,
        )

    def replace(self, credential: ServiceCredential, token: Secret, identity: Identity, now: datetime) -> None:
        """Put a new token into a connection's credential."""
        sealed = self._seal(credential.organization_id, credential.connection_id, token)
        credential.replace(
            sealed=sealed.blob,
            key_id=sealed.key_id,
            fingerprint=fingerprint(token),
            scopes=identity.scopes,
            expires_at=identity.expires_at,
            now=now,
        )

    def open(self, credential: ServiceCredential) -> Secret | CredentialUnreadable:
        """The token, or why it can't be had: for a health check that is a finding like others."""
        try:
            opened = self._encryption.open(
                SealedSecret(credential.sealed),
                organization_id=credential.organization_id,
                connection_id=credential.connection_id,
                field=_FIELD,
            )
        except CredentialUnreadable as unreadable:
            return unreadable
        return Secret(json.loads(opened.reveal())[_TOKEN])

    def _seal(self, organization_id: UUID, connection_id: UUID, token: Secret) -> SealedSecret:
        document = Secret(json.dumps({_TOKEN: token.reveal()}))
        return self._encryption.seal(
            document, organization_id=organization_id, connection_id=connection_id, field=_FIELD
        )
