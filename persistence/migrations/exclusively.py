"""A transaction in which only one process at a time migrates a database, and which is kept as a whole or not at all.

Called by the migrations' `upgrade` and `downgrade`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, Connection, NullPool, event, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from persistence import sqlite
from persistence.row_security import EVERYWHERE

_WAIT_SECONDS: Final = 60.0  # for another process that migrates a SQLite database; PostgreSQL's lock waits for ever


@asynccontextmanager
async def exclusively(url: URL) -> AsyncIterator[AsyncConnection]:
    """On SQLite the one writer's transaction, on PostgreSQL one that holds the lock of the table of revisions."""
    if url.get_backend_name() == "sqlite":
        sqlite.create_file(url)
        engine = sqlite.create_engine(url, size=1, wait_seconds=_WAIT_SECONDS, begin="BEGIN IMMEDIATE")
        event.listen(engine.sync_engine, "connect", _ignore_foreign_keys)
    else:
        engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        if engine.dialect.name == "postgresql":
            await _create_table_of_revisions(engine)
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
                await connection.exec_driver_sql(EVERYWHERE.select, EVERYWHERE.values)  # what it moves is everyone's
            yield connection
            if engine.dialect.name == "sqlite":
                await _check_foreign_keys(connection)
    finally:
        await engine.dispose()


def _ignore_foreign_keys(dbapi_connection: Any, _record: object) -> None:
    """While SQLite writes a table anew, the rows that refer to it would be in its way."""
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF")
    cursor.close()


async def _check_foreign_keys(connection: AsyncConnection) -> None:
    broken = (await connection.execute(text("PRAGMA foreign_key_check"))).all()
    if broken:
        raise RuntimeError(f"the migration would leave {len(broken)} rows that refer to nothing, such as {broken[0]}")


async def _create_table_of_revisions(engine: AsyncEngine) -> None:
    """So that there is something to lock. Of two processes that create it at once, one fails: then it is there."""
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_ensure)
    except (IntegrityError, ProgrammingError):
        async with engine.begin() as connection:
            await connection.run_sync(_ensure)


def _ensure(connection: Connection) -> None:
    MigrationContext.configure(connection)._ensure_version_table()
