"""CheckRecorder: keeps what scheduled checks found, many at a time. Fed by HealthWorker.

What it can't keep because the database is away, it keeps trying to for as long as the leases are good; after that the
connections are checked again by whoever claims them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from domain.entities.due_check import DueCheck, UnchangedCheck
from domain.errors import ServiceUnavailable
from domain.measurements import NO_MEASUREMENTS, Measurements
from domain.ports import UnitsOfWork
from domain.scheduled_checks import Checked, ScheduledChecks
from domain.service_breakers import ServiceBreakers

BATCH: Final = 500
NEWS_AT_ONCE: Final = 4
"""Units of work beside each other. More would take connections to the database from whoever else needs them."""
GATHER_SECONDS: Final = 0.1
"""How long findings may wait for others to be kept with."""
LEASED: Final = "HEALTH_CHECK"
"""What measurements call a check's lease, beside those of tasks."""
AGAIN_SECONDS: Final = 0.5

_log: Final = logging.getLogger(__name__)


class CheckRecorder:
    """One a process."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        checks: ScheduledChecks,
        breakers: ServiceBreakers,
        measurements: Measurements = NO_MEASUREMENTS,
    ) -> None:
        self._units_of_work = units_of_work
        self._checks = checks
        self._breakers = breakers
        self._measurements = measurements
        self._found: list[Checked] = []
        self._waiting: Sequence[Checked] = ()  # for whether it is their service that fails
        self._come = asyncio.Event()
        self._full = asyncio.Event()
        self._ending = False

    def add(self, checked: Checked) -> None:
        """Keep it soon."""
        self._found.append(checked)
        self._tell()

    def _tell(self) -> None:
        self._come.set()
        if len(self._found) >= BATCH:
            self._full.set()

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[None]:
        """Keep what is added for as long as the block lasts, and what is left at its end."""
        self._ending = False
        keeping = asyncio.create_task(self._keep_until_ended(), name="health checks: findings")
        try:
            yield
        finally:
            self._ending = True
            self._come.set()
            self._full.set()
            await asyncio.wait([keeping])

    async def give_back(self, dues: Sequence[DueCheck]) -> None:
        """Let other processes check these at once."""
        if not dues:
            return
        try:
            async with self._units_of_work.writing_everywhere() as unit:
                await unit.due_checks.put_off([(due, due.due_at) for due in dues])
                await unit.commit()
        except ServiceUnavailable:
            _log.warning("%d health check(s) couldn't be given back: they are made when their leases end.", len(dues))

    async def _keep_until_ended(self) -> None:
        while not self._ending or self._found:
            if not self._waiting:
                await self._come.wait()
            if not self._ending:
                await self._gather()
            self._come.clear()
            self._full.clear()
            found, self._found = self._found[:BATCH], self._found[BATCH:]
            if self._found:
                self._tell()
            await self._keep([*self._waiting, *found])
        await self.give_back([checked.due for checked in self._waiting])

    async def _gather(self) -> None:
        try:
            await asyncio.wait_for(self._full.wait(), GATHER_SECONDS)
        except TimeoutError:
            return

    async def _keep(self, found: Sequence[Checked]) -> None:
        await self._until_kept(lambda: self._record(found))

    async def _record(self, found: Sequence[Checked]) -> None:
        found, self._waiting = await self._breakers.sift(found)
        unchanged: list[UnchangedCheck] = []
        news: list[Checked] = []
        for checked in found:
            same = self._checks.unchanged(checked)
            if same is None:
                news.append(checked)
            else:
                unchanged.append(same)
        if unchanged:
            await self._until_kept(lambda: self._note(unchanged))
        room = asyncio.Semaphore(NEWS_AT_ONCE)

        async def take(checked: Checked) -> None:
            async with room:
                await self._until_kept(lambda: self._take(checked))

        await asyncio.gather(*map(take, news))

    async def _note(self, unchanged: Sequence[UnchangedCheck]) -> None:
        for _ in range(len(unchanged) - await self._checks.note_unchanged(unchanged)):
            self._measurements.lease_lost(LEASED)

    async def _take(self, checked: Checked) -> None:
        if not await self._checks.take_news(checked):
            self._measurements.lease_lost(LEASED)

    async def _until_kept(self, keep: Callable[[], Awaitable[None]]) -> None:
        """Try again while the database is away: what services were asked needn't be asked again."""
        away = False
        while True:
            try:
                await keep()
            except ServiceUnavailable:
                if self._ending:
                    _log.warning("Findings of health checks are lost: the database can't be reached.")
                    return
                if not away:
                    _log.warning("Findings of health checks wait for the database.")
                away = True
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception:  # noqa: BLE001 - their leases end, and they are checked again
                _log.exception("Findings of health checks couldn't be kept.")
                return
            else:
                return
