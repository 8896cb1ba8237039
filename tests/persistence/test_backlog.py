"""How much work waits, on both databases: what is due and nobody's, counted as far as is asked."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from domain.entities.identifiers import new_id
from domain.entities.task import Task, TaskKind
from persistence.backlog import Waiting, read_backlog
from persistence.database import Database
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW

pytestmark = pytest.mark.anyio

SYNC, HOOK = TaskKind.SYNC_REPOSITORIES, TaskKind.PROCESS_WEBHOOK


async def test_what_is_due_is_counted_by_kind_with_the_moment_of_the_oldest(
    database: Database, units: SqlUnitsOfWork
) -> None:
    oldest = NOW - timedelta(minutes=3, microseconds=250_000)
    await _put(units, *[(SYNC, NOW - timedelta(seconds=age)) for age in (0, 1, 2)], (SYNC, oldest))
    await _put(units, (SYNC, NOW + timedelta(microseconds=1)), (HOOK, NOW + timedelta(hours=1)))
    assert await read_backlog(database, [SYNC, HOOK], NOW) == {SYNC: Waiting(4, oldest), HOOK: Waiting(0, None)}
    assert await read_backlog(database, [], NOW) == {}


async def test_counting_ends_where_it_is_told_to(database: Database, units: SqlUnitsOfWork) -> None:
    await _put(units, *[(SYNC, NOW - timedelta(seconds=age)) for age in range(5)])
    waiting = (await read_backlog(database, [SYNC], NOW, count_to=3))[SYNC]
    assert waiting == Waiting(3, NOW - timedelta(seconds=4))


async def test_what_somebody_does_just_now_waits_for_nobody_until_its_lease_ends(
    database: Database, units: SqlUnitsOfWork
) -> None:
    until = NOW + timedelta(minutes=1)
    await _put(units, (SYNC, NOW))
    async with units.writing_everywhere() as unit:
        assert len(await unit.tasks.claim(NOW, until, 1, [SYNC])) == 1
        await unit.commit()
    before = (await read_backlog(database, [SYNC], until - timedelta(microseconds=1)))[SYNC]
    after = (await read_backlog(database, [SYNC], until))[SYNC]
    assert (before, after) == (Waiting(0, None), Waiting(1, NOW))


async def _put(units: SqlUnitsOfWork, *due: tuple[TaskKind, datetime]) -> None:
    async with units.writing_everywhere() as unit:
        for kind, at in due:
            await unit.tasks.put(Task(new_id(), kind, uuid4(), None, at))
        await unit.commit()
