"""Syncing repositories: what is kept of a list that is read page by page, while it changes and processes end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any

import pytest
from sqlalchemy import event, select

from domain.credential_secrets import CredentialSecret
from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import ConnectionEventType
from domain.entities.health import Remedy, ServiceRateLimit
from domain.entities.identifiers import new_id
from domain.entities.repository_sync import LONGEST_LISTING
from domain.errors import InvalidInput, NotFound
from domain.repository_sync_outcome import SyncReport, SyncStopped
from domain.services.repository_listing import PageUnchanged, RepositoryPage
from domain.services.service_fault import FaultKind, ServiceFault
from domain.task_outcome import Again, Ended, Failed
from persistence.database import Database
from persistence.tables import connection_events
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.remote_repositories import (
    Forge,
    ProcessKilled,
    Syncing,
    an_organization,
    syncing,
)
from tests.every_row import every_row

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as opened:
        yield opened


@pytest.fixture
async def world(database: Database) -> Syncing:
    units = SqlUnitsOfWork(database, lambda organization_id: None)
    return await syncing(units, await an_organization(units))


def ids(count: int) -> list[str]:
    return [f"r{number}" for number in range(count)]


def killed() -> None:
    raise ProcessKilled


async def events(database: Database) -> list[tuple[str, dict[str, int]]]:
    statement = select(connection_events.c.type, connection_events.c.data).order_by(connection_events.c.sequence)
    async with every_row(database) as connection:
        return [(row.type, row.data) for row in await connection.execute(statement)]


async def test_the_first_sync_keeps_everything_and_selects_nothing(world: Syncing, database: Database) -> None:
    world.remote.put(*ids(8))

    assert await world.sync() == SyncReport(added=8, complete=True)

    assert await world.told() == set(world.remote.now)
    assert await world.selected() == set()
    assert await events(database) == [
        (ConnectionEventType.REPOSITORIES_SYNCED, {"added": 8, "updated": 0, "removed": 0, "unchanged": 0})
    ]
    async with world.units.reading(world.connection.organization_id) as unit:
        credential = await unit.credentials.find(world.connection.id)
    assert credential is not None
    assert credential.last_used_at is not None
    assert (await world.stored()).version == world.connection.version


async def test_a_list_of_nothing_is_complete(world: Syncing) -> None:
    assert await world.sync() == SyncReport(complete=True)


async def test_additions_renames_and_removals_are_counted_and_selected_stays(world: Syncing) -> None:
    world.remote.put(*ids(8))
    await world.sync()
    await world.select("r0", "r1", "r7")

    world.remote.rename("r1", "globex/r1")
    world.remote.put("r1", "r2", "r3", "r4", "r5", "r6", "r7", "new")

    assert await world.sync() == SyncReport(added=1, updated=1, removed=1, unchanged=6, complete=True)
    assert await world.told() == set(world.remote.now)
    assert await world.selected() == {"r1", "r7"}


async def test_what_is_as_it_was_is_asked_for_by_its_etags(world: Syncing) -> None:
    world.remote.put(*ids(8))
    await world.sync()
    world.remote.rename("r4", "acme/other")

    with world.remote.counting() as calls:
        assert await world.sync() == SyncReport(updated=1, unchanged=7, complete=True)

    assert calls == [(None, True), ("3", False), ("6", True)]
    first = (await world.rows())["r0"].synced_at
    assert await world.sync() == SyncReport(unchanged=8, complete=True)
    assert (await world.rows())["r0"].synced_at > first


async def test_once_a_day_everything_is_read_anew(world: Syncing) -> None:
    world.remote.put(*ids(4))
    await world.sync()
    world.ahead += timedelta(days=1)

    with world.remote.counting() as calls:
        await world.sync()

    assert calls == [(None, False), ("3", False)]


async def test_a_page_whose_item_was_on_another_one_later_is_read_anew(world: Syncing) -> None:
    """Otherwise it could say that nothing has changed since, while what is kept is the other page's word."""
    world.remote.page_size = 1
    world.remote.put("a", "b")
    await world.sync()

    def move() -> None:
        world.remote.rename("a", "acme/moved")
        world.remote.put("new", "b", "a")

    world.remote.before_call[len(world.remote.calls) + 1] = move
    await world.sync()
    assert (await world.rows())["a"].full_name == "acme/moved"
    world.remote.rename("a", "acme/a")
    world.remote.put("a", "b")

    await world.sync()

    assert await world.told() == set(world.remote.now)


async def test_after_a_listing_that_was_given_up_everything_is_read_anew(world: Syncing) -> None:
    """Otherwise it could say that nothing has changed since, while what is kept is the word of that one."""
    world.remote.put(*ids(4))
    await world.sync()
    world.remote.rename("r1", "acme/other")
    world.remote.before_call[len(world.remote.calls) + 1] = killed
    with pytest.raises(ProcessKilled):
        await world.sync()
    world.remote.rename("r1", "acme/r1")
    world.ahead += LONGEST_LISTING

    assert await world.sync() == SyncReport(updated=1, unchanged=3, complete=True)
    assert await world.told() == set(world.remote.now)


async def test_a_page_of_which_a_webhook_has_removed_one_is_read_anew(world: Syncing) -> None:
    world.remote.put(*ids(4))
    await world.sync()
    async with world.units.writing(world.connection.organization_id) as unit:
        await unit.repositories.remove([(await world.rows())["r1"].id])
        await unit.commit()

    with world.remote.counting() as calls:
        assert await world.sync() == SyncReport(added=1, unchanged=3, complete=True)

    assert calls == [(None, True), (None, False), ("3", True)]


async def test_a_page_of_which_a_webhook_has_changed_one_is_read_anew(world: Syncing) -> None:
    world.remote.put(*ids(4))
    await world.sync()
    await _tell(world, "r1", "acme/outdated", world.clock())

    assert await world.sync() == SyncReport(updated=1, unchanged=3, complete=True)
    assert await world.told() == set(world.remote.now)


async def test_what_a_webhook_tells_while_a_page_is_on_its_way_stays(world: Syncing) -> None:
    world.remote.put(*ids(2))
    await world.sync()
    told = world.clock() + timedelta(seconds=30)
    await _tell(world, "r1", "acme/renamed", told)
    world.remote.rename("r0", "acme/changed")

    await world.sync()

    assert (await world.rows())["r1"].full_name == "acme/renamed"
    world.ahead += timedelta(minutes=1)
    world.remote.rename("r1", "acme/renamed")
    await world.sync()
    assert await world.told() == set(world.remote.now)


async def test_what_is_found_after_the_listing_began_is_not_removed(world: Syncing) -> None:
    """A webhook adds it while the only page, which doesn't have it yet, is on its way."""
    world.remote.put(*ids(2))
    await world.sync()
    rows = await world.rows()
    world.remote.put("r0")
    await _tell(world, "r1", rows["r1"].full_name, world.clock() + timedelta(seconds=30))

    assert await world.sync() == SyncReport(unchanged=1, complete=True)
    assert set(await world.rows()) == {"r0", "r1"}


async def test_a_removal_is_confirmed_by_a_second_listing_before_it_counts(world: Syncing, database: Database) -> None:
    world.remote.put(*ids(8))
    await world.sync()
    world.remote.put(*ids(7))

    with world.remote.counting() as calls:
        assert await world.sync() == SyncReport(removed=1, unchanged=7, complete=True)

    assert calls == [(None, True), ("3", True), ("6", False), (None, True), ("3", True), ("6", True)]
    assert len(await events(database)) == 2


async def test_what_moves_to_a_page_that_was_read_already_is_not_removed(world: Syncing) -> None:
    world.remote.put(*ids(8))
    await world.sync()
    await world.select("r3")
    world.remote.before_call[len(world.remote.calls) + 1] = lambda: world.remote.put(*ids(8)[1:])

    assert await world.sync() == SyncReport(removed=1, unchanged=7, complete=True)
    assert set(await world.rows()) == set(ids(8)[1:])
    assert await world.selected() == {"r3"}


async def test_one_that_is_away_while_its_page_is_read_keeps_its_selection(world: Syncing) -> None:
    world.remote.put(*ids(8))
    await world.sync()
    await world.select("r4")
    kept = (await world.rows())["r4"].id
    calls = len(world.remote.calls)
    world.remote.before_call[calls + 1] = lambda: world.remote.put(*[id_ for id_ in ids(8) if id_ != "r4"])
    world.remote.before_call[calls + 2] = lambda: world.remote.put(*ids(8))

    await world.sync()

    assert set(await world.rows()) == set(ids(8))
    assert (await world.rows())["r4"].id == kept
    assert await world.selected() == {"r4"}


async def test_a_list_that_never_rests_removes_nothing_until_it_does(world: Syncing) -> None:
    world.remote.put(*ids(8))
    await world.sync()
    world.remote.put(*ids(7))
    for call in range(1, 40):
        world.remote.before_call[len(world.remote.calls) + call] = lambda: world.remote.put(
            *[each.external_id for each in world.remote.now], new_id().hex
        )

    restless = await world.sync()

    assert isinstance(restless, SyncReport)
    assert (restless.removed, restless.complete) == (0, True)
    assert "r7" in await world.rows()
    world.remote.before_call.clear()
    calm = await world.sync()
    assert isinstance(calm, SyncReport)
    assert calm.removed == 1
    assert await world.told() == set(world.remote.now)


@pytest.mark.parametrize("pages_kept", [0, 1, 2])
async def test_the_successor_of_a_killed_process_goes_on_after_the_last_page(
    world: Syncing, database: Database, pages_kept: int
) -> None:
    world.remote.put(*ids(8))
    world.remote.before_call[pages_kept] = killed
    since = world.clock()
    with pytest.raises(ProcessKilled):
        await world.sync()
    assert len(await world.rows()) == 3 * pages_kept

    with world.remote.counting() as calls:
        assert await world.sync(since=since) == SyncReport(added=8, complete=True)

    assert calls == [(None, False), ("3", False), ("6", False)][pages_kept:]
    assert len(await events(database)) == 1


async def test_who_asks_gets_a_listing_that_began_after_they_asked(world: Syncing) -> None:
    world.remote.put(*ids(8))
    world.remote.before_call[2] = killed
    with pytest.raises(ProcessKilled):
        await world.sync()
    world.remote.put("new", *ids(8))

    assert await world.sync() == SyncReport(added=9, complete=True)

    assert await world.told() == set(world.remote.now)


async def test_a_listing_that_was_left_for_an_hour_begins_anew(world: Syncing) -> None:
    world.remote.put(*ids(8))
    world.remote.before_call[2] = killed
    with pytest.raises(ProcessKilled):
        await world.sync()
    world.ahead += LONGEST_LISTING

    with world.remote.counting() as calls:
        assert await world.sync() == SyncReport(added=2, unchanged=6, complete=True)

    assert calls == [(None, False), ("3", False), ("6", False)]


async def test_what_is_left_when_time_is_up_is_done_by_the_next(world: Syncing) -> None:
    world.remote.put(*ids(8))
    since = world.clock()

    assert await world.sync(seconds=0) == SyncReport(added=3)
    assert await world.sync(seconds=0, since=since) == SyncReport(added=6)
    assert await world.sync(seconds=0, since=since) == SyncReport(added=8, complete=True)


async def test_several_at_once_work_on_one_listing_and_each_gets_a_whole_one(
    world: Syncing, database: Database
) -> None:
    world.remote.put(*ids(20))
    since = world.clock()

    reports = await asyncio.gather(*(world.sync(since=since) for _ in range(3)))

    assert all(isinstance(report, SyncReport) and report.complete for report in reports)
    assert await world.told() == set(world.remote.now)
    counted = [data for _, data in await events(database)]
    assert sum(data["added"] for data in counted) == 20
    assert sum(data["removed"] + data["updated"] for data in counted) == 0


async def test_a_fault_stops_it_with_what_was_stored_and_the_next_goes_on(world: Syncing) -> None:
    world.remote.put(*ids(8))
    fault = ServiceFault(FaultKind.SERVICE_ERROR, "forge_down", "Forge is down.", Remedy.WAIT)
    world.remote.before_call[1] = lambda: fault
    since = world.clock()

    stopped = await world.sync()

    assert isinstance(stopped, SyncStopped)
    assert (stopped.fault, stopped.report) == (fault, SyncReport(added=3))
    assert await world.sync(since=since) == SyncReport(added=8, complete=True)


async def test_a_limit_is_kept_on_the_connection_and_nobody_calls_before_its_end(world: Syncing) -> None:
    world.remote.put(*ids(8))
    until = (world.clock() + timedelta(minutes=5)).replace(microsecond=0)
    limit = ServiceRateLimit(limit=60, remaining=0, reset_at=until, blocked_until=until)
    fault = ServiceFault(
        FaultKind.RATE_LIMITED, "forge_limited", "Not now.", Remedy.WAIT, retry_after_seconds=300, rate_limit=limit
    )
    world.remote.before_call[1] = lambda: fault
    await world.sync()
    assert (await world.stored()).rate_limit == limit

    with world.remote.counting() as calls:
        stopped = await world.sync()

    assert calls == []
    assert isinstance(stopped, SyncStopped)
    assert stopped.fault.kind is FaultKind.RATE_LIMITED
    assert stopped.fault.code == "forge_rate_limited"
    assert 290 <= (stopped.fault.retry_after_seconds or 0) <= 300
    world.ahead += timedelta(minutes=6)
    world.remote.rate_limit = ServiceRateLimit(limit=60, remaining=59, reset_at=until + timedelta(hours=1))
    assert isinstance(await world.sync(), SyncReport)
    assert (await world.stored()).rate_limit == world.remote.rate_limit


async def test_an_answer_that_uses_up_the_quota_is_the_last(world: Syncing) -> None:
    world.remote.put(*ids(8))
    world.remote.rate_limit = ServiceRateLimit(60, 0, datetime.now(UTC) + timedelta(minutes=5))

    with world.remote.counting() as calls:
        stopped = await world.sync()

    assert len(calls) == 1
    assert isinstance(stopped, SyncStopped)
    assert stopped.report == SyncReport(added=3)


async def test_pages_that_lead_back_to_one_another_are_a_fault(world: Syncing) -> None:
    world.remote.put(*ids(8))

    stopped = await world.sync(service=Forge(_Circle(world)))

    assert isinstance(stopped, SyncStopped)
    assert stopped.fault.code == "forge_listing_without_end"


async def test_a_service_without_repositories_says_so(world: Syncing) -> None:
    with pytest.raises(InvalidInput, match=r"^Forge has no repositories\.$"):
        await world.sync(service=Forge(None))
    assert await world.sync_due(Forge(None)) == Ended()


async def test_a_credential_that_does_not_open_is_told_without_asking_the_service(world: Syncing) -> None:
    world.vault = (await syncing(world.units, await an_organization(world.units))).vault  # with another key

    stopped = await world.sync()

    assert isinstance(stopped, SyncStopped)
    assert (stopped.fault.code, stopped.fault.kind) == ("credential_unreadable", FaultKind.CLIENT_REFUSED)
    assert world.remote.calls == []


async def test_the_runners_turn_lists_everything_and_comes_again_as_usual(world: Syncing) -> None:
    world.remote.put(*ids(8))

    assert await world.sync_due() is None
    assert await world.told() == set(world.remote.now)


async def test_a_sync_that_takes_longer_than_its_turn_goes_on_in_the_next_and_reads_each_page_once(
    world: Syncing,
) -> None:
    world.remote.put(*ids(8))

    with world.remote.counting() as calls:
        for _ in range(2):
            told = await world.sync_due(turn_seconds=0)
            assert isinstance(told, Again)
            assert timedelta(0) <= world.clock() - told.at < timedelta(seconds=5)
        assert await world.sync_due(turn_seconds=0) is None

    assert calls == [(None, False), ("3", False), ("6", False)]
    assert await world.told() == set(world.remote.now)


async def test_a_listing_is_begun_anew_for_what_was_heard_between_two_of_its_turns(world: Syncing) -> None:
    world.remote.put(*ids(5))
    assert isinstance(await world.sync_due(turn_seconds=0), Again)
    world.remote.rename("r0", "acme/other")
    async with world.units.writing(world.connection.organization_id) as unit:
        await unit.repository_syncs.want(world.connection.id, world.clock())
        await unit.commit()

    while await world.sync_due(turn_seconds=0) is not None:
        pass

    assert await world.told() == set(world.remote.now)
    async with world.units.reading(world.connection.organization_id) as unit:
        assert await unit.repository_syncs.wanted(world.connection.id) is None


async def test_a_page_costs_as_many_statements_and_rows_however_many_there_were(
    world: Syncing, database: Database
) -> None:
    world.remote.put(*ids(60))
    written: list[int] = []

    def count(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if "repository_sync" in statement and not statement.startswith("SELECT"):
            written.append(len(parameters) if many else 1)

    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    since, pages = world.clock(), []
    for _ in range(19):
        written.clear()
        report = await world.sync(seconds=0, since=since)
        assert isinstance(report, SyncReport)
        assert not report.complete
        pages.append(sum(written))
    event.remove(database.engine.sync_engine, "before_cursor_execute", count)

    assert set(pages[1:]) == {2}  # how far it has come, and the page


@pytest.mark.parametrize(
    ("kind", "remedy", "outcome"),
    [
        (FaultKind.RATE_LIMITED, Remedy.WAIT, Again),
        (FaultKind.UNREACHABLE, Remedy.WAIT, Failed),
        (FaultKind.CREDENTIAL_REFUSED, Remedy.RECONNECT, NoneType),
    ],
)
async def test_a_fault_puts_the_runners_next_turn_off(
    world: Syncing, kind: FaultKind, remedy: Remedy, outcome: type[Again] | type[Failed] | type[None]
) -> None:
    world.remote.before_call[0] = lambda: ServiceFault(kind, "forge_fault", "Not now.", remedy, retry_after_seconds=90)
    before = world.clock()

    told = await world.sync_due()

    assert type(told) is outcome
    at = told.at if isinstance(told, Again) else told.not_before if isinstance(told, Failed) else None
    assert at is None or timedelta(seconds=90) <= at - before < timedelta(seconds=120)
    assert (at is None) is (told is None)


async def test_the_runner_leaves_a_paused_connection_alone(world: Syncing) -> None:
    async with world.units.writing(world.connection.organization_id) as unit:
        connection = await unit.connections.get(world.connection.id)
        connection.set_status(ConnectionStatus.INACTIVE, reason=None, now=world.clock())
        await unit.connections.save(connection)
        await unit.commit()

    assert await world.sync_due() is None
    assert world.remote.calls == []


async def test_a_connection_that_is_deleted_meanwhile_ends_it(world: Syncing) -> None:
    world.remote.put(*ids(8))

    async def delete() -> None:
        async with world.units.writing(world.connection.organization_id) as unit:
            connection = await unit.connections.get(world.connection.id)
            connection.delete(world.clock())
            await unit.connections.save(connection)
            await unit.commit()

    class Deleting:
        async def page(
            self, secret: CredentialSecret, at: str | None, etag: str | None
        ) -> RepositoryPage | PageUnchanged | ServiceFault:
            if at == "3":
                await delete()
            return await world.remote.page(secret, at, etag)

    with pytest.raises(NotFound):
        await world.sync(service=Forge(Deleting()))

    assert len(await world.rows()) == 3


async def _tell(world: Syncing, id_: str, full_name: str, told_at: datetime) -> None:
    """What a webhook does."""
    async with world.units.writing(world.connection.organization_id) as unit:
        [repository] = await unit.repositories.list_by_external_id(world.connection.id, [id_])
        repository.full_name, repository.synced_at = full_name, told_at
        await unit.repositories.save(repository)
        await unit.commit()


@dataclass
class _Circle:
    """Its second page leads back to itself."""

    world: Syncing

    async def page(
        self, secret: CredentialSecret, at: str | None, etag: str | None
    ) -> RepositoryPage | PageUnchanged | ServiceFault:
        answer = await self.world.remote.page(secret, at, etag)
        return replace(answer, next="3") if isinstance(answer, RepositoryPage) else answer
