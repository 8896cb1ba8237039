"""Services that are or were down, as rows: one that hasn't ended for each service on each host.

Reached as `unit.service_incidents`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Text, cast, func, or_, select, update

from domain.entities.service_incident import ServiceIncident
from persistence.repositories.insert_if_new import insert_if_new
from persistence.tables import connection_health, service_incidents
from persistence.transaction import Transaction

_c, _h = service_incidents.c, connection_health.c


class SqlServiceIncidentRepository:
    """Implements ServiceIncidentRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def open(self) -> Sequence[ServiceIncident]:
        rows = await self._transaction.execute(select(service_incidents).where(_c.ended_at.is_(None)))
        return [_entity(row) for row in rows]

    async def find(self, incident_id: UUID) -> ServiceIncident | None:
        rows = await self._transaction.execute(select(service_incidents).where(_c.id == incident_id))
        row = rows.one_or_none()
        return None if row is None else _entity(row)

    async def begin(self, incident: ServiceIncident) -> bool:
        return await insert_if_new(self._transaction, service_incidents, _values(incident))

    async def take_probe(self, incident_id: UUID, now: datetime, next_probe_at: datetime, *, latest: datetime) -> bool:
        taken = await self._transaction.execute(
            update(service_incidents)
            .where(_c.id == incident_id, _c.ended_at.is_(None), or_(_c.next_probe_at <= now, _c.next_probe_at > latest))
            .values(next_probe_at=next_probe_at)
        )
        return taken.rowcount == 1

    async def end(self, incident_id: UUID, at: datetime) -> bool:
        ended = await self._transaction.execute(
            update(service_incidents).where(_c.id == incident_id, _c.ended_at.is_(None)).values(ended_at=at)
        )
        return ended.rowcount == 1

    async def affected(self, service: str, *, after: UUID | None, limit: int) -> Sequence[tuple[UUID, UUID, int]]:
        is_checked = _h.next_check_at.is_not(None)
        of_checked = func.min(cast(_h.connection_id, Text)).filter(is_checked)  # ids themselves have no smallest
        first = func.coalesce(of_checked, func.min(cast(_h.connection_id, Text)))
        checked = select(_h.organization_id, first, func.count().filter(is_checked)).where(_h.service == service)
        if after is not None:
            checked = checked.where(_h.organization_id > after)
        rows: Any = await self._transaction.execute(
            checked.group_by(_h.organization_id).order_by(_h.organization_id).limit(limit)
        )
        return [(row[0], UUID(row[1]), row[2]) for row in rows]


def _values(incident: ServiceIncident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "service": incident.service,
        "host": incident.host,
        "code": incident.code,
        "message": incident.message,
        "started_at": incident.started_at,
        "next_probe_at": incident.next_probe_at,
        "ended_at": incident.ended_at,
    }


def _entity(row: Row[Any]) -> ServiceIncident:
    return ServiceIncident(
        id=row.id,
        service=row.service,
        host=row.host,
        code=row.code,
        message=row.message,
        started_at=row.started_at,
        next_probe_at=row.next_probe_at,
        ended_at=row.ended_at,
    )
