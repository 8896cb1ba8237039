"""Requests whose first line and headers don't end, or don't come: nobody needs a token to send them."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from gql.http import bounded_heads
from gql.http.bounded_heads import LARGEST_HEAD_BYTES
from tests.gql.client import Client
from tests.gql.server import TetherServer

pytestmark = pytest.mark.anyio

VIEWER = "{ viewer { user { name } } }"
HEAD = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def client(shared_server: TetherServer) -> Client:
    return await shared_server.member()


@pytest.fixture
async def connection(shared_server: TetherServer) -> AsyncIterator[Connection]:
    address = urlsplit(shared_server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    yield reader, writer
    writer.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_heads, "HEAD_SECONDS", 0.3)


async def _all_that_comes(reader: asyncio.StreamReader) -> bytes:
    """Until the connection ends."""
    async with asyncio.timeout(10):
        text = b""
        try:
            while chunk := await reader.read(65_536):
                text += chunk
        except ConnectionResetError:  # as much was on its way that nobody wanted
            pass
        return text


@pytest.mark.parametrize(
    "begin", [HEAD + b"Accept: ", b"GET /", HEAD + b"X-", HEAD], ids=["value", "url", "name", "all"]
)
async def test_a_head_without_end_is_given_up(connection: Connection, begin: bytes) -> None:
    reader, writer = connection
    more = b"X-Header: x\r\n" * 100 if begin == HEAD else b"x" * 1_300
    writer.write(begin)
    sent = 0
    while not reader.at_eof() and sent < 64 * LARGEST_HEAD_BYTES:
        writer.write(more)
        sent += len(more)
        try:
            await writer.drain()
        except ConnectionError:
            break
    assert sent < 64 * LARGEST_HEAD_BYTES
    answer = await _all_that_comes(reader)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


async def test_a_head_as_large_as_may_be_is_read(client: Client, shared_server: TetherServer) -> None:
    headers = {"X-Large": "x" * (LARGEST_HEAD_BYTES - 1_000), "Authorization": f"Bearer {client.token}"}
    for _ in range(3):
        answer = await shared_server.http.post("/graphql", json={"query": VIEWER}, headers=headers)
        assert answer.json()["data"] == {"viewer": {"user": {"name": "owner"}}}


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("answered", "status", "rest"),
    [
        (b"", b"", b""),
        (b"", b"", b"\r\n"),
        (b"", b"", HEAD),
        (LIVEZ, b"HTTP/1.1 200 ", b"\r\n"),
        (LIVEZ, b"HTTP/1.1 200 ", HEAD),
        (HEAD + b"Content-Length: 999999\r\n\r\n{", b"HTTP/1.1 413 ", b"{"),
    ],
    ids=["nothing", "a blank line", "half a head", "a blank line after a request", "half a head after one", "a body"],
)
async def test_who_says_nothing_to_the_end_is_not_waited_for(
    connection: Connection, answered: bytes, status: bytes, rest: bytes
) -> None:
    reader, writer = connection
    if answered:
        writer.write(answered)
        assert (await reader.readuntil(b"\r\n")).startswith(status)
        await reader.readuntil(b"}")
    writer.write(rest)
    assert b"HTTP/1.1" not in await _all_that_comes(reader)


@pytest.mark.usefixtures("hurried")
async def test_what_has_been_asked_takes_its_time(
    client: Client, connection: Connection, shared_server: TetherServer
) -> None:
    reader, writer = connection
    async with shared_server.socket(client.token) as socket:
        writer.write(LIVEZ + HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{")
        await asyncio.sleep(0.6)  # longer than a head may take
        writer.write(b"}")
        assert b"There is no query" in await _all_that_comes(reader)
        assert await (await socket.subscribe(VIEWER)).next() == {"viewer": {"user": {"name": "owner"}}}
