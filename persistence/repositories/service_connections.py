"""Service connections as rows: versions decide between two writers, and a deleted row frees its name.

Reached as `unit.connections`; how an entity becomes a row and back is in `service_connection_rows.py`.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, insert, literal, update
from sqlalchemy.exc import IntegrityError

from domain.entities.service_connection import ServiceConnection
from domain.errors import NameTaken, NotFound, VersionConflict
from persistence.driver_errors import violates
from persistence.repositories.service_connection_rows import both_rows, entity, health_values, values
from persistence.repositories.tenant import Tenant
from persistence.tables import connection_health, service_connections

_c, _h = service_connections.c, connection_health.c
_BOTH = [service_connections, connection_health]
"""Locked together; their keys aren't, at which foreign keys look while checks of many connections are noted."""


class SqlServiceConnectionRepository:
    """Implements ServiceConnectionRepository."""

    def __init__(self, tenant: Tenant) -> None:
        self._transaction = tenant.transaction
        self._organization_id = tenant.organization_id
        self._own = tenant.own
        self._health_as_locked: dict[UUID, dict[str, Any]] = {}

    async def get(self, connection_id: UUID) -> ServiceConnection:
        statement, locks = self._one(connection_id), self._transaction.writes
        found = await self._read(statement.with_for_update(of=_BOTH, key_share=True) if locks else statement)
        if found is None:
            raise NotFound.connection()
        if locks:
            self._health_as_locked[connection_id] = health_values(found)
        return found

    async def find(self, connection_id: UUID) -> ServiceConnection | None:
        return await self._read(self._one(connection_id))

    async def list(self, *, after: UUID | None = None, limit: int = 100) -> Sequence[ServiceConnection]:
        statement = both_rows().where(_c.organization_id == self._organization_id, _alive())
        if after is not None:
            statement = statement.where(_c.id > after)
        rows = await self._transaction.execute(statement.order_by(_c.id).limit(limit))
        return [entity(row) for row in rows]

    async def add(self, connection: ServiceConnection) -> None:
        self._own(connection.organization_id)
        try:
            await self._transaction.execute(insert(service_connections).values(values(connection)))
        except IntegrityError as error:
            raise _name_taken(connection, error) from error
        await self._transaction.execute(insert(connection_health).values(health_values(connection)))

    async def save(self, connection: ServiceConnection, *, keep_version: bool = False) -> None:
        self._own(connection.organization_id)
        version = connection.version if keep_version else connection.version + 1
        statement = (
            update(service_connections)
            .where(self._is(connection.id), _alive(), _c.version == connection.version)
            .values({**values(connection), "version": version})
        )
        try:
            saved = await self._transaction.execute(statement)
        except IntegrityError as error:
            raise _name_taken(connection, error) from error
        if saved.rowcount == 0:
            current = await self.find(connection.id)
            raise NotFound.connection() if current is None else VersionConflict(current.version)
        await self._save_health(connection)
        connection.version = version

    async def _save_health(self, connection: ServiceConnection) -> None:
        """What a check finds that is under way counts no more where something else has set the schedule meanwhile."""
        new = health_values(connection)
        if new == self._health_as_locked.get(connection.id):
            return  # a name or a label, which is what people change mostly
        self._health_as_locked.pop(connection.id, None)
        same = and_(
            *(
                _h[name].is_not_distinct_from(literal(new[name], _h[name].type))
                for name in ("checked_at", "next_check_at", "finding")
            )
        )
        await self._transaction.execute(
            update(connection_health)
            .where(_h.organization_id == self._organization_id, _h.connection_id == connection.id)
            .values({**new, "lease": case((same, _h.lease))})
        )

    def _one(self, connection_id: UUID) -> Select[Any]:
        return both_rows().where(self._is(connection_id), _alive())

    def _is(self, connection_id: UUID) -> ColumnElement[bool]:
        return and_(_c.organization_id == self._organization_id, _c.id == connection_id)

    async def _read(self, statement: Select[Any]) -> ServiceConnection | None:
        row = (await self._transaction.execute(statement)).one_or_none()
        return None if row is None else entity(row)


def _alive() -> ColumnElement[bool]:
    return _c.deleted_at.is_(None)


def _name_taken(connection: ServiceConnection, error: IntegrityError) -> Exception:
    if not violates(error, "uq_service_connections_name", _c.organization_id, _c.name_key):
        return error
    return NameTaken(f"Another connection is named “{connection.name}” already.", ("input", "name"))
