"""ScheduleRepair: lets nobody wait for a moment that a clock has made up which was ahead and is set back. Run by
HealthWorker, in each turn.

A clock that goes ahead needs no repair: what is due at once is checked as fast as a worker may, and by then in turn.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from domain.ports import UnitsOfWork
from domain.schedule import FURTHEST_AHEAD

CLOCK_SET_BACK: Final = timedelta(seconds=30)
"""By how much the clock has to have been set back for the schedule to be looked through."""
BROUGHT_FORWARD_OVER: Final = timedelta(minutes=5)
BROUGHT_FORWARD_AT_ONCE: Final = 1_000


class ScheduleRepair:
    """One a process."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
        lease: timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lease`: for how long checks are leased."""
        self._units_of_work = units_of_work
        self._clock = clock
        self._chance = chance
        self._lease = lease
        self._monotonic = monotonic
        self._ahead_seconds: float | None = None  # of `monotonic`; None: nothing was looked through yet
        self._again_at_seconds: float | None = None

    async def look(self) -> None:
        """See whether the clock has been set back, and bring forward what waits for it. Raises ServiceUnavailable.

        When it happens, all that is due late is brought forward, rightly late or not: most of that can't be told from
        one another, and a check too many does less harm than none. Later, and after a start, only what can't be right.
        """
        ahead, known = self._clock().timestamp() - self._monotonic(), self._ahead_seconds
        if known is not None and known - ahead > CLOCK_SET_BACK.total_seconds():
            await self._bring_all_forward(BROUGHT_FORWARD_OVER)
            # What was found by the wrong time may be kept only now.
            self._again_at_seconds = self._monotonic() + self._lease.total_seconds()
        elif known is None or self._is_time_again():
            await self._bring_all_forward(FURTHEST_AHEAD)
            self._again_at_seconds = None
        self._ahead_seconds = ahead

    def _is_time_again(self) -> bool:
        return self._again_at_seconds is not None and self._again_at_seconds <= self._monotonic()

    async def _bring_all_forward(self, due_after: timedelta) -> None:
        while await self._bring_forward(due_after) == BROUGHT_FORWARD_AT_ONCE:
            pass

    async def _bring_forward(self, due_after: timedelta) -> int:
        now = self._clock()
        async with self._units_of_work.writing_everywhere() as unit:
            brought = await unit.due_checks.bring_forward(
                now,
                checked_after=now + CLOCK_SET_BACK,
                due_after=now + due_after,
                at=lambda: now + BROUGHT_FORWARD_OVER * self._chance(),
                limit=BROUGHT_FORWARD_AT_ONCE,
            )
            if brought:
                await unit.call_budgets.fill(now)
            await unit.commit()
        return brought
