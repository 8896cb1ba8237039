"""CheckIntervals: has an organization's connections checked as often as it now wants, at once. Run by the runner.

A check schedules the next one, so that a shorter interval would come true only when the last long one is over.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from domain.entities.organization import Organization
from domain.entities.task import Task
from domain.ports import UnitsOfWork
from domain.retention import in_batches
from domain.schedule import JITTER
from domain.task_outcome import Again, Ended, TaskOutcome

BATCH: Final = 1_000
SETTLED_AFTER: Final = timedelta(minutes=2)
"""Longer than a check is leased: one that began before the change may schedule the next by the old interval."""


class CheckIntervals:
    """Each batch is a unit of work of its own: one that was cut off goes on where it was."""

    def __init__(self, units_of_work: UnitsOfWork, clock: Callable[[], datetime], chance: Callable[[], float]) -> None:
        self._units_of_work = units_of_work
        self._clock = clock
        self._chance = chance

    async def bring_forward(self, task: Task) -> TaskOutcome:
        """For tasks of the kind BRING_CHECKS_FORWARD."""
        async with self._units_of_work.reading(task.subject_id) as unit:
            organization = await unit.organizations.get(task.subject_id)
        now = self._clock()
        await in_batches(lambda limit: self._bring_forward(organization, now, limit), BATCH)
        settled_at = organization.updated_at + SETTLED_AFTER
        return Again(settled_at) if now < settled_at else Ended()

    async def _bring_forward(self, organization: Organization, now: datetime, limit: int) -> int:
        interval = organization.check_interval
        async with self._units_of_work.writing(organization.id) as unit:
            brought = await unit.due_checks.bring_within(
                organization.id,
                now,
                now + interval * (1 + JITTER),
                at=lambda: now + interval * self._chance(),
                limit=limit,
            )
            await unit.commit()
        return brought
