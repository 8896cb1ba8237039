"""Database: the way to a SQLite file or a PostgreSQL server, opened once a process by the composition root.

Units of work take transactions from it, documents and the feed take raw driver connections.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import orjson
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.entities.user import Viewer
from domain.observation import UNOBSERVED, Observation
from persistence import postgresql, row_security, sqlite
from persistence.database_url import parse_database_url
from persistence.driver_errors import translating_errors
from persistence.driver_pool import Driver, DriverPool
from persistence.pool_use import PoolUse, use_of_engine
from persistence.statement_watch import READ, StatementWatch
from persistence.transaction import Transaction
from persistence.uninterrupted import uninterrupted

_LEND_SECONDS = 6.0  # a second more than PostgreSQL gives a statement; for SQLite the only limit


class Database:
    """Connects when first used. Raises ValueError if the address can't be used.

    `write_connections` are PostgreSQL's, for units of work; SQLite has one writer, for which the others queue.
    `read_connections` answer documents. Whoever finds none free, or SQLite's file locked by another process, for
    `wait_seconds` gets ServiceUnavailable.
    """

    def __init__(
        self,
        database_url: str,
        *,
        write_connections: int = 5,
        read_connections: int = 8,
        wait_seconds: float = 5.0,
        observation: Observation = UNOBSERVED,
    ) -> None:
        url = parse_database_url(database_url)
        self.dialect_name: Literal["sqlite", "postgresql"]
        self._file: Path | None = None
        driver: Driver
        if url.get_backend_name() == "sqlite":
            self.dialect_name = "sqlite"
            self._file = Path(url.database or "")
            self._writing = sqlite.create_engine(url, size=1, wait_seconds=wait_seconds, begin="BEGIN IMMEDIATE")
            self._reading = sqlite.create_engine(url, size=4, wait_seconds=wait_seconds, begin="BEGIN")
            driver = sqlite.SqliteDriver(url, wait_seconds=wait_seconds)
        else:
            self.dialect_name = "postgresql"
            self._writing = postgresql.create_engine(url, size=write_connections, wait_seconds=wait_seconds)
            self._reading = self._writing.execution_options(postgresql_readonly=True)
            driver = postgresql.PostgresqlDriver(self._writing, url)
        self._watch = StatementWatch(observation, self.dialect_name)
        self._reads = DriverPool(driver, size=read_connections, wait_seconds=wait_seconds, lend_seconds=_LEND_SECONDS)

    @property
    def engine(self) -> AsyncEngine:
        """The engine whose transactions may write."""
        return self._writing

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection. Without it a process on SQLite may not end."""
        await self._reads.close()
        await self._writing.dispose()
        if self._reading is not self._writing:
            await self._reading.dispose()

    @asynccontextmanager
    async def driver_connection(self) -> AsyncIterator[Any]:
        """A raw asyncpg.Connection or aiosqlite.Connection for reads, outside of any transaction, for 6 s at most.

        On aiosqlite use `execute_fetchall`: a cursor left unread would hold its snapshot for the next borrower. A
        cancelled statement is stopped. Raises ServiceUnavailable for every outage, also one inside the block.
        """
        with translating_errors():
            async with self._reads.lend() as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self, reach: row_security.Reach, *, writes: bool) -> AsyncIterator[Transaction]:
        """A transaction that is undone unless it was committed; for units of work alone.

        Raises ServiceUnavailable if it can't begin.
        """
        connection = (self._writing if writes else self._reading).connect()
        with translating_errors():
            await connection.start()
        try:
            transaction = Transaction(connection, reach, writes=writes, watch=self._watch)
            with translating_errors():
                await uninterrupted(transaction.begin())
            yield transaction
        finally:
            with translating_errors():
                await uninterrupted(connection.close())

    async def fetch_everywhere(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """The rows of one statement that reads, whichever organizations they are of. Raises ServiceUnavailable.

        On PostgreSQL they come as JSON does: ids and moments are texts.
        """
        if self.dialect_name == "sqlite":
            return await self.fetch(sql, values)
        return _rows(await self.fetch(row_security.everywhere(row_security.rows_as_json(sql)), values))

    async def fetch_for(self, viewer: Viewer, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The same of the organizations that the viewer may see."""
        if self.dialect_name == "sqlite":
            return await self.fetch(sql, values)
        own = row_security.own_organizations(*(f"${len(values) + number}::uuid" for number in (1, 2)))
        bound = row_security.within(own, row_security.rows_as_json(sql))
        return _rows(await self.fetch(bound, [*values, viewer.user_id, viewer.confined_to]))

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """The rows of one statement that reads, in the driver's own words and values. Raises ServiceUnavailable.

        On PostgreSQL it sees no tenant's rows unless it says itself whose, as documents do.
        """
        async with self.driver_connection() as connection:
            with self._watch.watching(READ) as watched:
                watched.is_sql(sql)
                if self.dialect_name == "postgresql":
                    rows: list[Sequence[Any]] = await connection.fetch(sql, *values)
                else:
                    rows = await connection.execute_fetchall(sql, values)
                return rows

    def pool_use(self) -> Mapping[str, PoolUse]:
        """How many connections of each kind are in use just now: documents, and transactions that write or read."""
        uses = {"DOCUMENTS": self._reads.use, "WRITING": use_of_engine(self._writing)}
        if self._reading.sync_engine.pool is not self._writing.sync_engine.pool:
            uses["READING"] = use_of_engine(self._reading)
        return uses

    async def ping(self) -> None:
        """Raises ServiceUnavailable unless the database answers."""
        await self.fetch("SELECT 1")

    async def version(self) -> tuple[int, ...]:
        """Of SQLite's library or of the PostgreSQL server, such as (16, 4). Raises ServiceUnavailable for no answer."""
        async with self.driver_connection() as connection:
            if self.dialect_name == "sqlite":
                return sqlite3.sqlite_version_info
            server = connection.get_server_version()
            return server.major, server.minor

    async def bypasses_row_security(self) -> bool:
        """Whether PostgreSQL holds this role to no policy. Raises ServiceUnavailable."""
        if self.dialect_name == "sqlite":
            return False
        return bool((await self.fetch(row_security.BYPASSED))[0][0])

    async def migration_revision(self) -> str | None:
        """The revision to which the database has been migrated; None: never, or there is no file of SQLite's yet."""
        if self._file is not None and not await asyncio.to_thread(self._file.exists):
            return None
        async with self.transaction(row_security.NOWHERE, writes=False) as transaction:
            with translating_errors():
                return await uninterrupted(transaction.connection.run_sync(_revision))


def _rows(answer: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    return [tuple(row.values()) for row in orjson.loads(answer[0][0])]


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
