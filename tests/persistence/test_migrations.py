"""Migrations bring a database up to what the tables say, down again, and up again, whoever else does so at once."""

import asyncio
import os
import sqlite3
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, NullPool, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from domain.errors import ServiceUnavailable
from persistence import migrations
from persistence.database import Database
from persistence.row_security import EVERYWHERE, NOWHERE
from persistence.tables import metadata, service_credentials
from tests.preloaded_python import start_module

pytestmark = pytest.mark.anyio


async def test_a_migrated_database_says_so(database_url: str) -> None:
    async with Database(database_url) as database:
        assert await database.migration_revision() == migrations.head() == "0014"


@pytest.mark.filterwarnings("ignore:Did not recognize type 'health_probe'")  # the next test compares it
async def test_the_tables_are_those_of_the_metadata(database_url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with _connected(database_url) as connection:
        assert await connection.run_sync(differences) == []


async def test_the_catalogue_is_the_same_as_that_of_tables_made_from_the_metadata(database_url: str) -> None:
    """Alembic's comparison doesn't see checks, conditions of indexes, collations and generated columns."""
    async with _connected(database_url) as connection:
        migrated = await _catalogue(connection)
    await asyncio.to_thread(migrations.downgrade, database_url, "base")
    async with _connected(database_url) as connection:
        assert await _catalogue(connection) == []
        await connection.run_sync(metadata.create_all)
        assert await _catalogue(connection) == migrated
        assert len(migrated) > 100 or connection.dialect.name == "sqlite"


async def test_a_new_file_of_sqlite_is_this_users_alone(tmp_path: Path) -> None:
    file = tmp_path / "tether.db"
    await asyncio.to_thread(migrations.upgrade, f"sqlite+aiosqlite:///{file}")
    async with Database(f"sqlite+aiosqlite:///{file}") as database, database.transaction(NOWHERE, writes=True):
        modes = {name: stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in os.listdir(tmp_path)}
    assert modes == {"tether.db": 0o600, "tether.db-wal": 0o600, "tether.db-shm": 0o600}


async def test_down_to_nothing_and_up_again(database_url: str) -> None:
    async with _connected(database_url) as connection:
        before = await _catalogue(connection)
    await asyncio.to_thread(migrations.downgrade, database_url, "base")
    async with Database(database_url) as database:
        assert await database.migration_revision() is None
    await asyncio.to_thread(migrations.upgrade, database_url)
    async with _connected(database_url) as connection:
        assert await _catalogue(connection) == before


async def test_credentials_live_through_the_migration_that_works_out_when_they_end(database_url: str) -> None:
    at = "'2027-01-01T00:00:00+00:00'"
    later = "'2027-07-01T00:00:00+00:00'"
    one, other = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
    await asyncio.to_thread(migrations.downgrade, database_url, "0001")
    async with _connected(database_url) as connection:
        await connection.execute(
            text(f"INSERT INTO organizations VALUES ('{one}', 'acme', 'Acme', {at}, {at}, 1)")  # noqa: S608
        )
        for id_ in (one, other):
            await connection.execute(
                text(f"""INSERT INTO service_connections (
                    organization_id, id, service, name, name_key, status, status_changed_at, required_scopes,
                    granted_scopes, missing_scopes, health_status, health_consecutive_failures, health_probes, labels,
                    settings, version, created_at, updated_at
                ) VALUES (
                    '{one}', '{id_}', 'slack', '{id_}', '{id_}', 'ACTIVE', {at}, '[]', '[]', '[]', 'UNKNOWN', 0,
                    '{_NO_PROBES[connection.dialect.name]}', '{{}}', '{{}}', 1, {at}, {at}
                )""")  # noqa: S608
            )
            await connection.execute(
                text(f"""INSERT INTO service_credentials VALUES (
                    '{one}', '{id_}', '{id_}', 'TOKEN', 'sealed', 'key', 'print', NULL, {at}, {later}, {id_ == one}, 1,
                    {at}, {at}, NULL, NULL, NULL
                )""")  # noqa: S608
            )
    await asyncio.to_thread(migrations.upgrade, database_url)
    ends = select(service_credentials.c.id, service_credentials.c.ends_at).order_by(service_credentials.c.id)
    async with _connected(database_url) as connection:
        rows = [(str(row.id), row.ends_at.isoformat()) for row in await connection.execute(ends)]
    assert rows == [(one, later.strip("'")), (other, at.strip("'"))]
    await asyncio.to_thread(migrations.downgrade, database_url, "0001")
    async with _connected(database_url) as connection:
        kept = await connection.execute(text("SELECT id, sealed, expires_at FROM service_credentials ORDER BY id"))
        assert [(str(row.id), row.sealed) for row in kept] == [(one, "sealed"), (other, "sealed")]


async def test_a_database_that_was_never_migrated_has_no_revision(tmp_path: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/new.db") as database:
        assert await database.migration_revision() is None


async def test_two_processes_that_migrate_at_once_both_succeed(database_url: str) -> None:
    await asyncio.to_thread(migrations.downgrade, database_url, "base")
    async with _connected(database_url) as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
        await connection.commit()
    processes = [
        await start_module("tests.persistence.migrating", database_url, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in processes:
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
    async with Database(database_url) as database:
        assert await database.migration_revision() == migrations.head()


async def test_a_migration_that_leaves_rows_without_their_parent_is_undone(tmp_path: Path) -> None:
    file = tmp_path / "tether.db"
    database_url = f"sqlite+aiosqlite:///{file}"
    await asyncio.to_thread(migrations.upgrade, database_url)
    with sqlite3.connect(file) as connection:
        connection.execute("INSERT INTO event_counters VALUES ('nobody', 1, 0, 0)")
        connection.execute("DELETE FROM alembic_version")
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if table not in {"event_counters", "alembic_version"}:
                connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE event_counters RENAME TO old_counters")
    connection.close()
    with pytest.raises(RuntimeError, match="1 rows that refer to nothing"):
        await asyncio.to_thread(migrations.upgrade, database_url)
    async with Database(database_url) as database:
        assert await database.migration_revision() is None


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailable):
        await asyncio.to_thread(migrations.upgrade, f"postgresql+asyncpg://nobody@/nothing?host={tmp_path}")


@asynccontextmanager
async def _connected(database_url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(database_url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.exec_driver_sql(EVERYWHERE.select, EVERYWHERE.values)
            yield connection
    finally:
        await engine.dispose()


async def _catalogue(connection: AsyncConnection) -> list[tuple[Any, ...]]:
    """All that the database knows of its tables but the one of revisions: columns, constraints, indexes."""
    rows = await connection.execute(text(_CATALOGUES[connection.dialect.name]))
    return [tuple(" ".join(each.split()) if isinstance(each, str) else each for each in row) for row in rows]


_NO_PROBES = {"sqlite": "[]", "postgresql": "{}"}
_CATALOGUES = {
    "sqlite": """
        SELECT type, name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version' ORDER BY type, name
    """,
    "postgresql": """
        WITH tables AS (
            SELECT oid, relname::text FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
        )
        SELECT relname, attname::text, concat_ws(
            ' ', format_type(atttypid, atttypmod), attnotnull, attgenerated, collname, pg_get_expr(adbin, adrelid)
        ) AS definition
        FROM tables JOIN pg_attribute ON attrelid = tables.oid AND attnum > 0 AND NOT attisdropped
        LEFT JOIN pg_collation ON pg_collation.oid = attcollation
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        UNION ALL SELECT relname, conname::text, pg_get_constraintdef(pg_constraint.oid)
        FROM tables JOIN pg_constraint ON conrelid = tables.oid
        UNION ALL SELECT relname, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
        FROM tables JOIN pg_index ON indrelid = tables.oid
        ORDER BY 1, 2, 3
    """,
}
