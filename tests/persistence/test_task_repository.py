"""The contract of TaskRepository, on both databases: each task is one process's at a time, and none is lost."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.entities.health import Json
from domain.entities.identifiers import new_id
from domain.entities.task import WHOLE_SERVER, Task, TaskKind
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW

pytestmark = pytest.mark.anyio
ALL = tuple(TaskKind)
SYNC = TaskKind.SYNC_REPOSITORIES
UNTIL = NOW + timedelta(minutes=2)
LATER = NOW + timedelta(hours=1)


async def test_everything_that_a_task_holds_comes_back(units: SqlUnitsOfWork, acme: UUID) -> None:
    kept = _task(organization_id=acme, due_at=LATER, payload={"sealed": "v1.abc", "pages": [1, None]})
    of_the_server = Task(new_id(), TaskKind.FORGET_FLOWS, WHOLE_SERVER, None, NOW)
    await _put(units, kept, of_the_server)
    assert await _find(units, kept) == kept
    assert await _find(units, of_the_server) == of_the_server
    async with units.reading_everywhere() as unit:
        assert await unit.tasks.find(TaskKind.PROCESS_WEBHOOK, kept.subject_id) is None


async def test_due_tasks_of_the_kinds_asked_for_are_claimed_the_longest_due_first(units: SqlUnitsOfWork) -> None:
    due = [_task(due_at=NOW - timedelta(microseconds=age)) for age in (0, 500_000, 2_000_000, 1_000_000)]
    await _put(units, *due, _task(due_at=NOW + timedelta(microseconds=1)), _task(kind=TaskKind.WARN_OF_EXPIRY))
    claimed = await _claim(units, limit=3, kinds=[SYNC, TaskKind.PROCESS_WEBHOOK])
    assert [task.id for task in claimed] == [due[2].id, due[3].id, due[1].id]
    assert all(task.lease is not None and task.leased_until == UNTIL and task.attempts == 1 for task in claimed)
    assert [task.id for task in await _claim(units, kinds=[SYNC])] == [due[0].id]
    assert await _claim(units, kinds=[]) == []


async def test_a_claimed_task_is_nobody_elses_until_its_lease_ends(units: SqlUnitsOfWork) -> None:
    await _put(units, _task())
    (first,) = await _claim(units)
    assert await _claim(units, now=UNTIL - timedelta(microseconds=1)) == []
    (second,) = await _claim(units, now=UNTIL, until=LATER)
    assert second == replace(first, lease=second.lease, leased_until=LATER, attempts=2)
    assert second.lease != first.lease


async def test_a_lost_lease_writes_nothing(units: SqlUnitsOfWork) -> None:
    await _put(units, _task())
    (lost,) = await _claim(units)
    (held,) = await _claim(units, now=UNTIL, until=LATER)
    async with units.writing_everywhere() as unit:
        assert await unit.tasks.extend(lost, LATER + timedelta(hours=1)) is False
        assert await unit.tasks.repeat(lost, LATER, attempts=7) is False
        assert await unit.tasks.finish(lost) is False
        await unit.commit()
    assert await _find(units, held) == held
    async with units.writing_everywhere() as unit:
        assert await unit.tasks.finish(held) is True
        assert await unit.tasks.finish(held) is False
        assert await unit.tasks.extend(held, LATER) is False
        assert await unit.tasks.repeat(held, LATER, attempts=0) is False


async def test_what_was_never_claimed_can_not_be_finished(units: SqlUnitsOfWork) -> None:
    kept = _task()
    await _put(units, kept)
    async with units.writing_everywhere() as unit:
        with pytest.raises(RuntimeError, match="wasn't claimed"):
            await unit.tasks.finish(kept)


async def test_an_extended_lease_holds_longer(units: SqlUnitsOfWork) -> None:
    await _put(units, _task())
    (held,) = await _claim(units)
    async with units.writing_everywhere() as unit:
        assert await unit.tasks.extend(held, UNTIL + timedelta(minutes=2)) is True
        await unit.commit()
    assert await _claim(units, now=UNTIL) == []
    assert len(await _claim(units, now=UNTIL + timedelta(minutes=2))) == 1


async def test_a_finished_task_is_gone_and_a_repeated_one_waits(units: SqlUnitsOfWork) -> None:
    finished, repeated = _task(), _task(payload={"page": 1})
    await _put(units, finished, repeated)
    held = {task.id: task for task in await _claim(units)}
    async with units.writing_everywhere() as unit:
        assert await unit.tasks.finish(held[finished.id]) is True
        assert await unit.tasks.repeat(held[repeated.id], LATER, attempts=3) is True
        await unit.commit()
    assert await _find(units, finished) is None
    assert await _find(units, repeated) == replace(repeated, due_at=LATER, attempts=3)


@pytest.mark.parametrize(("again_at", "due_at"), [(NOW, NOW), (LATER + timedelta(days=1), LATER)])
async def test_a_waiting_task_that_is_put_again_is_due_at_the_earlier_moment(
    units: SqlUnitsOfWork, again_at: datetime, due_at: datetime
) -> None:
    waiting = _task(due_at=LATER, payload={"old": True})
    await _put(units, waiting, _again(waiting, again_at))
    assert await _find(units, waiting) == replace(waiting, due_at=due_at)
    await _put(units, _again(waiting, again_at, {"new": True}))
    assert await _find(units, waiting) == replace(waiting, due_at=due_at, payload={"new": True})


async def test_a_running_task_that_is_put_again_is_done_once_more(units: SqlUnitsOfWork) -> None:
    await _put(units, _task(payload={"old": True}))
    (running,) = await _claim(units)
    sooner = NOW + timedelta(minutes=1)
    await _put(units, _again(running, LATER, {"new": True}), _again(running, sooner), _again(running, LATER))
    assert await _find(units, running) == replace(running, payload={"new": True})
    async with units.writing_everywhere() as unit:
        assert await unit.tasks.finish(running) is True
        await unit.commit()
    waits = replace(running, payload={"new": True}, due_at=sooner, attempts=0, lease=None, leased_until=None)
    assert await _find(units, running) == waits
    (once_more,) = await _claim(units, now=sooner)
    async with units.writing_everywhere() as unit:
        assert await unit.tasks.finish(once_more) is True
        await unit.commit()
    assert await _find(units, running) is None


@pytest.mark.parametrize("again_after_minutes", [1, 90])
async def test_a_running_task_that_is_put_again_is_repeated_at_the_earlier_moment(
    units: SqlUnitsOfWork, again_after_minutes: int
) -> None:
    again_at = NOW + timedelta(minutes=again_after_minutes)
    await _put(units, _task())
    (running,) = await _claim(units)
    await _put(units, _again(running, again_at, {"new": True}))
    async with units.writing_everywhere() as unit:
        assert await unit.tasks.repeat(running, LATER, attempts=4) is True
        await unit.commit()
    (repeated,) = await _claim(units, now=LATER)
    assert (repeated.due_at, repeated.attempts, repeated.payload) == (min(again_at, LATER), 5, {"new": True})
    async with units.writing_everywhere() as unit:
        assert await unit.tasks.finish(repeated) is True
        await unit.commit()
    assert await _find(units, running) is None


@pytest.mark.parametrize("due_at", [NOW - timedelta(hours=1), LATER + timedelta(days=1)])
async def test_a_waiting_task_is_moved_to_the_very_moment_and_begins_anew(
    units: SqlUnitsOfWork, due_at: datetime
) -> None:
    await _put(units, _task(payload={"old": True}))
    (running,) = await _claim(units)
    async with units.writing_everywhere() as unit:
        assert await unit.tasks.repeat(running, LATER, attempts=3)
        await unit.tasks.put_at(_again(running, due_at))
        await unit.commit()
    moved = replace(running, due_at=due_at, attempts=0, payload={}, lease=None, leased_until=None)
    assert await _find(units, running) == moved


async def test_a_running_task_is_moved_to_the_very_moment_after_it(units: SqlUnitsOfWork) -> None:
    await _put(units, _task())
    (running,) = await _claim(units)
    await _put(units, _again(running, NOW))
    async with units.writing_everywhere() as unit:
        await unit.tasks.put_at(_again(running, LATER, {"new": True}))
        assert await unit.tasks.find(running.kind, running.subject_id) == replace(running, payload={"new": True})
        assert await unit.tasks.finish(running) is True
        await unit.commit()
    moved = replace(running, due_at=LATER, attempts=0, payload={"new": True}, lease=None, leased_until=None)
    assert await _find(units, running) == moved


async def test_where_there_is_none_yet_put_at_adds_it(units: SqlUnitsOfWork) -> None:
    kept = _task(due_at=LATER)
    async with units.writing_everywhere() as unit:
        await unit.tasks.put_at(kept)
        await unit.commit()
    assert await _find(units, kept) == kept


async def test_a_task_put_again_while_a_process_that_died_had_it_is_done_once(units: SqlUnitsOfWork) -> None:
    await _put(units, _task())
    (abandoned,) = await _claim(units)
    await _put(units, _again(abandoned, NOW))
    (taken_over,) = await _claim(units, now=UNTIL, until=LATER)
    async with units.writing_everywhere() as unit:
        assert await unit.tasks.finish(taken_over) is True
        await unit.commit()
    assert await _find(units, abandoned) is None


async def test_all_tasks_of_a_subject_are_removed(units: SqlUnitsOfWork) -> None:
    gone, other = _task(), _task()
    also_gone = replace(gone, id=new_id(), kind=TaskKind.REFRESH_CREDENTIAL)
    await _put(units, gone, also_gone, other)
    async with units.writing_everywhere() as unit:
        await unit.tasks.remove(gone.subject_id)
        await unit.commit()
    assert [await _find(units, task) for task in (gone, also_gone, other)] == [None, None, other]


async def test_many_claimers_at_once_get_each_task_once(units: SqlUnitsOfWork) -> None:
    due = [_task(due_at=NOW - timedelta(seconds=number)) for number in range(500)]
    await _put(units, *due)

    async def claimer() -> list[UUID]:
        mine: list[UUID] = []
        while claimed := await _claim(units, limit=20):
            mine += [task.id for task in claimed]
        return mine

    shares = await asyncio.gather(*(claimer() for _ in range(8)))
    assert sorted(id_ for share in shares for id_ in share) == sorted(task.id for task in due)


async def test_a_task_that_another_has_just_locked_is_left_to_them(units: SqlUnitsOfWork) -> None:
    await _put(units, *(_task(due_at=NOW - timedelta(seconds=number)) for number in range(4)))
    locked = asyncio.Event()
    got: list[set[UUID]] = []

    async def slow() -> None:
        async with units.writing_everywhere() as unit:
            got.append({task.id for task in await unit.tasks.claim(NOW, UNTIL, 2, ALL)})
            locked.set()
            await asyncio.sleep(0)
            await unit.commit()

    async def quick() -> None:
        await locked.wait()
        got.append({task.id for task in await _claim(units)})

    await asyncio.gather(slow(), quick())
    assert [len(share) for share in got] == [2, 2]
    assert got[0].isdisjoint(got[1])


async def test_one_that_is_put_while_it_is_being_finished_is_not_lost(units: SqlUnitsOfWork) -> None:
    for _ in range(20):
        await _put(units, _task())
        (running,) = await _claim(units)

        async def finish(running: Task = running) -> bool:
            async with units.writing_everywhere() as unit:
                finished = await unit.tasks.finish(running)
                await unit.commit()
                return finished

        again = _again(running, NOW)
        finished, _ = await asyncio.gather(finish(), _put(units, again))
        assert finished is True
        (once_more,) = await _claim(units)
        assert once_more.subject_id == running.subject_id
        assert once_more.attempts == 1


async def test_one_subject_put_by_many_at_once_is_one_task(units: SqlUnitsOfWork) -> None:
    first = _task()
    moments = [NOW + timedelta(seconds=number) for number in range(8)]
    await asyncio.gather(*(_put(units, _again(first, moment)) for moment in moments))
    found = await _find(units, first)
    assert found is not None
    assert found.due_at == NOW


def _task(
    *,
    kind: TaskKind = SYNC,
    organization_id: UUID | None = None,
    due_at: datetime = NOW,
    payload: dict[str, Json] | None = None,
) -> Task:
    return Task(new_id(), kind, new_id(), organization_id, due_at, payload=payload or {})


def _again(task: Task, due_at: datetime, payload: dict[str, Json] | None = None) -> Task:
    """What another caller puts for the same subject."""
    return Task(new_id(), task.kind, task.subject_id, task.organization_id, due_at, payload=payload or {})


async def _put(units: SqlUnitsOfWork, *tasks: Task) -> None:
    async with units.writing_everywhere() as unit:
        for task in tasks:
            await unit.tasks.put(task)
        await unit.commit()


async def _claim(
    units: SqlUnitsOfWork,
    *,
    now: datetime = NOW,
    until: datetime = UNTIL,
    limit: int = 100,
    kinds: Sequence[TaskKind] = ALL,
) -> list[Task]:
    async with units.writing_everywhere() as unit:
        claimed = await unit.tasks.claim(now, until, limit, kinds)
        await unit.commit()
        return list(claimed)


async def _find(units: SqlUnitsOfWork, task: Task) -> Task | None:
    async with units.reading_everywhere() as unit:
        return await unit.tasks.find(task.kind, task.subject_id)
