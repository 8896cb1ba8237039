"""HttpConnections: the connections of HttpClient, lent to one call each and kept open for a while in between.

In place of httpcore's own pool, which at the begin and the end of every call asks each idle connection's socket whether
it is still there: with a hundred of them, that was a third of a health check. Here only the one that is lent is asked.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpcore2

_Key = tuple[bytes, bytes, int]
_Idle = deque[tuple[float, httpcore2.AsyncHTTPConnection]]
"""Until when each is kept: the oldest first."""


class HttpConnections:
    """Made by `connect`, which doesn't dial yet. `at_once` are lent at most, and `idle` kept, for `idle_seconds`."""

    def __init__(
        self,
        connect: Callable[[httpcore2.Origin], httpcore2.AsyncHTTPConnection],
        *,
        at_once: int,
        idle: int,
        idle_seconds: float,
    ) -> None:
        self._connect = connect
        self._room = asyncio.Semaphore(at_once)
        self._most_idle = idle
        self._idle_seconds = idle_seconds
        self._lent: set[httpcore2.AsyncHTTPConnection] = set()
        self._idle: dict[_Key, _Idle] = {}  # one for each origin, which are few
        self._idle_count = 0
        self._closed = False

    @asynccontextmanager
    async def lend(self, origin: httpcore2.Origin) -> AsyncIterator[httpcore2.AsyncHTTPConnection]:
        """A connection for one call, as soon as there is room. After the block it is kept if its answer was read."""
        async with self._room:
            connection = await self._kept(origin) or self._connect(origin)
            self._lent.add(connection)
            try:
                yield connection
            finally:
                self._lent.discard(connection)
                await self._keep(origin, connection)

    async def aclose(self) -> None:
        """Close all, and keep none of those that are still lent."""
        self._closed = True
        idle = [connection for kept in self._idle.values() for _, connection in kept]
        self._idle.clear()
        self._idle_count = 0
        for connection in (*idle, *self._lent):
            await connection.aclose()

    async def _kept(self, origin: httpcore2.Origin) -> httpcore2.AsyncHTTPConnection | None:
        """The one that was used last; those that the other side has closed meanwhile are closed here, too."""
        kept = self._idle.get(_key(origin))
        while kept:
            _, connection = kept.pop()
            self._idle_count -= 1
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    async def _keep(self, origin: httpcore2.Origin, connection: httpcore2.AsyncHTTPConnection) -> None:
        now = time.monotonic()
        if connection.is_idle() and not connection.is_closed() and not self._closed:
            self._idle.setdefault(_key(origin), deque()).append((now + self._idle_seconds, connection))
            self._idle_count += 1
        elif not connection.is_closed():
            await connection.aclose()
        await self._close_old(now)

    async def _close_old(self, now: float) -> None:
        """Those whose time is over, and the oldest where there are too many."""
        for kept in list(self._idle.values()):
            while kept and kept[0][0] <= now:
                await self._close_first(kept)
        while self._idle_count > self._most_idle:
            await self._close_first(min(filter(None, self._idle.values()), key=lambda kept: kept[0][0]))

    async def _close_first(self, kept: _Idle) -> None:
        _, connection = kept.popleft()
        self._idle_count -= 1
        await connection.aclose()


def _key(origin: httpcore2.Origin) -> _Key:
    return origin.scheme, origin.host, origin.port
