"""ConnectionDeletion: ends a connection, forgets its secret, and has its service forget it too.

Used by ServiceConnectionManager. That the secret is to be revoked is stored with the deletion itself: a process that
is killed before the service has answered leaves the rest to the runner.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.connection_units import save
from domain.credential_revocation import revocation_task
from domain.credential_secrets import CredentialSecret
from domain.credential_vault import CredentialVault
from domain.entities.credential import ServiceCredential
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task
from domain.entities.user import Viewer
from domain.errors import CredentialUnreadable
from domain.ports import UnitOfWork, UnitsOfWork
from domain.services.base import Revocation
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import ServiceFault


class SecretFate(StrEnum):
    """What becomes of a deleted connection's secret at its service. Tether has forgotten it in any case."""

    REVOKED = "REVOKED"
    NOT_REVOCABLE = "NOT_REVOCABLE"  # only whoever made it can
    IN_USE = "IN_USE"  # another connection lives by the very same one
    PENDING = "PENDING"  # the service couldn't do it now and is asked again
    UNKNOWN = "UNKNOWN"  # what was stored doesn't open, so nobody can be asked


@dataclass(frozen=True, slots=True)
class Deletion:
    """A connection that is gone, or would be: then `secret` is None."""

    organization_id: UUID
    secret: SecretFate | None = None


@dataclass(frozen=True, slots=True)
class _Revocable:
    """A secret that is to be revoked, and the task that sees to it."""

    service_id: str
    secret: CredentialSecret
    task: Task


class ConnectionDeletion:
    """In two steps: `store` in a unit of work, then `revoke` with none open."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        vault: CredentialVault,
        clock: Callable[[], datetime],
    ) -> None:
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._vault = vault
        self._clock = clock

    async def store(self, unit: UnitOfWork, viewer: Viewer, connection: ServiceConnection) -> "_Revocable | SecretFate":
        """End the connection, with everything that was to be done for it. Commits the unit."""
        now = self._clock()
        credential = await unit.credentials.find(connection.id)
        secret = None if credential is None else self._vault.open(credential)
        await unit.tasks.remove(connection.id)
        await unit.repository_syncs.remove(connection.id)
        await unit.credentials.remove(connection.id)
        revocable: _Revocable | SecretFate = SecretFate.UNKNOWN
        if credential is not None and secret is not None and not isinstance(secret, CredentialUnreadable):
            if await self._serves_others(unit, connection, credential):
                revocable = SecretFate.IN_USE
            else:
                task = revocation_task(self._vault, credential, connection.service, secret, now + _SECOND_TRY)
                await unit.tasks.put(task)
                revocable = _Revocable(connection.service, secret, task)
        await save(unit, viewer, connection, connection.delete(now))
        return revocable

    async def _serves_others(
        self, unit: UnitOfWork, connection: ServiceConnection, credential: ServiceCredential
    ) -> bool:
        """Whether revoking it would end more than this connection."""
        if await unit.organizations.credential_held(connection.service, credential.fingerprint):
            return True
        service, key = self._catalogue.find(connection.service), connection.webhook_key
        if service is None or not service.revocation_spreads or key is None:
            return False
        reached = await unit.organizations.connections_reached(connection.service, [key])
        return any(connection_id != connection.id for _, connection_id in reached)

    async def revoke(self, stored: "_Revocable | SecretFate") -> SecretFate:
        """Ask the service at once. Where that doesn't work, the task goes on."""
        if isinstance(stored, SecretFate):
            return stored
        service = self._catalogue.find(stored.service_id)
        answer = None if service is None else await service.revoke(stored.secret)
        if answer is None or isinstance(answer, ServiceFault):
            return SecretFate.PENDING
        async with self._units_of_work.writing() as unit:
            await unit.tasks.remove(stored.task.subject_id)
            await unit.commit()
        return SecretFate.REVOKED if answer is Revocation.REVOKED else SecretFate.NOT_REVOCABLE


_SECOND_TRY: Final = timedelta(minutes=1)  # longer than a call may take
