"""Runner: does the tasks that are due, each by one process at a time. Run by `tether serve`, in every process of it.

A task is claimed for the time of a lease, done with no transaction open, and finished or put off by whoever still has
the lease. What a killed process had claimed is anybody's again once that time is over.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.entities.identifiers import new_id
from domain.entities.task import WHOLE_SERVER, Task, TaskKind
from domain.errors import NotFound, ServiceUnavailable
from domain.log_context import log_context
from domain.observation import UNOBSERVED, Observation
from domain.ports import UnitsOfWork
from domain.task_outcome import Again, Ended, Failed, Settled, TaskOutcome, Work

POLL_SECONDS: Final = 1.0
DRAIN_SECONDS: Final = 2.5
"""From the end of the block. Whoever calls `stop` before that has given the work more time."""
FIRST_BACK_OFF: Final = timedelta(seconds=5)
LONGEST_BACK_OFF: Final = timedelta(hours=1)
SHORTEST_BACK_OFF: Final = timedelta(seconds=1)
JITTER: Final = 0.1

_DOUBLINGS: Final = 16  # far past the longest back-off, and no overflow
_WORDS: Final = {type(None): "DONE", Again: "AGAIN", Ended: "ENDED", Failed: "FAILED", Settled: "SETTLED"}
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """How one kind of task is done. `lease` is extended for as long as the work takes.

    `at_once`: in this process. `every`: when a task that is done has its next turn; None where it ends with that.
    `whole_server`: there is one such task, put by the runner itself.
    """

    work: Work
    lease: timedelta
    at_once: int
    every: timedelta | None = None
    whole_server: bool = False

    def furthest(self, now: datetime) -> datetime | None:
        """No next turn is later than that; None where it may be any."""
        return now + 2 * max(self.every, LONGEST_BACK_OFF) if self.whole_server and self.every else None


class Runner:
    """One a process. Kinds that aren't in `plan` are left to other processes."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        plan: Mapping[TaskKind, PlannedWork],
        clock: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
        *,
        poll_seconds: float = POLL_SECONDS,
        drain_seconds: float = DRAIN_SECONDS,
        observation: Observation = UNOBSERVED,
    ) -> None:
        self._units_of_work = units_of_work
        self._plan = plan
        self._clock = clock
        self._chance = chance
        self._poll_seconds = poll_seconds
        self._drain_seconds = drain_seconds
        self._measurements, self._tracing = observation.measurements, observation.tracing
        self._running: dict[asyncio.Task[None], Task] = {}
        self._leased_until: dict[asyncio.Task[None], datetime] = {}
        self._backlog: set[TaskKind] = set()
        self._woken = asyncio.Event()
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
        """Do what is due for as long as the block lasts.

        After it nothing more is claimed; what runs has `drain_seconds` to end, and is given back where it doesn't.
        """
        self._stopping = False
        claiming = asyncio.create_task(self._claim_until_stopped(), name="runner: claims")
        extending = asyncio.create_task(self._extend_leases(), name="runner: leases")
        try:
            yield
        finally:
            self.stop()
            await asyncio.wait([claiming])
            await self._drain()
            extending.cancel()
            await asyncio.wait([extending])

    async def _claim_until_stopped(self) -> None:
        started = away = False
        while not self._stopping:
            self._woken.clear()
            claimed = 0
            try:
                if not started:
                    await self._put_tasks_of_the_server()
                    started = True
                claimed = await self._claim()
                away = False
            except ServiceUnavailable:
                if not away:  # an outage is told once, not each second
                    _log.warning("The database can't be reached; background work waits for it.")
                away = True
            except Exception:  # noqa: BLE001 - whatever it is, work mustn't end by it
                _log.exception("Due tasks couldn't be claimed.")
            if claimed == 0 and not self._stopping:
                await self._wait()

    async def _put_tasks_of_the_server(self) -> None:
        now = self._clock()
        async with self._units_of_work.writing_everywhere() as unit:
            for kind, planned in self._plan.items():
                if planned.whole_server:
                    spread = (planned.every or timedelta()) * self._chance()
                    await unit.tasks.put(Task(new_id(), kind, WHOLE_SERVER, None, now + spread))
            await unit.commit()

    async def _claim(self) -> int:
        """Claim as much as there is room for, and begin with it; how many it were."""
        room = self._room()
        if not room:
            return 0
        now = self._clock()
        claimed: list[Task] = []
        async with self._units_of_work.writing_everywhere() as unit:
            for kind, limit in room.items():
                planned = self._plan[kind]
                until, furthest = now + planned.lease, planned.furthest(now)
                of_kind = await unit.tasks.claim(now, until, limit, [kind], furthest=furthest)
                claimed.extend(of_kind)
                (self._backlog.add if len(of_kind) == limit else self._backlog.discard)(kind)
            await unit.commit()
        for task in claimed:
            self._begin(task, now + self._plan[task.kind].lease)
        return len(claimed)

    def _room(self) -> dict[TaskKind, int]:
        busy = Counter(task.kind for task in self._running.values())
        room = {kind: planned.at_once - busy[kind] for kind, planned in self._plan.items()}
        return {kind: free for kind, free in room.items() if free > 0}

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), self._poll_seconds)
        except TimeoutError:
            return

    def _begin(self, task: Task, leased_until: datetime) -> None:
        running = asyncio.create_task(self._watched(task), name=f"{task.kind} {task.subject_id}")
        self._running[running] = task
        self._leased_until[running] = leased_until
        running.add_done_callback(self._ended)

    def _ended(self, running: asyncio.Task[None]) -> None:
        kind = self._running.pop(running).kind
        del self._leased_until[running]
        # Where more of them wait, some room is awaited first: a claim for each single one would be a transaction each.
        if kind in self._backlog and self._room().get(kind, 0) * 4 >= self._plan[kind].at_once:
            self.hint()

    async def _watched(self, task: Task) -> None:
        with (
            log_context(task_kind=task.kind, task_id=str(task.id)),
            self._tracing.span("task", {"tether.task.kind": task.kind.value}) as span,
        ):
            started = time.perf_counter()
            outcome = await self._do(task)
            self._measurements.task_done(task.kind, _WORDS[type(outcome)], time.perf_counter() - started)
            span.set("tether.task.outcome", _WORDS[type(outcome)])

    async def _do(self, task: Task) -> TaskOutcome:
        outcome = await self._outcome(task)
        try:
            kept = await self._write(task, outcome)
        except ServiceUnavailable:
            _log.warning("What came of %s of %s couldn't be noted: it is done again.", task.kind, task.subject_id)
        except Exception:  # noqa: BLE001 - its lease ends, and it is done again
            _log.exception("What came of %s of %s couldn't be noted.", task.kind, task.subject_id)
        else:
            if not kept:
                self._measurements.lease_lost(task.kind)
                _log.warning("%s of %s was taken over: its lease had ended.", task.kind, task.subject_id)
        return outcome

    async def _outcome(self, task: Task) -> TaskOutcome:
        try:
            return await self._plan[task.kind].work(task)
        except NotFound:
            return Ended()
        except ServiceUnavailable:
            _log.warning("%s of %s waits for the database.", task.kind, task.subject_id)
        except Exception:  # noqa: BLE001 - it is tried again, and whoever operates this server hears of it
            _log.exception(
                "%s of %s failed, for the %d. time (task %s, organization %s).",
                task.kind,
                task.subject_id,
                task.attempts,
                task.id,
                task.organization_id,
            )
        return Failed()

    async def _write(self, task: Task, outcome: TaskOutcome) -> bool:
        """Have the task finished or put off; False if its lease is no longer ours."""
        if isinstance(outcome, Settled):
            return True
        at, attempts = self._next_turn(task, outcome), task.attempts if isinstance(outcome, Failed) else 0
        async with self._units_of_work.writing_everywhere() as unit:
            tasks = unit.tasks
            kept = await (tasks.finish(task) if at is None else tasks.repeat(task, at, attempts=attempts))
            await unit.commit()
        return kept

    def _next_turn(self, task: Task, outcome: Again | Ended | Failed | None) -> datetime | None:
        every, now = self._plan[task.kind].every, self._clock()
        match outcome:
            case Again():
                return outcome.at
            case Ended():
                return None
            case Failed():
                at = now + back_off(task.attempts, self._chance)
                return at if outcome.not_before is None else max(at, outcome.not_before)
            case None:
                return None if every is None else now + every * (1 - JITTER + 2 * JITTER * self._chance())

    async def _extend_leases(self) -> None:
        """Keep what takes long. Each lease is extended when half of it is over."""
        shortest = min(planned.lease for planned in self._plan.values())
        while True:
            await asyncio.sleep(shortest.total_seconds() / 4)
            try:
                await self._extend()
            except ServiceUnavailable:
                _log.warning("Leases of background work couldn't be extended: the database can't be reached.")
            except Exception:  # noqa: BLE001 - the next turn may do better
                _log.exception("Leases of background work couldn't be extended.")

    async def _extend(self) -> None:
        now = self._clock()
        half_over = [
            (running, task, self._plan[task.kind].lease)
            for running, task in self._running.items()
            if self._leased_until[running] - now < self._plan[task.kind].lease / 2
        ]
        if not half_over:
            return
        for running, task, lease in half_over:  # a unit each: whoever locks several could wait for us, and we for them
            async with self._units_of_work.writing_everywhere() as unit:
                extended = await unit.tasks.extend(task, now + lease)
                await unit.commit()
            if extended and running in self._running:
                self._leased_until[running] = now + lease

    async def _drain(self) -> None:
        if not self._running:
            return
        await asyncio.wait(self._running, timeout=self._drain_seconds)
        cut_off = dict(self._running)
        for running in cut_off:
            running.cancel()
        if cut_off:
            await asyncio.wait(cut_off)
            await self._give_back(list(cut_off.values()))

    async def _give_back(self, tasks: Sequence[Task]) -> None:
        """Let other processes have them at once. One that has been finished meanwhile is none of this lease's."""
        try:
            async with self._units_of_work.writing_everywhere() as unit:
                for task in tasks:
                    await unit.tasks.repeat(task, self._clock(), attempts=task.attempts - 1)
                await unit.commit()
        except ServiceUnavailable:
            _log.warning("%d task(s) couldn't be given back: they are done when their leases end.", len(tasks))


def back_off(attempts: int, chance: Callable[[], float]) -> timedelta:
    """How long to wait after that many failed tries: up to twice as long each time, anywhere in that range."""
    ceiling = min(LONGEST_BACK_OFF, FIRST_BACK_OFF * (1 << min(attempts, _DOUBLINGS)))
    return max(SHORTEST_BACK_OFF, ceiling * chance())
