"""EventRetention: forgets the old end of each organization's feed, a batch at a time. Run by the runner.

A subscription whose cursor lies there is told CURSOR_EXPIRED.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.entities.task import Task
from domain.ports import UnitsOfWork
from domain.retention import BATCH
from domain.task_outcome import TaskOutcome
from domain.work_ports import OldestEvent

ORGANIZATIONS_AT_ONCE: Final = 500


class EventRetention:
    """Each batch is a unit of work of its own, and holds the counter of one feed for as short as that."""

    def __init__(self, units_of_work: UnitsOfWork, clock: Callable[[], datetime], events_kept: timedelta) -> None:
        self._units_of_work = units_of_work
        self._clock = clock
        self._events_kept = events_kept

    async def forget(self, task: Task) -> TaskOutcome:
        """Events older than they are kept, the oldest first."""
        before = self._clock() - self._events_kept
        async for organization_id in self._organizations(before):
            while await self._prune(organization_id, before) == BATCH:
                pass
        return None

    async def _organizations(self, before: datetime) -> AsyncIterator[UUID]:
        """Those whose oldest event is as old as that."""
        walked: Sequence[OldestEvent] = ()
        while not walked or len(walked) == ORGANIZATIONS_AT_ONCE:
            after = walked[-1].organization_id if walked else None
            async with self._units_of_work.reading_everywhere() as unit:
                walked = await unit.event_retention.oldest(after, ORGANIZATIONS_AT_ONCE)
            if not walked:
                return
            for oldest in walked:
                if oldest.occurred_at is not None and oldest.occurred_at < before:
                    yield oldest.organization_id

    async def _prune(self, organization_id: UUID, before: datetime) -> int:
        async with self._units_of_work.writing_everywhere() as unit:
            pruned = await unit.event_retention.prune(organization_id, before, BATCH)
            await unit.commit()
        return pruned
