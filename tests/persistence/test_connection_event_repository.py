"""The contract of ConnectionEventRepository: numbers without gaps, in the order in which readers come to see them."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import SCHEDULER, Actor, ActorKind, StatusChange, StatusReason
from domain.entities.health import Remedy
from domain.entities.identifiers import new_id
from persistence.database import Database
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import draft, stored_connection

pytestmark = pytest.mark.anyio


async def test_events_take_the_organizations_next_numbers(units: SqlUnitsOfWork, acme: UUID, globex: UUID) -> None:
    ours, theirs = await stored_connection(units, acme), await stored_connection(units, globex)
    async with units.writing(acme) as unit:
        first = await unit.events.append([draft(ours), draft(ours)], SCHEDULER)
        second = await unit.events.append([draft(ours)], SCHEDULER)
        assert await unit.events.append([], SCHEDULER) == []
        await unit.commit()
    async with units.writing(globex) as unit:
        other = await unit.events.append([draft(theirs)], SCHEDULER)
        await unit.commit()
    assert [(event.epoch, event.sequence) for event in (*first, *second)] == [(1, 1), (1, 2), (1, 3)]
    assert [(event.epoch, event.sequence) for event in other] == [(1, 1)]


async def test_the_whole_event_is_kept(units: SqlUnitsOfWork, database: Database, acme: UUID, ada: UUID) -> None:
    connection = await stored_connection(units, acme)
    change = StatusChange(
        ConnectionStatus.ACTIVE, ConnectionStatus.INACTIVE, StatusReason("PAUSED", "Paused.", Remedy.NONE)
    )
    whole = replace(draft(connection), status_change=change, health_check_id=new_id(), data={"b": 1, "a": [None, "ß"]})
    async with units.writing(acme) as unit:
        (event,) = await unit.events.append([whole], Actor(ActorKind.USER, "Ada", ada))
        await unit.commit()
    sql = (
        "SELECT sequence, epoch, type, actor_kind, actor_name, actor_api_key_id, status_from, status_to,"
        " status_reason_code, status_reason_message, status_reason_remedy, cast(data AS text), CAST(id AS text),"
        " CAST(connection_id AS text), CAST(actor_user_id AS text), CAST(health_check_id AS text)"
        " FROM connection_events"
    )
    (row,) = await _fetch(database, sql)
    assert row == (
        *(1, 1, "HEALTH_CHECKED", "USER", "Ada", None, "ACTIVE", "INACTIVE", "PAUSED", "Paused.", "NONE"),
        '{"b":1,"a":[null,"ß"]}',
        *map(str, (event.id, connection.id, ada, whole.health_check_id)),
    )


async def test_an_event_with_an_id_of_its_own_is_told_once(units: SqlUnitsOfWork, acme: UUID, globex: UUID) -> None:
    event_id = new_id()
    named = replace(draft(await stored_connection(units, acme)), id=event_id)
    async with units.writing(acme) as unit:
        assert not await unit.events.has(event_id)
        [event] = await unit.events.append([named], SCHEDULER)
        assert event.id == event_id
        assert await unit.events.has(event_id)
        await unit.commit()
    async with units.reading(globex) as unit:
        assert not await unit.events.has(event_id)
    with pytest.raises(IntegrityError):
        async with units.writing(acme) as unit:
            await unit.events.append([named], SCHEDULER)


async def test_another_organizations_events_cant_be_written(units: SqlUnitsOfWork, acme: UUID, globex: UUID) -> None:
    theirs = await stored_connection(units, globex)
    async with units.writing(acme) as unit:
        with pytest.raises(RuntimeError, match="another organization"):
            await unit.events.append([draft(theirs)], SCHEDULER)


async def test_a_reader_never_sees_a_number_before_an_earlier_one(database_url: str) -> None:
    """16 writers, some of whom give up, and one who reads all the while."""
    from tests.persistence.conftest import add_organization

    async with Database(database_url, write_connections=16, wait_seconds=30) as database:
        units = SqlUnitsOfWork(database, lambda _: None)
        acme = await add_organization(units, "acme")
        connection = await stored_connection(units, acme)

        async def write(writer: int) -> int:
            kept = 0
            for turn in range(8):
                drafts = [draft(connection)] * (1 + (writer + turn) % 3)
                async with units.writing(acme) as unit:
                    await unit.events.append(drafts, SCHEDULER)
                    await asyncio.sleep(0)
                    if (writer * 7 + turn) % 5:
                        await unit.commit()
                        kept += len(drafts)
            return kept

        writing = asyncio.gather(*map(write, range(16)))
        seen_in_between = set()
        while not writing.done():
            numbers = [row[0] for row in await _fetch(database, "SELECT sequence FROM connection_events ORDER BY 1")]
            assert numbers == list(range(1, len(numbers) + 1))
            seen_in_between.add(len(numbers))
        rows = await _fetch(database, "SELECT sequence FROM connection_events ORDER BY sequence")
        assert [row[0] for row in rows] == list(range(1, sum(await writing) + 1))
        assert len(seen_in_between) > 5


async def _fetch(database: Database, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await database.fetch_everywhere(sql)]
