"""HealthHistory: has finished days counted, and forgets checks and days that are old enough. Run by the runner.

Both walk over all connections in the order of their keys, and see at each what is left to do: one that was killed
begins anew and passes by what is done. Nothing is read twice once its day is counted.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from domain.entities.health_day import DAY, HealthDay
from domain.entities.task import Task
from domain.health_days import CheckFound, DayCounter, day_of
from domain.ports import UnitOfWork, UnitsOfWork
from domain.task_outcome import TaskOutcome
from domain.work_ports import ConnectionKey, KeptHistory

LATE_CHECKS: Final = timedelta(minutes=30)
"""So long after midnight a day is counted: a check is stored when it ends, and whoever stores it may have to wait."""

DAYS_KEPT: Final = timedelta(days=400)
REFERRED_TO: Final = timedelta(hours=2)
"""A check that found the same as one before shares its probes: those of an earlier one are kept so much longer."""

WALKED_AT_ONCE: Final = 500
COUNTED_AT_ONCE: Final = 20
DAYS_AT_ONCE: Final = 7 * DAY
CHECKS_AT_ONCE: Final = 1_000


class HealthHistory:
    """Each batch is a unit of work of its own, so that nobody waits long for it."""

    def __init__(self, units_of_work: UnitsOfWork, clock: Callable[[], datetime], checks_kept: timedelta) -> None:
        self._units_of_work = units_of_work
        self._clock = clock
        self._checks_kept = checks_kept

    async def compact(self, task: Task) -> TaskOutcome:
        """Count every day that has ended. A check that is stored later than LATE_CHECKS is none of its day's."""
        until = day_of(self._clock() - LATE_CHECKS)
        async for walked in self._walk():
            behind = [kept for kept in walked if kept.uncounted_from is not None and kept.uncounted_from < until]
            while behind:
                behind = behind[COUNTED_AT_ONCE:] + await self._count(behind[:COUNTED_AT_ONCE], until)
        return None

    async def forget(self, task: Task) -> TaskOutcome:
        """Checks of counted days after their time, and days after theirs."""
        today = day_of(self._clock())
        async for walked in self._walk():
            for kept in walked:
                await self._forget(kept, today)
        return None

    async def _walk(self) -> AsyncIterator[Sequence[KeptHistory]]:
        walked: Sequence[KeptHistory] = ()
        while not walked or len(walked) == WALKED_AT_ONCE:
            async with self._units_of_work.reading_everywhere() as unit:
                walked = await unit.health_history.kept(walked[-1].key if walked else None, WALKED_AT_ONCE)
            if not walked:
                return
            yield walked

    async def _count(self, behind: Sequence[KeptHistory], until: datetime) -> list[KeptHistory]:
        """Count the next days of some connections; those that aren't done with that, as they then are.

        A connection's days are stored in one go with those before them: there are no gaps, whenever this ends.
        """
        counted: list[tuple[ConnectionKey, Sequence[HealthDay]]] = []
        left: list[KeptHistory] = []
        async with self._units_of_work.reading_everywhere() as unit:
            for kept in behind:
                end = min(until, day_of(kept.uncounted_from or until) + DAYS_AT_ONCE)
                days = [day async for day in _days(unit, kept, end)]
                # The newest of them also where it is too old to be kept: it says up to where days are counted.
                counted.append((kept.key, [day for day in days[:-1] if day.ended_at > until - DAYS_KEPT] + days[-1:]))
                if days:
                    kept = replace(kept, counted_until=days[-1].ended_at, ended_as=days[-1].ended_as)
                if end < until:
                    left.append(replace(kept, uncounted_from=end))
        async with self._units_of_work.writing_everywhere() as unit:
            for key, kept_days in counted:
                await unit.health_history.add_days(key, kept_days)
            await unit.commit()
        return left

    async def _forget(self, kept: KeptHistory, today: datetime) -> None:
        """The newest day stays: it says up to where days are counted, and what was found last."""
        if kept.counted_until is None or kept.oldest_day_ended_at is None:
            return
        checks_before = min(today - self._checks_kept, kept.counted_until)
        days_before = min(today - DAYS_KEPT, kept.counted_until)
        has_old_days = kept.oldest_day_ended_at < days_before
        has_old_checks = kept.oldest_check_at is not None and kept.oldest_check_at < checks_before - REFERRED_TO
        while has_old_days or has_old_checks:
            async with self._units_of_work.writing_everywhere() as unit:
                forgotten = await unit.health_history.forget_checks(
                    kept.key, checks_before, CHECKS_AT_ONCE, diagnoses_before=checks_before - REFERRED_TO
                )
                await unit.health_history.forget_days(kept.key, days_before)
                await unit.commit()
            has_old_days, has_old_checks = False, forgotten == CHECKS_AT_ONCE


async def _days(unit: UnitOfWork, kept: KeptHistory, end: datetime) -> AsyncIterator[HealthDay]:
    """The connection's uncounted days, up to the last one with a check. Of those after it the next check will tell."""
    if kept.uncounted_from is None:
        return
    since = kept.counted_until or day_of(kept.uncounted_from)
    counter = DayCounter(since, kept.ended_as)
    checks: Sequence[CheckFound] = ()
    last: CheckFound | None = None
    while last is None or len(checks) == CHECKS_AT_ONCE:
        checks = await unit.health_history.checks(kept.key, last, since=since, until=end, limit=CHECKS_AT_ONCE)
        if not checks:
            break
        for last in checks:
            for day in counter.add(last):
                yield day
    if last is not None:
        for day in counter.finish(day_of(last.started_at) + DAY):
            yield day
