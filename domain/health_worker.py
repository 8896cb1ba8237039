"""HealthWorker: checks connections when they are due, as many at once as it may. Run by `tether serve` and `worker`.

It claims what is due in batches, each service apart so that a slow one leaves the others their places, asks the
services with no transaction open, and hands what was found to CheckRecorder. Any number of processes may do so: what a
killed one had claimed is anybody's again when its leases are over.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.check_recorder import CheckRecorder
from domain.entities.due_check import DueCheck
from domain.entities.service_incident import ServiceIncident
from domain.errors import ServiceUnavailable
from domain.measurements import NO_MEASUREMENTS, Measurements
from domain.ports import UnitsOfWork
from domain.schedule_repair import ScheduleRepair
from domain.scheduled_checks import ScheduledChecks
from domain.service_breakers import ServiceBreakers
from domain.services.catalogue import ServiceCatalogue

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How much a process does at once. `lease` is more than twice what a check may take with a refresh in it.

    What is due is claimed every `gather_seconds` while there is something, else looked for every `poll_seconds`.
    """

    at_once: int = 100
    lease: timedelta = timedelta(seconds=90)
    poll_seconds: float = 0.5
    gather_seconds: float = 0.1
    drain_seconds: float = 2.5


class HealthWorker:
    """One a process."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        checks: ScheduledChecks,
        recorder: CheckRecorder,
        breakers: ServiceBreakers,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
        *,
        limits: WorkerLimits = WorkerLimits(),
        measurements: Measurements = NO_MEASUREMENTS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._units_of_work = units_of_work
        self._services = [service.id for service in catalogue]
        self._checks = checks
        self._recorder = recorder
        self._breakers = breakers
        self._clock = clock
        self._limits = limits
        self._measurements = measurements
        self._repair = ScheduleRepair(units_of_work, clock, chance, limits.lease, monotonic)
        self._running: dict[asyncio.Task[None], DueCheck] = {}
        self._woken = asyncio.Event()
        self._busy = Counter[str]()
        self._backlog = set[str]()  # the services of which more was due than there was room for
        self._stopping = False

    def hint(self) -> None:
        """Something may be due: look at once, instead of within `poll_seconds`."""
        self._woken.set()

    def stop(self) -> None:
        """Claim nothing more; what runs goes on to the end of `working`."""
        self._stopping = True
        self.hint()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Check what is due for as long as the block lasts.

        After it nothing more is claimed; what runs has `drain_seconds` to end, and is given back where it doesn't.
        """
        self._stopping = False
        async with self._recorder.recording():
            claiming = asyncio.create_task(self._claim_until_stopped(), name="health checks: claims")
            try:
                yield
            finally:
                self._stopping = True
                self.hint()
                await asyncio.wait([claiming])
                await self._drain()

    async def _claim_until_stopped(self) -> None:
        away, idle = False, True
        while not self._stopping:
            self._woken.clear()
            try:
                await self._repair.look()
                await self._breakers.look()
                await self._probe()
                idle = not await self._claim(look_first=idle)
                away = False
            except ServiceUnavailable:
                if not away:  # an outage is told once, not each second
                    _log.warning("The database can't be reached; health checks wait for it.")
                away = idle = True
            except Exception:  # noqa: BLE001 - whatever it is, checking mustn't end by it
                _log.exception("Due health checks couldn't be claimed.")
                idle = True
            if (idle or not self._has_room()) and not self._stopping:
                await self._wait(self._limits.poll_seconds if idle else self._limits.gather_seconds)

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return

    async def _claim(self, *, look_first: bool) -> int:
        """Claim as much as there is room for, and begin with it; how many it were.

        `look_first`: nothing was due a moment ago, so that a look may spare a transaction that writes.
        """
        now = self._clock()
        if look_first and not await self._is_due(now):
            return 0
        claimed: list[DueCheck] = []
        async with self._units_of_work.writing_everywhere() as unit:
            left = self._limits.at_once - len(self._running)
            for service, free in self._room().items():
                limit = min(free, left - len(claimed))
                if limit == 0:
                    break
                of_service = await unit.due_checks.claim(service, now, now + self._limits.lease, limit)
                (self._backlog.add if len(of_service) == limit else self._backlog.discard)(service)
                self._measurements.checks_claimed(service, len(of_service))
                claimed += of_service
            await unit.commit()
        for due in await self._checks.affordable(claimed):
            self._measurements.check_lag(max(0.0, (self._clock() - due.due_at).total_seconds()))
            self._begin(due)
        return len(claimed)

    async def _is_due(self, now: datetime) -> bool:
        async with self._units_of_work.reading_everywhere() as unit:
            next_due = await unit.due_checks.next_due(list(self._room()))
        return next_due is not None and next_due <= now

    def _room(self) -> dict[str, int]:
        """How many more checks of each service there may be at once, were there none of the others; fewest busy first.

        What one doesn't use is another's: who has nothing due keeps nobody out.
        """
        left = self._limits.at_once - len(self._running)
        free = {each: min(left, self._breakers.at_once(each) - self._busy[each]) for each in self._services}
        return {each: free[each] for each in sorted(free, key=lambda each: self._busy[each]) if free[each] > 0}

    def _has_room(self) -> bool:
        """Whether a service with a backlog has room for a quarter of what it may have: else each check that ends would
        be followed by a transaction for the next one."""
        most, room = self._limits.at_once, self._room() if self._backlog else {}
        return any(each in room and room[each] * 4 >= min(most, self._breakers.at_once(each)) for each in self._backlog)

    async def _probe(self) -> None:
        """Where a service is down, have one connection of it ask now and then whether it is back."""
        for service in filter(self._breakers.is_down, self._services):
            taken = await self._breakers.take_probe(service)
            if taken is not None:
                incident, due = taken
                self._begin(due, incident)

    def _begin(self, due: DueCheck, incident: ServiceIncident | None = None) -> None:
        running = asyncio.create_task(self._check(due, incident), name=f"health check of {due.connection_id}")
        self._running[running] = due
        self._busy[due.service] += 1
        running.add_done_callback(self._ended)

    def _ended(self, running: asyncio.Task[None]) -> None:
        self._busy[self._running.pop(running).service] -= 1
        if self._has_room():
            self.hint()

    async def _check(self, due: DueCheck, incident: ServiceIncident | None) -> None:
        try:
            checked = await self._checks.check(due)
            self._breakers.observe(checked)
            if incident is not None and not await self._breakers.probed(incident, checked):
                return
        except ServiceUnavailable:
            _log.warning("The health check of %s waits for the database.", due.connection_id)
        except Exception:  # noqa: BLE001 - its lease ends, and it is checked again
            _log.exception("The health check of %s failed.", due.connection_id)
        else:
            self._recorder.add(checked)

    async def _drain(self) -> None:
        if not self._running:
            return
        await asyncio.wait(self._running, timeout=self._limits.drain_seconds)
        cut_off = dict(self._running)
        for running in cut_off:
            running.cancel()
        if cut_off:
            await asyncio.wait(cut_off)
            await self._recorder.give_back(list(cut_off.values()))
