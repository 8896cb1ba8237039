"""Sealed credentials as rows, one a connection: generations decide between two writers.

Reached as `unit.credentials`. What is sealed stays sealed here.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, delete, insert, or_, select, update

from domain.entities.credential import CredentialKind, ServiceCredential
from domain.errors import NotFound, VersionConflict
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
        return None if row is None else _entity(row)

    async def add(self, credential: ServiceCredential) -> None:
        self._own(credential.organization_id)
        await self._transaction.execute(insert(service_credentials).values(_values(credential)))

    async def save(self, credential: ServiceCredential, *, replaces_generation: int) -> None:
        self._own(credential.organization_id)
        saved = await self._transaction.execute(
            update(service_credentials)
            .where(self._of(credential.connection_id), _c.id == credential.id, _c.generation == replaces_generation)
            .values(_values(credential))
        )
        if saved.rowcount == 0:
            current = await self.find(credential.connection_id)
            if current is None:
                raise NotFound("This connection has no credential.")
            raise VersionConflict(current.generation)

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


def _values(credential: ServiceCredential) -> dict[str, Any]:
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
        "generation": credential.generation,
        "created_at": credential.created_at,
        "rotated_at": credential.rotated_at,
        "last_used_at": credential.last_used_at,
    }


def _entity(row: Row[Any]) -> ServiceCredential:
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
        generation=row.generation,
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        last_used_at=row.last_used_at,
    )
