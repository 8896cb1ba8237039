"""Sealed credentials as rows, one a connection: generations decide between two writers, leases who refreshes.

Reached as `unit.credentials`. What is sealed stays sealed here.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, delete, insert, or_, select, update

from domain.entities.credential import CredentialKind, ServiceCredential
from domain.errors import DomainError, LeaseLost, NotFound, VersionConflict
from domain.ports import LeaseOutcome
from persistence.repositories.leases import NOT_LEASED, is_over
from persistence.repositories.tenant import Tenant
from persistence.tables import service_credentials

_c = service_credentials.c


class SqlServiceCredentialRepository:
    """Implements ServiceCredentialRepository."""

    def __init__(self, tenant: Tenant) -> None:
        self._transaction = tenant.transaction
        self._organization_id = tenant.organization_id
        self._own = tenant.own

    async def find(self, connection_id: UUID) -> ServiceCredential | None:
        rows = await self._transaction.execute(select(service_credentials).where(self._of(connection_id)))
        row = rows.one_or_none()
        return None if row is None else credential_entity(row)

    async def add(self, credential: ServiceCredential) -> None:
        self._own(credential.organization_id)
        await self._transaction.execute(insert(service_credentials).values(credential_values(credential)))

    async def save(self, credential: ServiceCredential, *, replaces_generation: int, lease: UUID | None = None) -> None:
        """A new generation ends every lease: it was taken to replace the old one."""
        self._own(credential.organization_id)
        statement = update(service_credentials).where(
            self._of(credential.connection_id), _c.id == credential.id, _c.generation == replaces_generation
        )
        if lease is not None:
            statement = statement.where(_c.lease == lease)
        ends_lease = lease is not None or credential.generation != replaces_generation
        saved = await self._transaction.execute(
            statement.values({**credential_values(credential), **(NOT_LEASED if ends_lease else {})})
        )
        if saved.rowcount == 0:
            raise _refusal(await self.find(credential.connection_id), credential.id, replaces_generation, lease)

    async def lease(
        self, connection_id: UUID, lease: UUID, *, generation: int, now: datetime, until: datetime
    ) -> LeaseOutcome:
        """Each way to take it is one statement that looks and takes."""
        statement = (
            update(service_credentials)
            .where(self._of(connection_id), _c.generation == generation)
            .values(lease=lease, leased_until=until)
        )
        if (await self._transaction.execute(statement.where(_c.lease.is_(None)))).rowcount == 1:
            return LeaseOutcome.TAKEN
        if (await self._transaction.execute(statement.where(is_over(_c, now)))).rowcount == 1:
            return LeaseOutcome.TAKEN_OVER
        current = await self.find(connection_id)
        return LeaseOutcome.HELD if current is not None and current.generation == generation else LeaseOutcome.CHANGED

    async def release(self, connection_id: UUID, lease: UUID) -> None:
        await self._transaction.execute(
            update(service_credentials).where(self._of(connection_id), _c.lease == lease).values(NOT_LEASED)
        )

    async def mark_used(self, connection_id: UUID, at: datetime) -> None:
        await self._transaction.execute(
            update(service_credentials)
            .where(self._of(connection_id), or_(_c.last_used_at.is_(None), _c.last_used_at < at))
            .values(last_used_at=at)
        )

    async def remove(self, connection_id: UUID) -> None:
        await self._transaction.execute(delete(service_credentials).where(self._of(connection_id)))

    def _of(self, connection_id: UUID) -> ColumnElement[bool]:
        return and_(_c.organization_id == self._organization_id, _c.connection_id == connection_id)


def _refusal(
    current: ServiceCredential | None, credential_id: UUID, replaces_generation: int, lease: UUID | None
) -> DomainError:
    """Why a save met no row."""
    if current is None:
        return NotFound("This connection has no credential.")
    if lease is not None and (current.id, current.generation) == (credential_id, replaces_generation):
        return LeaseLost()
    return VersionConflict(current.generation)


def credential_values(credential: ServiceCredential) -> dict[str, Any]:
    return {
        "organization_id": credential.organization_id,
        "id": credential.id,
        "connection_id": credential.connection_id,
        "kind": credential.kind.value,
        "sealed": credential.sealed,
        "key_id": credential.key_id,
        "fingerprint": credential.fingerprint,
        "scopes": credential.scopes,
        "expires_at": credential.expires_at,
        "refresh_expires_at": credential.refresh_expires_at,
        "refreshable": credential.refreshable,
        "generation": credential.generation,
        "created_at": credential.created_at,
        "rotated_at": credential.rotated_at,
        "last_used_at": credential.last_used_at,
    }


def credential_entity(row: Row[Any]) -> ServiceCredential:
    return ServiceCredential(
        id=row.id,
        organization_id=row.organization_id,
        connection_id=row.connection_id,
        kind=CredentialKind(row.kind),
        sealed=row.sealed,
        key_id=row.key_id,
        fingerprint=row.fingerprint,
        scopes=None if row.scopes is None else tuple(row.scopes),
        expires_at=row.expires_at,
        refresh_expires_at=row.refresh_expires_at,
        refreshable=row.refreshable,
        generation=row.generation,
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        last_used_at=row.last_used_at,
    )
