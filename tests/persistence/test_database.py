"""Database: which addresses it takes, how it lends connections, and that every outage is ServiceUnavailable."""

import asyncio
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import asyncpg
import pytest

from domain.errors import ServiceUnavailable
from persistence.database import Database
from persistence.row_security import NOWHERE
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.cable import cable_to
from tests.persistence.entities import stored_connection

pytestmark = pytest.mark.anyio

MINUTES_OF_WORK = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("", "can't be read"),
        ("no address", "can't be read"),
        ("mysql+aiomysql://u:hunter2@h/d", r"kind 'mysql\+aiomysql' isn't supported"),
        ("postgresql://u:hunter2@h/d", "kind 'postgresql' isn't supported"),
        ("sqlite+aiosqlite://", "needs a file"),
        ("sqlite+aiosqlite:///:memory:", "needs a file"),
        ("sqlite+aiosqlite:///file:x?mode=memory&uri=true", "needs a file"),
        ("sqlite+aiosqlite:////nowhere/at/all/tether.db", "no folder /nowhere/at/all"),
    ],
)
def test_an_address_that_cant_be_used_is_refused_without_repeating_it(address: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as refusal:
        Database(address)
    assert "hunter2" not in str(refusal.value)


async def test_a_read_has_a_driver_connection_outside_of_any_transaction(database: Database, acme: UUID) -> None:
    await database.ping()
    async with database.driver_connection() as connection:
        if database.dialect_name == "sqlite":
            await connection.execute_fetchall("SELECT slug FROM organizations")
            assert not connection.in_transaction
        else:
            await connection.fetch("SELECT slug FROM organizations")
            assert not connection.is_in_transaction()
    assert [tuple(row) for row in await database.fetch_everywhere("SELECT slug FROM organizations")] == [("acme",)]


async def test_what_was_ended_has_ended_when_a_database_on_sqlite_is_closed(file: Path) -> None:
    """Else its thread would tell an event loop so that isn't there any more."""
    async with Database(f"sqlite+aiosqlite:///{file}") as database, database.driver_connection() as connection:
        await connection.execute_fetchall("BEGIN")  # with which it can't be lent again
    assert connection._connection is None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A SQLite database in which there is nothing."""
    file = tmp_path / "tether.db"
    file.touch()
    return file


async def test_sqlite_is_configured_on_every_connection(file: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{file}") as database:
        async with database.driver_connection() as connection:
            for setting, value in (("journal_mode", "wal"), ("foreign_keys", 1), ("query_only", 1), ("synchronous", 1)):
                assert [tuple(row) for row in await connection.execute_fetchall(f"PRAGMA {setting}")] == [(value,)]
        async with database.engine.connect() as writer:
            for setting, value in (("busy_timeout", 5000), ("foreign_keys", 1), ("query_only", 0), ("synchronous", 1)):
                assert (await writer.exec_driver_sql(f"PRAGMA {setting}")).scalar_one() == value


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_postgresql_is_configured_on_every_connection(database: Database) -> None:
    settings = {
        "TimeZone": "UTC",
        "statement_timeout": "5s",
        "lock_timeout": "2s",
        "jit": "off",
        "default_transaction_isolation": "read committed",
    }
    async with database.driver_connection() as connection, database.engine.connect() as writer:
        for setting, value in settings.items():
            assert await connection.fetchval(f"SHOW {setting}") == value
            assert (await writer.exec_driver_sql(f"SHOW {setting}")).scalar_one() == value


async def test_a_full_pool_is_unavailable_and_then_not_any_more(database_url: str) -> None:
    async with Database(database_url, write_connections=1, read_connections=1, wait_seconds=0.05) as database:
        async with database.transaction(NOWHERE, writes=True):
            with pytest.raises(ServiceUnavailable, match="all its database connections are in use"):
                async with database.transaction(NOWHERE, writes=True):
                    pass
        async with database.transaction(NOWHERE, writes=True):
            pass
        async with database.driver_connection():
            with pytest.raises(ServiceUnavailable, match="all its database connections are in use"):
                await database.ping()
        await database.ping()


async def test_a_cancelled_statement_stops_and_the_next_is_served(database_url: str) -> None:
    async with Database(database_url, read_connections=1) as database:
        await database.ping()
        for turns in range(20):  # of the event loop, after which the statement has just begun or not yet
            task = asyncio.create_task(database.fetch(MINUTES_OF_WORK[database.dialect_name]))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(3):
                await database.ping()


async def test_a_statement_on_sqlite_is_stopped_after_a_while(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persistence.database._LEND_SECONDS", 0.05)
    async with Database(f"sqlite+aiosqlite:///{file}", read_connections=1) as database:
        with pytest.raises(ServiceUnavailable):
            await database.fetch(MINUTES_OF_WORK["sqlite"])
        await database.ping()


async def test_a_wrong_statement_is_no_outage_and_does_no_harm(database: Database) -> None:
    for _ in range(20):
        with pytest.raises((sqlite3.OperationalError, asyncpg.PostgresError)):
            await database.fetch("SELECT nonsense FROM nowhere")
    await database.ping()


async def test_a_file_that_is_not_there_is_unavailable_and_not_made(tmp_path: Path) -> None:
    file = tmp_path / "a b?#%.db"
    async with Database("sqlite+aiosqlite:///" + quote(str(file))) as database:
        await _assert_unavailable(database)
        assert await database.migration_revision() is None
        assert os.listdir(tmp_path) == []
        file.touch()
        await database.ping()


@pytest.fixture(params=["another kind of file", "a torn database"])
def damaged_file(request: pytest.FixtureRequest, file: Path, sqlite_template: Path) -> Path:
    first_page = sqlite_template.read_bytes()[:4096]
    file.write_bytes(b"text" * 4096 if request.param == "another kind of file" else first_page + b"\xff" * 100_000)
    return file


async def test_a_file_that_is_damaged_is_unavailable(damaged_file: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{damaged_file}") as database:
        await _assert_unavailable(database)


async def _assert_unavailable(database: Database) -> None:
    units = SqlUnitsOfWork(database, lambda _: None)
    with pytest.raises(ServiceUnavailable):
        await database.fetch("SELECT * FROM organizations")
    for begin in (units.reading_everywhere, units.writing_everywhere):
        with pytest.raises(ServiceUnavailable):
            async with begin() as unit:
                await unit.organizations.any()


async def test_a_lock_of_another_process_on_sqlite_is_unavailable(file: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{file}", wait_seconds=0.05) as database:
        await database.ping()
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceUnavailable, match="took too long"):
            async with database.transaction(NOWHERE, writes=True):
                pass
        await database.ping()
        other.execute("ROLLBACK")
        other.close()
        async with database.transaction(NOWHERE, writes=True):
            pass


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_cut_cable_is_unavailable_and_a_mended_one_works_at_once(database_url: str, tmp_path: Path) -> None:
    async with cable_to(database_url, tmp_path) as cable, Database(cable.url) as database:
        units = SqlUnitsOfWork(database, lambda _: None)
        await database.ping()
        async with units.writing_everywhere() as unit:
            assert await unit.organizations.any() is False
            await cable.cut()
            with pytest.raises(ServiceUnavailable) as lost:
                await unit.organizations.any()
        assert str(lost.value) == "Tether can't reach its database. Try again in a few seconds."
        with pytest.raises(ServiceUnavailable):
            await database.ping()
        with pytest.raises(ServiceUnavailable):
            async with units.reading_everywhere() as unit:
                await unit.organizations.any()
        await cable.mend()
        await database.ping()
        async with units.writing_everywhere() as unit:
            assert await unit.organizations.any() is False


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_connections_that_the_server_has_closed_are_replaced_unseen(database: Database, acme: UUID) -> None:
    units = SqlUnitsOfWork(database, lambda _: None)
    await stored_connection(units, acme)
    await database.ping()
    async with (
        Database(database.engine.url.render_as_string(hide_password=False)) as other,
        other.driver_connection() as connection,
    ):
        ended = await connection.fetch(
            "SELECT pid, pg_terminate_backend(pid, 3000) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        assert len(ended) == 2
    await database.ping()
    await stored_connection(units, acme, "After")


async def test_a_closed_database_lends_nothing(database_url: str) -> None:
    database = Database(database_url)
    await database.ping()
    await database.close()
    with pytest.raises(RuntimeError, match="closed"):
        await database.ping()
