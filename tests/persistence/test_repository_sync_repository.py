"""The contract of RepositorySyncRepository, on both databases."""

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
