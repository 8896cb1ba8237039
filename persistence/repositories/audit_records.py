"""What people and keys have done, as rows that are only ever added, until retention removes them.

Reached as `unit.audit`; the records of events are added by the feed's repository beside it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from domain.entities.audit import AuditRecord
from domain.entities.event import ConnectionEvent
from persistence.tables import audit_records, service_connections
from persistence.transaction import Transaction

_records, _connections = audit_records.c, service_connections.c


class SqlAuditRepository:
    """Implements AuditRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def add(self, record: AuditRecord) -> None:
        await self._transaction.execute(insert(audit_records).values(_values(record)))

    async def add_of_events(self, events: Sequence[ConnectionEvent]) -> None:
        """What the events say of people and keys, with the connections' names as they are in this unit."""
        rows = []
        for event in events:
            if (record := AuditRecord.of_event(event)) is not None:
                values = _values(record)
                del values["subject_name"]
                rows.append(values | {"of": record.organization_id, "connection": event.draft.connection_id})
        if rows:
            await self._transaction.execute(_NAMING_CONNECTION, rows)

    async def forget(self, before: datetime, limit: int) -> int:
        old = select(_records.id).where(_records.occurred_at < before).order_by(_records.occurred_at).limit(limit)
        removed = await self._transaction.execute(delete(audit_records).where(_records.id.in_(old)))
        return removed.rowcount


_NAMING_CONNECTION = insert(audit_records).values(
    subject_name=select(_connections.name)
    .where(_connections.organization_id == bindparam("of"), _connections.id == bindparam("connection"))
    .scalar_subquery()
)


def _values(record: AuditRecord) -> dict[str, Any]:
    return {
        "organization_id": record.organization_id,
        "id": record.id,
        "occurred_at": record.occurred_at,
        "action": record.action.value,
        "actor_kind": record.actor.kind.value,
        "actor_name": record.actor.name,
        "actor_user_id": record.actor.user_id,
        "actor_api_key_id": record.actor.api_key_id,
        "address": record.origin.address,
        "request_id": record.origin.request_id,
        "subject_id": record.subject_id,
        "subject_name": record.subject_name,
        "data": record.data,
    }
