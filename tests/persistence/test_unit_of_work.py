"""A unit of work is all or nothing, bound to one organization, and reads only where it said so."""

import asyncio
from uuid import UUID

import pytest

from domain.entities.event import SCHEDULER
from persistence.database import Database
from persistence.uninterrupted import uninterrupted
from persistence.unit_of_work import SqlUnitOfWork, SqlUnitsOfWork
from tests.persistence.entities import draft, service_connection, stored_connection

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("rows", ["connections", "credentials", "repositories", "health_checks", "events"])
async def test_a_tenants_rows_need_a_bound_unit(units: SqlUnitsOfWork, rows: str) -> None:
    async with units.writing_everywhere() as unit:
        with pytest.raises(RuntimeError, match="isn't bound to an organization"):
            getattr(unit, rows)
        with pytest.raises(RuntimeError, match="isn't bound to an organization"):
            _ = unit.organization_id


async def test_a_bound_unit_knows_its_organization(units: SqlUnitsOfWork, acme: UUID) -> None:
    async with units.reading(acme) as unit:
        assert unit.organization_id == acme


async def test_what_is_not_committed_never_was(units: SqlUnitsOfWork, acme: UUID, hinted: list[UUID]) -> None:
    connection = service_connection(acme)
    async with units.writing(acme) as unit:
        await unit.connections.add(connection)
        await unit.events.append([draft(connection)], SCHEDULER)
        assert await unit.connections.find(connection.id) is not None
    async with units.reading(acme) as unit:
        assert await unit.connections.list() == []
    assert hinted == []


async def test_an_exception_undoes_the_unit_and_passes_on(units: SqlUnitsOfWork, acme: UUID) -> None:
    class Oops(Exception):
        pass

    async def fail() -> None:
        async with units.writing(acme) as unit:
            await unit.connections.add(service_connection(acme))
            raise Oops

    with pytest.raises(Oops):
        await fail()
    await _assert_nothing_was_kept_and_writing_works(units, acme)


async def test_a_cancelled_unit_leaves_nothing(units: SqlUnitsOfWork, acme: UUID) -> None:
    added, never = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with units.writing(acme) as unit:
            await unit.connections.add(service_connection(acme))
            added.set()
            await never.wait()

    task = asyncio.create_task(work())
    await added.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _assert_nothing_was_kept_and_writing_works(units, acme)


async def test_units_cancelled_at_any_moment_leave_nothing(units: SqlUnitsOfWork, acme: UUID) -> None:
    """Cancelled after 0, 1, 2, … turns of the event loop: while connecting, beginning, inserting and undoing."""

    async def work() -> None:
        async with units.writing(acme) as unit:
            await unit.connections.add(service_connection(acme))
            await unit.connections.list()

    for turns in range(40):
        task = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await _assert_nothing_was_kept_and_writing_works(units, acme)


@pytest.mark.parametrize("writes", [True, False])
async def test_a_storm_of_cancelled_units_holds_up_nobody(units: SqlUnitsOfWork, acme: UUID, writes: bool) -> None:
    """Cancelled after 0 to 6 ms, in whatever step of a driver that is; some of them twice."""
    connection = await stored_connection(units, acme)

    async def work() -> None:
        async with units.writing(acme) if writes else units.reading(acme) as unit:
            found = await unit.connections.get(connection.id)
            if writes:
                await unit.connections.save(found)
                await unit.events.append([draft(found)], SCHEDULER)
                await unit.commit()

    loop = asyncio.get_running_loop()
    for number in range(300):
        task = asyncio.create_task(work())
        after_seconds = 0.00025 * (number % 24)
        for again_seconds in (0, 0.0005)[: 1 + number % 2]:
            loop.call_later(after_seconds + again_seconds, task.cancel)
        await asyncio.wait([task])
        async with asyncio.timeout(1):
            await stored_connection(units, acme, f"After {number}")


async def test_a_cancelled_unit_waits_for_its_step_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persistence.uninterrupted.PATIENCE_SECONDS", 0.05)
    ended: list[str] = []

    async def step(name: str, ends: asyncio.Event) -> None:
        try:
            await ends.wait()
        finally:
            ended.append(name)

    one, never = asyncio.Event(), asyncio.Event()
    tasks = [
        asyncio.create_task(uninterrupted(step("one", one))),
        asyncio.create_task(uninterrupted(step("two", never))),
    ]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.sleep(0)
    assert (ended, [task.done() for task in tasks]) == ([], [False, False])
    one.set()
    for task in tasks:
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended == ["one", "two"]


async def _assert_nothing_was_kept_and_writing_works(units: SqlUnitsOfWork, acme: UUID) -> None:
    async with units.reading(acme) as unit:
        assert await unit.connections.list() == []
    kept = await stored_connection(units, acme)
    async with units.reading(acme) as unit:
        assert [found.id for found in await unit.connections.list()] == [kept.id]


async def test_a_commit_ends_the_unit(units: SqlUnitsOfWork, acme: UUID) -> None:
    async with units.writing(acme) as unit:
        await unit.connections.add(service_connection(acme))
        await unit.commit()
        with pytest.raises(RuntimeError, match="has ended"):
            await unit.connections.list()
        with pytest.raises(RuntimeError, match="has ended"):
            await unit.commit()


async def test_a_reading_unit_neither_commits_nor_writes(units: SqlUnitsOfWork, acme: UUID) -> None:
    async with units.reading(acme) as unit:
        with pytest.raises(RuntimeError, match="nothing to commit"):
            await unit.commit()
        with pytest.raises(RuntimeError, match="doesn't write"):
            await unit.connections.add(service_connection(acme))
    async with units.reading(acme) as unit:
        assert await unit.connections.list() == []


async def test_readers_go_on_beside_a_writer(units: SqlUnitsOfWork, acme: UUID) -> None:
    await stored_connection(units, acme)
    async with units.writing(acme) as writing:
        connection = (await writing.connections.list())[0]
        await writing.connections.save(connection)
        async with units.reading(acme) as reading:
            assert (await reading.connections.get(connection.id)).version == 1


async def test_the_feed_is_hinted_at_after_a_commit_with_events_only(
    units: SqlUnitsOfWork, acme: UUID, hinted: list[UUID]
) -> None:
    connection = await stored_connection(units, acme)
    assert hinted == []
    async with units.writing(acme) as unit:
        await unit.events.append([draft(connection)], SCHEDULER)
        assert hinted == []
        await unit.commit()
        assert hinted == [acme]


async def test_the_unit_is_the_ports(database: Database) -> None:
    """Held by the type checker: what the domain is given is what it asks for."""
    from domain.ports import UnitOfWork, UnitsOfWork

    units: UnitsOfWork = SqlUnitsOfWork(database, lambda _: None)
    async with units.reading_everywhere() as unit:
        as_port: UnitOfWork = unit
        assert isinstance(as_port, SqlUnitOfWork)


@pytest.mark.parametrize(
    "name",
    [
        *("identities", "data_keys", "deleted_connections", "health_history", "event_retention"),
        "webhook_deliveries",
        "trusted_documents",
    ],
)
async def test_what_is_no_one_organizations_takes_a_unit_that_is_meant_for_all(
    units: SqlUnitsOfWork, acme: UUID, name: str
) -> None:
    async with units.reading(acme) as unit:
        with pytest.raises(RuntimeError, match="isn't meant for all organizations"):
            getattr(unit, name)
    async with units.reading_everywhere() as unit:
        assert getattr(unit, name) is not None


async def test_a_look_beyond_ones_organization_ends_with_its_statement(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID
) -> None:
    theirs = await stored_connection(units, globex)
    async with units.reading(acme) as unit:
        assert await unit.organizations.credential_held("github", "unheard of") is False
        assert await unit.organizations.find(acme) is not None
        found = await unit.organizations.find(globex)
    if units.database.dialect_name == "postgresql":  # SQLite has no net below the statements
        assert found is None
    async with units.reading_everywhere() as unit:
        assert await unit.organizations.find(theirs.organization_id) is not None
