"""ServiceBreakers: tells a service that is down from connections that fail, and finds out when it is back.

Used by HealthWorker and CheckRecorder. When most checks of a service fail in the same way, that is one incident,
shared by all processes: its connections keep their health, nobody calls the service, and one call now and then asks
whether it is back. Then the checks that are overdue are spread out, and go on.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.entities.due_check import DueCheck
from domain.entities.identifiers import new_id
from domain.entities.service_incident import ServiceIncident
from domain.entities.task import Task, TaskKind
from domain.measurements import NO_MEASUREMENTS, Measurements
from domain.ports import UnitOfWork, UnitsOfWork
from domain.scheduled_checks import Checked
from domain.service_board import ServiceBoard
from domain.service_breaker import BreakerWindow
from domain.service_pace import ServicePace
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import FaultKind, ServiceFault

AT_ONCE: Final = 64
PROOF_SECONDS: Final = 2.0
PROOF_LATENCIES: Final = 1.5
"""How long a failure waits for others before it is held against its connection: so long, and so often its latency."""
FIRST_PROBE_AFTER: Final = timedelta(seconds=10)
PROBE_EVERY: Final = timedelta(seconds=15)
PROBE_LEASE: Final = timedelta(seconds=90)
RESUME_OVER: Final = timedelta(minutes=5)
"""How long overdue checks are spread over when a service is back."""
RESUMED_AT_ONCE: Final = 1_000
ANY_TIME: Final = timedelta(days=3650)

_OF_THE_SERVICE: Final = {FaultKind.UNREACHABLE, FaultKind.SERVICE_ERROR}
_log: Final = logging.getLogger(__name__)


class ServiceBreakers:
    """One a process. The incidents are in the database; the latest answers are this process's own."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        board: ServiceBoard,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
        *,
        at_once: int = AT_ONCE,
        proof_seconds: float = PROOF_SECONDS,
        measurements: Measurements = NO_MEASUREMENTS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`at_once`: how many calls of each service there may be, when it answers well."""
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._board = board
        self._clock = clock
        self._chance = chance
        self._monotonic = monotonic
        self._windows: defaultdict[str, BreakerWindow] = defaultdict(BreakerWindow)
        self._paces: defaultdict[str, ServicePace] = defaultdict(lambda: ServicePace(at_once))
        self._proof_seconds = proof_seconds
        self._measurements = measurements
        self._told: dict[str, str] = {}
        self._ended_seconds: dict[str, float] = {}  # when the latest incident of a service was seen to be over
        self._refreshed_at = float("-inf")

    async def look(self) -> None:
        """See to it that the board is a second old at most. Raises ServiceUnavailable."""
        if self._monotonic() - self._refreshed_at >= 1.0:
            await self._refresh()
            self._refreshed_at = self._monotonic()

    def is_down(self, service_id: str) -> bool:
        """Whether only a probe may call it."""
        return self._board.incident(service_id) is not None

    def at_once(self, service_id: str) -> int:
        """How many checks of it there may be at once; none where it is down, or seems to be."""
        if self.is_down(service_id) or self._windows[service_id].failing_as(self._monotonic()) is not None:
            return 0
        return self._paces[service_id].at_once

    def observe(self, checked: Checked) -> None:
        """Take note of an answer as soon as it is there, unless it was asked for before an incident ended."""
        service, failure = checked.due.service, _failure(checked)
        asked_seconds = checked.found_seconds - checked.check.latency_ms / 1000
        if not _was_asked(checked) or asked_seconds < self._ended_seconds.get(service, float("-inf")):
            return
        self._windows[service].add(failure, self._monotonic())
        if failure is None:
            self._paces[service].answered()
        else:
            self._paces[service].failed()

    async def sift(self, found: Sequence[Checked]) -> tuple[Sequence[Checked], Sequence[Checked]]:
        """What is to be recorded of these, and what is to wait until it shows whether it is the service.

        What tells of the service and not of the connections is put off. Raises ServiceUnavailable.
        """
        down = {service for service in {each.due.service for each in found} if await self._is_down_now(service, found)}
        kept: list[Checked] = []
        waiting: list[Checked] = []
        postponed: list[DueCheck] = []
        for each in found:
            if _failure(each) is None:
                kept.append(each)
            elif each.due.service in down:
                postponed.append(each.due)
            else:
                (waiting if self._may_be_the_service(each) else kept).append(each)
        if postponed:
            await self._put_off(postponed)
        return kept, waiting

    def _may_be_the_service(self, checked: Checked) -> bool:
        """Whether to wait for others that fail, for as long as they are to be expected: those take as long as this."""
        now = self._monotonic()
        longest = self._proof_seconds + PROOF_LATENCIES * checked.check.latency_ms / 1000
        return self._windows[checked.due.service].is_open(now) and now - checked.found_seconds < longest

    async def take_probe(self, service_id: str) -> tuple[ServiceIncident, DueCheck] | None:
        """A connection by which this process is to ask whether the service is back, if it is time for that.

        Raises ServiceUnavailable.
        """
        incident, now = self._board.incident(service_id), self._clock()
        latest = now + 2 * PROBE_EVERY  # further ahead it is by the mistake of a clock
        if incident is None or now < incident.next_probe_at <= latest:
            return None
        async with self._units_of_work.writing_everywhere() as unit:
            if not await unit.service_incidents.take_probe(
                incident.id, now, now + PROBE_EVERY * (1 + self._chance()), latest=latest
            ):
                return None
            claimed = await unit.due_checks.claim(service_id, now, now + PROBE_LEASE, 1, due_by=now + ANY_TIME)
            if not claimed and await unit.due_checks.next_due([service_id]) is None:
                await self._end(unit, incident)  # nobody is left to suffer from it
            await unit.commit()
        await self._refresh()
        if not claimed:
            return None
        self._tell(service_id, "HALF_OPEN")
        return incident, claimed[0]

    async def probed(self, incident: ServiceIncident, checked: Checked) -> bool:
        """Take what such a call found; whether the service is back, so that it is to be recorded.

        Raises ServiceUnavailable.
        """
        if not _was_asked(checked) or _failure(checked) is not None:
            await self._put_off([checked.due])
            self._tell(incident.service, "OPEN")
            return False
        while await self._resume(incident.service) == RESUMED_AT_ONCE:
            pass
        async with self._units_of_work.writing_everywhere() as unit:
            await self._end(unit, incident)
            await unit.commit()
        await self._refresh()
        _log.warning("%s answers again: the incident of %s is over.", incident.service, incident.started_at)
        return True

    async def _refresh(self) -> None:
        were_down = {service.id for service in self._catalogue if self.is_down(service.id)}
        await self._board.refresh()
        for service in self._catalogue:
            if not self.is_down(service.id):
                if service.id in were_down:
                    self._windows[service.id].clear()
                    self._ended_seconds[service.id] = self._monotonic()
                self._tell(service.id, "CLOSED")
            elif self._told.get(service.id) != "HALF_OPEN":
                self._tell(service.id, "OPEN")

    def _tell(self, service_id: str, state: str) -> None:
        """Whoever measures hears of changes only."""
        if self._told.get(service_id) != state:
            self._told[service_id] = state
            self._measurements.breaker(service_id, state)

    async def _is_down_now(self, service_id: str, found: Sequence[Checked]) -> bool:
        if self._board.incident(service_id) is not None:
            return True
        code = self._windows[service_id].failing_as(self._monotonic())
        if code is None:
            return False
        faults = (each.diagnosis.fault for each in found if each.due.service == service_id and _failure(each) == code)
        fault = next(faults, None)
        if fault is None:
            return False
        await self._begin(service_id, fault)
        return True

    async def _begin(self, service_id: str, fault: ServiceFault) -> None:
        service, now = self._catalogue.get_connected(service_id), self._clock()
        incident = ServiceIncident(
            id=new_id(),
            service=service.id,
            host=service.host,
            code=fault.code,
            message=fault.message,
            started_at=now,
            next_probe_at=now + FIRST_PROBE_AFTER,
        )
        async with self._units_of_work.writing_everywhere() as unit:
            if await unit.service_incidents.begin(incident):
                await _put_task(unit, TaskKind.TELL_SERVICE_DOWN, incident.id, now)
                await unit.commit()
                _log.error("%s is down (%s): its checks wait until it is back.", service.id, fault.code)
        await self._refresh()

    async def _end(self, unit: UnitOfWork, incident: ServiceIncident) -> None:
        now = self._clock()
        if await unit.service_incidents.end(incident.id, now):
            await _put_task(unit, TaskKind.TELL_SERVICE_BACK, incident.id, now)

    async def _put_off(self, dues: Sequence[DueCheck]) -> None:
        now = self._clock()
        async with self._units_of_work.writing_everywhere() as unit:
            await unit.due_checks.put_off([(due, now + RESUME_OVER * self._chance()) for due in dues])
            await unit.commit()

    async def _resume(self, service_id: str) -> int:
        now = self._clock()
        async with self._units_of_work.writing_everywhere() as unit:
            resumed = await unit.due_checks.spread(
                service_id, now, at=lambda: now + RESUME_OVER * self._chance(), limit=RESUMED_AT_ONCE
            )
            await unit.commit()
        return resumed


def _failure(checked: Checked) -> str | None:
    """The code of a failure that may be the service's own; None for an answer, whatever it says."""
    fault = checked.diagnosis.fault
    return fault.code if fault is not None and fault.kind in _OF_THE_SERVICE else None


def _was_asked(checked: Checked) -> bool:
    """Whether the service was called at all: not by a credential that doesn't open, nor while it takes no calls."""
    fault = checked.diagnosis.fault
    return checked.check.identity is not None if fault is None else fault.latency_ms is not None


async def _put_task(unit: UnitOfWork, kind: TaskKind, incident_id: UUID, now: datetime) -> None:
    await unit.tasks.put(Task(new_id(), kind, incident_id, None, now))
