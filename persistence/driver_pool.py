"""DriverPool: raw driver connections for reads, which need neither SQLAlchemy nor a transaction around one statement.

Owned by Database; `sqlite.py` and `postgresql.py` say how their connections are opened, judged and ended.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from domain.errors import ServiceUnavailable
from persistence.driver_errors import BUSY
from persistence.pool_use import PoolUse


class Driver(Protocol):
    """What differs between the drivers. A connection is an asyncpg.Connection or an aiosqlite.Connection."""

    async def connect(self) -> Any: ...

    def is_usable(self, connection: Any) -> bool:
        """Whether it can serve again, as far as can be told without asking the server."""

    async def interrupt(self, connection: Any) -> None:
        """Stop the statement whose caller no longer waits for it, or end the connection where that isn't sure."""

    def terminate(self, connection: Any) -> None:
        """End the connection without waiting for anything."""

    async def close(self, connection: Any) -> None: ...

    async def settle(self) -> None:
        """Wait until the connections that were terminated have ended."""


class DriverPool:
    """Lends at most `size` connections at a time, the most recently used first, and opens them when first needed."""

    def __init__(self, driver: Driver, *, size: int, wait_seconds: float, lend_seconds: float) -> None:
        self._driver = driver
        self._free = asyncio.Semaphore(size)
        self._size = size
        self._lent = 0
        self._wait_seconds = wait_seconds
        self._lend_seconds = lend_seconds
        self._idle: list[Any] = []
        self._closed = False

    @property
    def use(self) -> PoolUse:
        return PoolUse(self._lent, self._size)

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Any]:
        """A connection outside of any transaction, for `lend_seconds` at most.

        Raises ServiceUnavailable if none is free within `wait_seconds`, TimeoutError if it was kept too long, and
        whatever the driver raises where it can't connect.
        """
        await self._wait_for_turn()
        self._lent += 1
        try:
            connection = await self._take()
            keep = True
            try:
                async with asyncio.timeout(self._lend_seconds):
                    yield connection
            except asyncio.CancelledError:
                keep = False  # should this be cancelled too, the statement may still run
                await self._driver.interrupt(connection)
                keep = True
                raise
            except TimeoutError:
                keep = False  # nothing is known of the other side
                raise
            finally:
                await self._put_back(connection, keep=keep)
        finally:
            self._lent -= 1
            self._free.release()

    async def close(self) -> None:
        """Close what is idle now, and the rest when it comes back."""
        self._closed = True
        while self._idle:
            await self._driver.close(self._idle.pop())
        await self._driver.settle()

    async def _wait_for_turn(self) -> None:
        if self._closed:
            raise RuntimeError("the database has been closed")
        if not self._free.locked():  # the usual case, which needs no timer
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise ServiceUnavailable(BUSY) from None

    async def _take(self) -> Any:
        while self._idle:
            connection = self._idle.pop()
            if self._driver.is_usable(connection):
                return connection
            self._driver.terminate(connection)
        async with asyncio.timeout(self._wait_seconds):
            return await self._driver.connect()

    async def _put_back(self, connection: Any, *, keep: bool) -> None:
        if not keep or not self._driver.is_usable(connection):
            self._driver.terminate(connection)
        elif self._closed:
            await self._driver.close(connection)
        else:
            self._idle.append(connection)
