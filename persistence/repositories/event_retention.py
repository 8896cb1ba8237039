"""The old end of the feeds, as rows of all organizations: events are removed there, and nowhere else.

Reached as `unit.event_retention`.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update

from domain.work_ports import OldestEvent
from persistence.tables import connection_events, event_counters
from persistence.transaction import Transaction

_events, _counters = connection_events.c, event_counters.c


class SqlEventRetentionRepository:
    """Implements EventRetentionRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def oldest(self, after: UUID | None, limit: int) -> Sequence[OldestEvent]:
        first = select(_events.occurred_at).where(_events.organization_id == _counters.organization_id)
        at = first.order_by(_events.sequence).limit(1).scalar_subquery()
        statement = select(_counters.organization_id, at.label("occurred_at"))
        if after is not None:
            statement = statement.where(_counters.organization_id > after)
        rows = await self._transaction.execute(statement.order_by(_counters.organization_id).limit(limit))
        return [OldestEvent(row.organization_id, row.occurred_at) for row in rows]

    async def prune(self, organization_id: UUID, before: datetime, limit: int) -> int:
        """A feed stays without gaps: one event that is younger, or says so, keeps all that follow it."""
        of_feed = _events.organization_id == organization_id
        rows = await self._transaction.execute(
            select(_events.sequence, _events.occurred_at).where(of_feed).order_by(_events.sequence).limit(limit)
        )
        last, count = None, 0
        for row in rows:
            if row.occurred_at >= before:
                break
            last, count = row.sequence, count + 1
        if last is None:
            return 0
        await self._transaction.execute(delete(connection_events).where(of_feed, _events.sequence <= last))
        await self._transaction.execute(
            update(event_counters)
            .where(_counters.organization_id == organization_id, _counters.pruned_sequence < last)
            .values(pruned_sequence=last)
        )
        return count
