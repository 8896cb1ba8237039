"""The contract of RepositorySyncRepository, on both databases."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from domain.entities.repository_sync import RepositorySyncState, SyncedPage
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW, stored_connection

pytestmark = pytest.mark.anyio
FIRST = SyncedPage(None, '"etag"', "https://api.example/repositories?page=2", ("1", "2"))
LAST = SyncedPage("https://api.example/repositories?page=2", None, None, ())


async def test_a_sync_is_added_then_replaced_then_removed(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection, other = await stored_connection(units, acme), await stored_connection(units, acme, "Other")
    state, others = RepositorySyncState(acme, connection.id), RepositorySyncState(acme, other.id, added=9)
    async with units.writing(acme) as unit:
        assert await unit.repository_syncs.find(connection.id) is None
        await unit.repository_syncs.save(state)
        await unit.repository_syncs.save(others)
        await unit.commit()
    async with units.writing(acme) as unit:
        assert await unit.repository_syncs.find(connection.id) == state
        state.started_at, state.completed_at, state.pages, state.previous = NOW, NOW, [FIRST, LAST], [FIRST]
        state.added, state.updated, state.unchanged = 1, 2, 3
        await unit.repository_syncs.save(state)
        await unit.commit()
    async with units.writing(acme) as unit:
        assert await unit.repository_syncs.find(connection.id) == state
        await unit.repository_syncs.remove(connection.id)
        assert await unit.repository_syncs.find(connection.id) is None
        assert await unit.repository_syncs.find(other.id) == others


async def test_a_page_is_added_and_an_etag_forgotten_without_writing_the_others(
    units: SqlUnitsOfWork, acme: UUID
) -> None:
    connection = await stored_connection(units, acme)
    state = RepositorySyncState(acme, connection.id, NOW, previous=[FIRST, LAST])
    async with units.writing(acme) as unit:
        await unit.repository_syncs.save(state)
        state.distrust()
        await unit.repository_syncs.save_distrust(state)
        found = await unit.repository_syncs.find(connection.id)
        assert found == state
        assert found.previous == [replace(FIRST, etag=None), LAST]
        for page in (FIRST, LAST):
            state.add(page, added=1, updated=0)
            await unit.repository_syncs.save_last_page(state)
            assert await unit.repository_syncs.find(connection.id) == state
        assert state.complete
        state.end(NOW)
        await unit.repository_syncs.save(state)
        ended = await unit.repository_syncs.find(connection.id)
    assert ended == state
    assert (ended.pages, ended.previous, ended.seen) == ([], [FIRST, LAST], set())


async def test_whoever_has_an_older_state_can_tell(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection = await stored_connection(units, acme)
    mine = RepositorySyncState(acme, connection.id, NOW)
    async with units.writing(acme) as unit:
        assert not await unit.repository_syncs.is_current(replace(mine, revision=1))
        await unit.repository_syncs.save(mine)
        theirs = await unit.repository_syncs.find(connection.id)
        assert theirs is not None
        assert await unit.repository_syncs.is_current(mine)
        theirs.add(FIRST, added=0, updated=0)
        await unit.repository_syncs.save_last_page(theirs)
        assert not await unit.repository_syncs.is_current(mine)
        assert await unit.repository_syncs.is_current(theirs)


async def test_what_is_wanted_is_the_latest_moment_until_it_is_satisfied(units: SqlUnitsOfWork, acme: UUID) -> None:
    connection, later = await stored_connection(units, acme), NOW + timedelta(minutes=1)
    async with units.writing(acme) as unit:
        await unit.repository_syncs.want(connection.id, NOW)
        assert await unit.repository_syncs.wanted(connection.id) is None  # there is no listing that says too little
        state = RepositorySyncState(acme, connection.id, NOW)
        await unit.repository_syncs.save(state)
        for since in (later, NOW):
            await unit.repository_syncs.want(connection.id, since)
            await unit.repository_syncs.save(state)
            assert await unit.repository_syncs.wanted(connection.id) == later
        await unit.repository_syncs.satisfy(connection.id, NOW)
        assert await unit.repository_syncs.wanted(connection.id) == later
        await unit.repository_syncs.satisfy(connection.id, later)
        assert await unit.repository_syncs.wanted(connection.id) is None


async def test_another_organizations_sync_is_out_of_reach(units: SqlUnitsOfWork, acme: UUID, globex: UUID) -> None:
    theirs = RepositorySyncState(globex, (await stored_connection(units, globex)).id, NOW)
    async with units.writing(globex) as unit:
        await unit.repository_syncs.save(theirs)
        await unit.commit()
    async with units.writing(acme) as unit:
        assert await unit.repository_syncs.find(theirs.connection_id) is None
        with pytest.raises(RuntimeError, match="another organization"):
            await unit.repository_syncs.save(theirs)
        await unit.repository_syncs.remove(theirs.connection_id)
        await unit.commit()
    async with units.reading(globex) as unit:
        assert await unit.repository_syncs.find(theirs.connection_id) == theirs
