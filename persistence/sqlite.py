"""SQLite as Tether runs it: one connection that writes, a few that read beside it, and raw ones for documents.

Called by Database and, for the file and for its way to begin, by the migrations.
"""

import asyncio
import os
from pathlib import Path
from typing import Any, Final, Literal

import aiosqlite
from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from persistence.json_text import ENGINE_JSON

_MODE: Final = "rw"  # never "rwc": a mistyped address must not leave an empty file behind
_READ_ONLY: Final = "PRAGMA query_only = ON"
_INTERRUPT_EVERY_SECONDS: Final = 0.005


def create_engine(
    url: URL, *, size: int, wait_seconds: float, begin: Literal["BEGIN", "BEGIN IMMEDIATE"]
) -> AsyncEngine:
    """On a file that is there. With BEGIN IMMEDIATE its transactions may write, with BEGIN they can't.

    A transaction that begins by reading and goes on to write fails at once if another one has written meanwhile,
    however long it would wait: so those that will write say so at the start.
    """
    engine = create_async_engine(
        url.set(database=_uri(url), query={"uri": "true", "mode": _MODE}),
        pool_size=size,
        max_overflow=0,
        pool_timeout=wait_seconds,
        hide_parameters=True,
        **ENGINE_JSON,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None  # the driver's own guesses at when to begin are off
        cursor = dbapi_connection.cursor()
        for setting in (*_settings(wait_seconds), *([_READ_ONLY] if begin == "BEGIN" else [])):
            cursor.execute(setting)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def create_file(url: URL) -> None:
    """An empty one, for this user alone, unless there is one. SQLite gives the files beside it the same mode."""
    os.close(os.open(url.database or "", os.O_CREAT | os.O_RDWR, 0o600))


def _uri(url: URL) -> str:
    return Path(url.database or "").absolute().as_uri()


def _settings(wait_seconds: float) -> tuple[str, ...]:
    return (
        f"PRAGMA busy_timeout = {int(wait_seconds * 1_000)}",  # for other processes' writes
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = NORMAL",
        "PRAGMA foreign_keys = ON",
    )


class SqliteDriver:
    """aiosqlite's connections, by themselves: in autocommit, read-only, one thread each."""

    def __init__(self, url: URL, *, wait_seconds: float) -> None:
        self._uri = f"{_uri(url)}?mode={_MODE}"
        self._wait_seconds = wait_seconds
        self._ending: set[asyncio.Future[Any]] = set()

    async def connect(self) -> Any:
        connecting = aiosqlite.connect(self._uri, uri=True, isolation_level=None, cached_statements=256)
        connecting._thread.daemon = True  # as SQLAlchemy does: a process that fails must not hang on it
        connection = await connecting
        try:
            for setting in (*_settings(self._wait_seconds), _READ_ONLY):
                await connection.execute_fetchall(setting)
        except BaseException:
            self._end(connection)
            raise
        return connection

    def is_usable(self, connection: Any) -> bool:
        return bool(connection._running and not connection.in_transaction)

    async def interrupt(self, connection: Any) -> None:
        """From this thread, since the connection's own is busy, until that has come to what is asked of it now.

        Once wouldn't do: a statement that its thread has only just taken up doesn't notice.
        """
        idle = asyncio.ensure_future(connection._execute(int))
        while not idle.done():
            connection._conn.interrupt()
            await asyncio.wait({idle}, timeout=_INTERRUPT_EVERY_SECONDS)

    def terminate(self, connection: Any) -> None:
        if connection._running:
            connection._conn.interrupt()
            self._end(connection)

    async def close(self, connection: Any) -> None:
        await connection.close()

    async def settle(self) -> None:
        while self._ending:
            await asyncio.wait(self._ending)

    def _end(self, connection: Any) -> None:
        """Its thread says so to this loop when it ends, which is therefore not to be closed before."""
        ended = connection.stop()
        self._ending.add(ended)
        ended.add_done_callback(self._ending.discard)
