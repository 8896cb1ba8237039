"""Connections to services are lent to one call each, kept open in between, and closed when they are of no more use."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpcore2
import pytest

from domain.http_connections import HttpConnections

pytestmark = pytest.mark.anyio


class Server:
    """Answers each request with `ok`, and knows its connections."""

    def __init__(self) -> None:
        self.open: list[asyncio.StreamWriter] = []
        self.accepted = 0
        self.changed = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self.changed:
            self.accepted += 1
            self.open.append(writer)
            self.changed.notify_all()
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()
        async with self.changed:
            self.open.remove(writer)
            self.changed.notify_all()

    async def wait_for_open(self, count: int) -> None:
        await self._wait_for(lambda: len(self.open) == count)

    async def wait_for_accepted(self, count: int) -> None:
        await self._wait_for(lambda: self.accepted == count)

    async def _wait_for(self, comes_true: Callable[[], bool]) -> None:
        async with self.changed:
            await asyncio.wait_for(self.changed.wait_for(comes_true), 5)


@asynccontextmanager
async def _serving() -> AsyncIterator[tuple[Server, httpcore2.URL]]:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        yield server, httpcore2.URL(f"http://127.0.0.1:{port}/")
        listener.close()


def _connections(*, at_once: int = 10, idle: int = 10, idle_seconds: float = 60.0) -> HttpConnections:
    return HttpConnections(httpcore2.AsyncHTTPConnection, at_once=at_once, idle=idle, idle_seconds=idle_seconds)


async def _call(connections: HttpConnections, url: httpcore2.URL, answered: asyncio.Event | None = None) -> bytes:
    """One call, which keeps its connection until `answered` is set."""
    async with connections.lend(url.origin) as connection:
        request = httpcore2.Request("GET", url, headers=[("Host", "test")])
        response = await connection.handle_async_request(request)
        body = b"".join([chunk async for chunk in response.aiter_stream()])
        await response.aclose()
        if answered is not None:
            await answered.wait()
        return body


async def test_a_connection_is_used_again() -> None:
    async with _serving() as (server, url):
        connections = _connections()
        assert [await _call(connections, url) for _ in range(3)] == [b"ok"] * 3
        assert server.accepted == 1
        await connections.aclose()
        await server.wait_for_open(0)


async def test_one_that_the_server_has_closed_is_not() -> None:
    async with _serving() as (server, url):
        connections = _connections()
        await _call(connections, url)
        server.open[0].close()
        await server.open[0].wait_closed()
        assert await _call(connections, url) == b"ok"
        assert server.accepted == 2
        await connections.aclose()


async def test_no_more_are_lent_than_there_may_be_at_once() -> None:
    async with _serving() as (server, url):
        connections, answered = _connections(at_once=2), asyncio.Event()
        calls = [asyncio.create_task(_call(connections, url, answered)) for _ in range(5)]
        await server.wait_for_accepted(2)
        answered.set()
        assert await asyncio.gather(*calls) == [b"ok"] * 5
        assert server.accepted == 2
        await connections.aclose()


async def test_what_is_too_old_or_too_many_is_closed() -> None:
    async with _serving() as (server, url):
        few, answered = _connections(idle=1), asyncio.Event()
        calls = [asyncio.create_task(_call(few, url, answered)) for _ in range(3)]
        await server.wait_for_accepted(3)
        answered.set()
        await asyncio.gather(*calls)
        await server.wait_for_open(1)
        await few.aclose()
        short = _connections(idle_seconds=0.0)
        await _call(short, url)
        await server.wait_for_open(0)


async def test_one_whose_answer_was_not_read_is_closed() -> None:
    async with _serving() as (server, url):
        connections = _connections()
        async with connections.lend(url.origin) as connection:
            response = await connection.handle_async_request(httpcore2.Request("GET", url, headers=[("Host", "test")]))
            await response.aclose()
        await server.wait_for_open(0)
        assert await _call(connections, url) == b"ok"
        await connections.aclose()


async def test_a_call_that_is_cancelled_gives_its_place_to_others() -> None:
    async with _serving() as (server, url):
        connections, never = _connections(at_once=1), asyncio.Event()
        call = asyncio.create_task(_call(connections, url, never))
        await server.wait_for_accepted(1)
        call.cancel()
        await asyncio.wait([call])
        assert await asyncio.wait_for(_call(connections, url), 5) == b"ok"
        await connections.aclose()
