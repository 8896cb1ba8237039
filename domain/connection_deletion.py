"""ConnectionDeletion: ends a connection, forgets its secret, and has its service forget it too.

Used by ServiceConnectionManager. That the secret is to be revoked is stored with the deletion itself: a process that
is killed before the service has answered leaves the rest to the runner.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.connection_units import save
from domain.credential_revocation import CredentialRevocations, Entrusted
from domain.credential_secrets import CredentialSecret
from domain.credential_uses import CredentialUse, use_of
from domain.credential_vault import CredentialVault
from domain.entities.credential import CredentialKind, ServiceCredential
from domain.entities.service_connection import ServiceConnection
from domain.entities.user import Viewer
from domain.errors import CredentialUnreadable
from domain.ports import UnitOfWork
from domain.services.base import Revocation
from domain.services.catalogue import ServiceCatalogue


class SecretFate(StrEnum):
    """What becomes, or would become, of a deleted connection's secret at its service. Tether forgets it in any case."""

    REVOKED = "REVOKED"
    NOT_REVOCABLE = "NOT_REVOCABLE"  # only whoever made it can
    IN_USE = "IN_USE"  # another connection lives by the very same one
    PENDING = "PENDING"  # the service couldn't do it now and is asked again
    UNKNOWN = "UNKNOWN"  # what was stored doesn't open, so nobody can be asked


@dataclass(frozen=True, slots=True)
class Deletion:
    """A connection that is gone, or would be: then `secret` is what would most likely become of it."""

    organization_id: UUID
    secret: SecretFate


class ConnectionDeletion:
    """In two steps: `store` in a unit of work, then `revoke` with none open. `foresee` says what they would come to."""

    def __init__(
        self,
        revocations: CredentialRevocations,
        catalogue: ServiceCatalogue,
        vault: CredentialVault,
        clock: Callable[[], datetime],
    ) -> None:
        self._revocations = revocations
        self._catalogue = catalogue
        self._vault = vault
        self._clock = clock

    async def store(self, unit: UnitOfWork, viewer: Viewer, connection: ServiceConnection) -> Entrusted | SecretFate:
        """End the connection, with everything that was to be done for it. Commits the unit."""
        secret = await self._secret(unit, connection)
        await unit.tasks.remove(connection.id)
        await unit.repository_syncs.remove(connection.id)
        await unit.credentials.remove(connection.id)
        stored: Entrusted | SecretFate = SecretFate.UNKNOWN
        if secret is not None:
            credential, opened = secret
            stored = SecretFate.IN_USE
            if await self._use(unit, connection, credential) is not CredentialUse.LIVING:
                stored = await self._revocations.entrust(
                    unit,
                    connection.organization_id,
                    credential.id,
                    connection.service,
                    opened,
                    webhook_key=connection.webhook_key,
                )
        await save(unit, viewer, connection, connection.delete(self._clock()))
        return stored

    async def revoke(self, stored: Entrusted | SecretFate) -> SecretFate:
        """Ask the service at once. Where that doesn't work, the task goes on."""
        if isinstance(stored, SecretFate):
            return stored
        match await self._revocations.attempt(stored):
            case Revocation.REVOKED:
                return SecretFate.REVOKED
            case Revocation.NOT_REVOCABLE:
                return SecretFate.NOT_REVOCABLE
            case CredentialUse.LIVING:
                return SecretFate.IN_USE
        return SecretFate.PENDING

    async def foresee(self, unit: UnitOfWork, connection: ServiceConnection) -> SecretFate:
        """What would become of the secret, if the service does as it is asked. Nobody is, and nothing is stored."""
        secret, service = await self._secret(unit, connection), self._catalogue.find(connection.service)
        if secret is None:
            return SecretFate.UNKNOWN
        credential, opened = secret
        use = await self._use(unit, connection, credential)
        if use is CredentialUse.LIVING:
            return SecretFate.IN_USE
        if service is None or use is CredentialUse.WAITING:
            return SecretFate.PENDING
        return SecretFate.REVOKED if service.revokes(opened) else SecretFate.NOT_REVOCABLE

    async def _secret(
        self, unit: UnitOfWork, connection: ServiceConnection
    ) -> tuple[ServiceCredential, CredentialSecret] | None:
        """The connection's credential and what is sealed in it; None where that doesn't open."""
        credential = await unit.credentials.find(connection.id)
        opened = None if credential is None else self._vault.open(credential)
        if credential is None or opened is None or isinstance(opened, CredentialUnreadable):
            return None
        return credential, opened

    async def _use(
        self, unit: UnitOfWork, connection: ServiceConnection, credential: ServiceCredential
    ) -> CredentialUse:
        """Who else would lose by its revocation. That is asked once more when its turn comes."""
        service, key = self._catalogue.find(connection.service), connection.webhook_key
        spreads = service is not None and service.revocation_spreads and credential.kind is CredentialKind.OAUTH2
        return await use_of(
            unit, connection.service, credential.fingerprint, key if spreads else None, besides=connection.id
        )
