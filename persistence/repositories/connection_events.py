"""The feed as rows: each organization's events have its own numbers, in the order of the commits and without gaps.

Reached as `unit.events`; read by documents, waited for with EventFeed.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from domain.entities.event import Actor, ConnectionEvent, EventDraft
from domain.entities.identifiers import new_id
from persistence.repositories.audit_records import SqlAuditRepository
from persistence.repositories.tenant import Tenant
from persistence.tables import connection_events, event_counters


class SqlConnectionEventRepository:
    """Implements ConnectionEventRepository. `appended`: whether it has added to the feed."""

    def __init__(self, tenant: Tenant) -> None:
        self._transaction = tenant.transaction
        self._organization_id = tenant.organization_id
        self._own = tenant.own
        self.appended = False

    async def append(self, drafts: Sequence[EventDraft], actor: Actor) -> Sequence[ConnectionEvent]:
        for draft in drafts:
            self._own(draft.organization_id)
        if not drafts:
            return []
        epoch, last = await self._advance(len(drafts))
        events = [
            ConnectionEvent(draft.id or new_id(), epoch, sequence, draft, actor)
            for sequence, draft in enumerate(drafts, start=last - len(drafts) + 1)
        ]
        await self._transaction.execute(insert(connection_events), [_values(event) for event in events])
        await SqlAuditRepository(self._transaction).add_of_events(events)
        self.appended = True
        return events

    async def has(self, event_id: UUID) -> bool:
        told = select(connection_events.c.id).where(
            connection_events.c.organization_id == self._organization_id, connection_events.c.id == event_id
        )
        return (await self._transaction.execute(told)).first() is not None

    async def _advance(self, count: int) -> tuple[int, int]:
        """Take the next `count` numbers; returns the epoch and the last of them.

        The counter's row stays locked until the commit, so that nobody's later number is seen before these.
        """
        counter = await self._transaction.execute(
            update(event_counters)
            .where(event_counters.c.organization_id == self._organization_id)
            .values(sequence=event_counters.c.sequence + count)
            .returning(event_counters.c.epoch, event_counters.c.sequence)
        )
        row = counter.one()
        return row.epoch, row.sequence


def _values(event: ConnectionEvent) -> dict[str, Any]:
    draft, actor, change = event.draft, event.actor, event.draft.status_change
    reason = change and change.reason
    return {
        "organization_id": draft.organization_id,
        "sequence": event.sequence,
        "id": event.id,
        "epoch": event.epoch,
        "connection_id": draft.connection_id,
        "type": draft.type.value,
        "occurred_at": draft.occurred_at,
        "actor_kind": actor.kind.value,
        "actor_name": actor.name,
        "actor_user_id": actor.user_id,
        "actor_api_key_id": actor.api_key_id,
        "status_from": change and change.previous.value,
        "status_to": change and change.current.value,
        "status_reason_code": reason and reason.code,
        "status_reason_message": reason and reason.message,
        "status_reason_remedy": reason and reason.remedy and reason.remedy.value,
        "health_check_id": draft.health_check_id,
        "data": draft.data,
        "address": event.origin.address,
        "request_id": event.origin.request_id,
    }
