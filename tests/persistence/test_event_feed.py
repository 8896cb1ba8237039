"""EventFeed: watchers wake on commits of this process and of others, and outlive the database being away."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from domain.entities.event import SCHEDULER
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from persistence.database import Database
from persistence.event_feed import EventFeed, FeedPosition
from persistence.unit_of_work import SqlUnitsOfWork
from tests.gql.waiting import eventually
from tests.persistence.cable import cable_to
from tests.persistence.entities import draft, stored_connection

pytestmark = pytest.mark.anyio
NEVER_SECONDS = 3_600.0


async def test_the_head_is_where_the_feed_ends(units: SqlUnitsOfWork, database: Database, acme: UUID) -> None:
    feed = EventFeed(database)
    assert await feed.head(acme) == FeedPosition(epoch=1, sequence=0, pruned_sequence=0)
    await _happen(units, await stored_connection(units, acme), times=2)
    assert await feed.head(acme) == FeedPosition(epoch=1, sequence=2, pruned_sequence=0)
    assert await feed.head(new_id()) is None


async def test_a_position_is_beyond_another_of_its_epoch_or_of_any_other() -> None:
    position = FeedPosition(epoch=2, sequence=5, pruned_sequence=0)
    assert position.is_beyond(2, 4)
    assert not position.is_beyond(2, 5)
    assert not position.is_beyond(2, 6)
    assert position.is_beyond(1, 99)


async def test_what_is_already_there_is_told_at_once(units: SqlUnitsOfWork, database: Database, acme: UUID) -> None:
    await _happen(units, await stored_connection(units, acme))
    feed = EventFeed(database, poll_seconds=NEVER_SECONDS)
    async with _running(feed), feed.watch(acme) as watch:
        assert (await watch.beyond(epoch=1, sequence=0)).sequence == 1
        assert (await watch.beyond(epoch=0, sequence=7)).epoch == 1


async def test_the_lag_is_that_of_watchers_who_arent_told(database: Database, acme: UUID) -> None:
    feed = EventFeed(database, poll_seconds=0.001)
    assert (feed.watchers, feed.lag_seconds) == (0, 0.0)
    async with feed.watch(acme), feed.watch(acme):  # nobody runs it

        async def lags() -> bool:
            return feed.lag_seconds > 0.05

        await eventually(lags)
        assert feed.watchers == 2
        async with _running(feed):

            async def caught_up() -> bool:
                return feed.lag_seconds < 0.05

            await eventually(caught_up)
    assert (feed.watchers, feed.lag_seconds) == (0, 0.0)


async def test_a_commit_of_this_process_wakes_by_its_hint(database: Database, acme: UUID) -> None:
    feed = EventFeed(database, poll_seconds=NEVER_SECONDS)
    units = SqlUnitsOfWork(database, feed.hint)
    connection = await stored_connection(units, acme)
    async with _running(feed), feed.watch(acme) as watch:
        for sequence in range(1, 20):
            waiting = asyncio.create_task(watch.beyond(epoch=1, sequence=sequence - 1))
            await _happen(units, connection)
            assert (await waiting).sequence == sequence


async def test_a_commit_of_another_process_wakes_by_the_poll(database: Database, database_url: str, acme: UUID) -> None:
    feed = EventFeed(database, poll_seconds=0.01)
    async with Database(database_url) as other, _running(feed), feed.watch(acme) as watch:
        elsewhere = SqlUnitsOfWork(other, lambda _: None)
        connection = await stored_connection(elsewhere, acme)
        waiting = asyncio.create_task(watch.beyond(epoch=1, sequence=0))
        await _happen(elsewhere, connection, times=3)
        assert (await waiting).sequence == 3


async def test_all_watchers_of_an_organization_wake_and_no_others(database: Database, acme: UUID, globex: UUID) -> None:
    feed = EventFeed(database, poll_seconds=NEVER_SECONDS)
    units = SqlUnitsOfWork(database, feed.hint)
    connection = await stored_connection(units, acme)

    async def wait_for_first(organization_id: UUID) -> int:
        async with feed.watch(organization_id) as watch:
            return (await watch.beyond(epoch=1, sequence=0)).sequence

    async with _running(feed):
        ours = [asyncio.create_task(wait_for_first(acme)) for _ in range(100)]
        theirs = asyncio.create_task(wait_for_first(globex))
        await asyncio.sleep(0)
        await _happen(units, connection)
        assert await asyncio.gather(*ours) == [1] * 100
        assert not theirs.done()
        await _happen(units, await stored_connection(units, globex))
        assert await theirs == 1


async def test_nobody_watching_costs_no_statement(database: Database, acme: UUID) -> None:
    """A closed database lends nothing, so that a single poll would end the feed."""
    feed = EventFeed(database, poll_seconds=0.001)
    async with feed.watch(acme):
        pass
    await database.close()
    running = asyncio.create_task(feed.run())
    feed.hint(acme)
    done, _ = await asyncio.wait({running}, timeout=0.05)
    assert not done
    running.cancel()
    await asyncio.wait({running})


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_watchers_outlive_the_database_being_away(
    database_url: str, tmp_path: Path, acme: UUID, units: SqlUnitsOfWork, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "persistence.event_feed")
    logged = asyncio.Event()

    def notice(_: logging.LogRecord) -> bool:
        logged.set()
        return True

    caplog.handler.addFilter(notice)
    connection = await stored_connection(units, acme)
    async with cable_to(database_url, tmp_path) as cable, Database(cable.url) as database:
        feed = EventFeed(database, poll_seconds=0.001)
        async with _running(feed), feed.watch(acme) as watch:
            await _happen(units, connection)
            assert (await watch.beyond(epoch=1, sequence=0)).sequence == 1
            await cable.cut()
            await logged.wait()
            await _happen(units, connection)
            await cable.mend()
            assert (await watch.beyond(epoch=1, sequence=1)).sequence == 2
    assert caplog.messages == [
        "The event feed can't read the database and keeps trying.",
        "The event feed can read the database again.",
    ]


@asynccontextmanager
async def _running(feed: EventFeed) -> AsyncIterator[None]:
    running = asyncio.create_task(feed.run())
    try:
        async with asyncio.timeout(20):
            yield
    finally:
        running.cancel()
        await asyncio.wait({running})


async def _happen(units: SqlUnitsOfWork, connection: ServiceConnection, *, times: int = 1) -> None:
    async with units.writing(connection.organization_id) as unit:
        await unit.events.append([draft(connection)] * times, SCHEDULER)
        await unit.commit()
