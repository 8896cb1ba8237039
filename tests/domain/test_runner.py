"""The runner: each due task is done, by one process at a time, whatever becomes of that process."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.identifiers import new_id
from domain.entities.task import WHOLE_SERVER, Task, TaskKind
from domain.errors import NotFound, ServiceUnavailable
from domain.measurements import NoMeasurements
from domain.observation import UNOBSERVED, Observation
from domain.ports import UnitOfWork
from domain.runner import FIRST_BACK_OFF, LONGEST_BACK_OFF, SHORTEST_BACK_OFF, PlannedWork, Runner, back_off
from domain.task_outcome import Again, Ended, Failed, TaskOutcome
from persistence.database import Database
from persistence.row_security import Reach
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.world import Clock
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio

KIND = TaskKind.PROCESS_WEBHOOK
LEASE = timedelta(seconds=30)


class Job:
    """Work that notes what it does, and ends as a test says."""

    def __init__(self) -> None:
        self.done: Counter[UUID] = Counter()
        self.running = 0
        self.most_at_once = 0
        self.outcomes: list[TaskOutcome | Exception] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, task: Task) -> TaskOutcome:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            await self.go_on.wait()
        finally:
            self.running -= 1
        self.done[task.subject_id] += 1
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Office:
    """Tasks in a database, and runners on it."""

    def __init__(self, units: SqlUnitsOfWork) -> None:
        self.units = units
        self.clock = Clock()
        self.job = Job()

    def runner(
        self,
        *,
        lease: timedelta = LEASE,
        at_once: int = 4,
        every: timedelta | None = None,
        whole_server: bool = False,
        drain_seconds: float = 5.0,
        observation: Observation = UNOBSERVED,
    ) -> Runner:
        plan = {KIND: PlannedWork(self.job, lease, at_once, every, whole_server)}
        return Runner(
            self.units,
            plan,
            self.clock,
            lambda: 0.5,
            poll_seconds=0.02,
            drain_seconds=drain_seconds,
            observation=observation,
        )

    async def put(self, count: int = 1, *, due_in: timedelta = timedelta(), **payload: str) -> list[UUID]:
        subjects = [new_id() for _ in range(count)]
        async with self.units.writing_everywhere() as unit:
            for subject in subjects:
                due_at = self.clock() + due_in
                await unit.tasks.put(Task(new_id(), KIND, subject, None, due_at, payload={**payload}))
            await unit.commit()
        return subjects

    async def find(self, subject: UUID) -> Task | None:
        async with self.units.reading_everywhere() as unit:
            return await unit.tasks.find(KIND, subject)

    async def gone(self, subjects: list[UUID]) -> bool:
        return all([await self.find(subject) is None for subject in subjects])

    async def put_off(self, subject: UUID) -> Task | None:
        """The task, once it has been done and has another turn."""
        if not self.job.done[subject]:
            return None  # looked at first: the row may still be the unclaimed one
        task = await self.find(subject)
        return task if task is not None and task.lease is None else None


class Told(NoMeasurements):
    """What a runner tells of its tasks."""

    def __init__(self) -> None:
        self.turns: list[tuple[str, str]] = []
        self.lost: list[str] = []

    def task_done(self, kind: str, outcome: str, seconds: float) -> None:
        self.turns.append((kind, outcome))

    def lease_lost(self, kind: str) -> None:
        self.lost.append(kind)


class Away(SqlUnitsOfWork):
    """Units of work on a database that can't be reached until it is back."""

    def __init__(self, real: SqlUnitsOfWork) -> None:
        super().__init__(real.database, lambda organization_id: None)
        self.away = True
        self.refused = 0

    def begin(
        self, reach: Reach, organization_id: UUID | None, *, writes: bool
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        if self.away and writes:
            self.refused += 1
            raise ServiceUnavailable
        return super().begin(reach, organization_id, writes=writes)


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    async with Database(database_url) as database:
        yield Office(SqlUnitsOfWork(database, lambda organization_id: None))


async def test_every_due_task_is_done_once_however_many_processes_there_are(office: Office) -> None:
    subjects = await office.put(60)
    async with office.runner().working(), office.runner().working(), office.runner().working():
        await eventually(lambda: office.gone(subjects))
    assert office.job.done == Counter(subjects)


async def test_turns_are_told_with_their_outcome_and_so_is_a_lost_lease(office: Office) -> None:
    told = Told()
    office.job.go_on.clear()
    [subject] = await office.put()
    async with office.runner(observation=Observation(told)).working():
        await eventually(lambda: _is(office.job.running == 1))
        async with office.units.writing_everywhere() as unit:  # as another process does, once the lease has ended
            [taken] = await unit.tasks.claim(office.clock() + 2 * LEASE, office.clock() + 4 * LEASE, 1, [KIND])
            await unit.commit()
        office.job.go_on.set()
        await eventually(lambda: _is(told.turns != []))
    assert (told.turns, told.lost) == ([(KIND, "DONE")], [KIND])
    assert (await office.find(subject)) == taken


async def test_no_more_run_at_once_than_the_table_says(office: Office) -> None:
    office.job.go_on.clear()
    subjects = await office.put(20)
    async with office.runner(at_once=3).working():
        await eventually(lambda: _is(office.job.running == 3))
        office.job.go_on.set()
        await eventually(lambda: office.gone(subjects))
    assert office.job.most_at_once == 3


async def test_a_task_waits_for_its_moment(office: Office) -> None:
    [later] = await office.put(due_in=timedelta(minutes=1))
    async with office.runner().working():
        [now] = await office.put()
        await eventually(lambda: office.gone([now]))
        assert office.job.done[later] == 0
        office.clock.advance(minutes=1)
        await eventually(lambda: office.gone([later]))
    assert office.job.done[later] == 1


async def test_a_hint_has_it_look_at_once(office: Office) -> None:
    plan = {KIND: PlannedWork(office.job, LEASE, 4)}
    runner = Runner(office.units, plan, office.clock, lambda: 0.5, poll_seconds=3600)
    async with runner.working():
        [first] = await office.put()
        runner.hint()
        await eventually(lambda: office.gone([first]))


async def test_work_that_fails_is_logged_without_its_payload_and_tried_again_later(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    office.job.outcomes = [ZeroDivisionError("broken")]
    [subject] = await office.put(sealed="canary-of-a-payload")
    with caplog.at_level(logging.INFO):
        async with office.runner().working():
            task = await eventually(lambda: office.put_off(subject))
    assert task.attempts == 1
    assert timedelta() < task.due_at - office.clock() <= FIRST_BACK_OFF * 2
    assert task.payload == {"sealed": "canary-of-a-payload"}
    assert KIND in caplog.text
    assert str(subject) in caplog.text
    assert "broken" in caplog.text
    assert "canary" not in caplog.text


async def test_failures_in_a_row_are_tried_ever_more_seldom(office: Office) -> None:
    office.job.outcomes = [Failed(), Failed(), Failed()]
    [subject] = await office.put()
    waits = []
    for attempt in (1, 2, 3):
        async with office.runner().working():
            await eventually(lambda attempt=attempt: _is(office.job.done[subject] == attempt))  # type: ignore[misc]
            task = await eventually(lambda: office.put_off(subject))
        assert task.attempts == attempt
        waits.append(task.due_at - office.clock())
        office.clock.advance(hours=1)
    assert waits == sorted(waits)


async def test_a_failure_is_not_tried_again_before_the_moment_it_names(office: Office) -> None:
    not_before = office.clock() + timedelta(hours=3)
    office.job.outcomes = [Failed(not_before)]
    [subject] = await office.put()
    async with office.runner().working():
        task = await eventually(lambda: office.put_off(subject))
    assert task.due_at == not_before


async def test_work_names_its_next_turn_or_its_kind_does(office: Office) -> None:
    at = office.clock() + timedelta(days=2)
    office.job.outcomes = [Again(at), None]
    named, by_kind = await office.put(2)
    async with office.runner(every=timedelta(hours=1), at_once=1).working():
        first = await eventually(lambda: office.put_off(named))
        second = await eventually(lambda: office.put_off(by_kind))
    assert first.due_at == at
    assert timedelta(minutes=53) < second.due_at - office.clock() < timedelta(minutes=67)
    assert (first.attempts, second.attempts) == (0, 0)


@pytest.mark.parametrize("outcome", [Ended(), NotFound.connection()])
async def test_what_is_gone_has_no_next_turn_even_in_a_kind_that_has(office: Office, outcome: TaskOutcome) -> None:
    office.job.outcomes = [outcome]
    subjects = await office.put()
    async with office.runner(every=timedelta(hours=1)).working():
        await eventually(lambda: office.gone(subjects))
    assert office.job.done == Counter(subjects)


async def test_long_work_keeps_its_lease(office: Office) -> None:
    office.job.go_on.clear()
    [subject] = await office.put()
    async with office.runner(lease=timedelta(seconds=1)).working(), office.runner().working():
        leased = await eventually(lambda: office.find(subject))
        begun = leased.leased_until or office.clock() + timedelta(seconds=1)

        async def outlived() -> bool:
            return office.clock() > begun + timedelta(seconds=0.3)

        await eventually(outlived)
        assert office.job.running == 1
        office.job.go_on.set()
        await eventually(lambda: office.gone([subject]))
    assert office.job.done == Counter([subject])


async def test_what_a_killed_process_had_claimed_is_done_when_its_lease_ends(office: Office) -> None:
    [subject] = await office.put()
    async with office.units.writing_everywhere() as unit:
        now = office.clock()
        [claimed] = await unit.tasks.claim(now, now + LEASE, 1, [KIND])
        await unit.commit()
    async with office.runner().working():
        [other] = await office.put()
        await eventually(lambda: office.gone([other]))
        assert office.job.done[subject] == 0
        office.clock.advance(seconds=LEASE.total_seconds())
        await eventually(lambda: office.gone([subject]))
    async with office.units.writing_everywhere() as unit:
        assert not await unit.tasks.finish(claimed)  # what the killed one might still say counts for nothing


async def test_a_runner_that_stops_waits_for_what_it_has_begun_and_begins_nothing_more(office: Office) -> None:
    office.job.go_on.clear()
    [begun] = await office.put()
    stopping = office.runner()
    working = stopping.working()
    await working.__aenter__()
    await eventually(lambda: _is(office.job.running == 1))
    stopped = asyncio.create_task(working.__aexit__(None, None, None))
    await asyncio.sleep(0)
    [late] = await office.put()
    office.job.go_on.set()
    await stopped
    assert office.job.done == Counter([begun])
    assert await office.find(late) is not None


async def test_what_a_stopping_runner_cuts_off_is_given_back_at_once(office: Office) -> None:
    office.job.go_on.clear()
    [subject] = await office.put()
    async with office.runner(drain_seconds=0.0).working():
        await eventually(lambda: _is(office.job.running == 1))
    task = await office.find(subject)
    assert task is not None
    assert (task.lease, task.attempts) == (None, 0)
    assert task.due_at <= office.clock()


async def test_an_outage_of_the_database_is_told_once_and_waited_out(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    units = Away(office.units)
    plan = {KIND: PlannedWork(office.job, LEASE, 4)}
    subjects = await office.put()
    with caplog.at_level(logging.WARNING):
        async with Runner(units, plan, office.clock, poll_seconds=0.01).working():
            await eventually(lambda: _is(units.refused >= 3))
            assert office.job.done == Counter()
            units.away = False
            await eventually(lambda: office.gone(subjects))
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_the_servers_own_tasks_are_put_once_by_the_runners_themselves(office: Office) -> None:
    hour = timedelta(hours=1)
    runners = [office.runner(every=hour, whole_server=True) for _ in range(2)]
    async with runners[0].working(), runners[1].working():
        await eventually(lambda: office.find(WHOLE_SERVER))
        assert office.job.done[WHOLE_SERVER] == 0
        office.clock.advance(minutes=31)
        task = await eventually(lambda: office.put_off(WHOLE_SERVER))
    assert office.job.done == Counter([WHOLE_SERVER])
    assert task.due_at > office.clock() + timedelta(minutes=53)


async def test_its_own_tasks_dont_wait_for_a_moment_that_a_clock_has_made_up_which_was_ahead(office: Office) -> None:
    hour = timedelta(hours=1)
    async with office.runner(every=hour, whole_server=True).working():
        await eventually(lambda: office.find(WHOLE_SERVER))
        office.clock.advance(days=30)
        await eventually(lambda: office.put_off(WHOLE_SERVER))
        office.clock.advance(days=-30)
        await eventually(lambda: _is(office.job.done[WHOLE_SERVER] == 2))
        task = await eventually(lambda: office.put_off(WHOLE_SERVER))
    assert task.due_at < office.clock() + 2 * hour


async def test_a_lease_by_a_clock_that_was_ahead_is_over(office: Office) -> None:
    [subject] = await office.put()
    tomorrow = office.clock() + timedelta(days=1)
    async with office.units.writing_everywhere() as unit:
        [_] = await unit.tasks.claim(tomorrow, tomorrow + LEASE, 1, [KIND])
        await unit.commit()
    async with office.runner().working():
        await eventually(lambda: office.gone([subject]))


@given(attempts=st.integers(0, 1_000_000), chance=st.floats(0, 1, exclude_max=True))
def test_a_back_off_is_never_a_hot_loop_and_never_longer_than_an_hour(attempts: int, chance: float) -> None:
    assert SHORTEST_BACK_OFF <= back_off(attempts, lambda: chance) <= LONGEST_BACK_OFF


async def _is(value: bool) -> bool:
    return value
