"""What one client, and all together, may do with WebSockets; what is left of a socket that has ended: nothing."""

import asyncio
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from domain.entities.user import Role
from gql.context import Context
from gql.http.socket_pace import SocketPace
from gql.schema import TetherSchema
from tests.gql.server import TetherServer, running_tether, uuid_of
from tests.gql.waiting import eventually
from tests.gql.web_socket import PROTOCOL, Socket, open_socket
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

VIEWER = "{ viewer { user { name } } }"
FOLLOW = "subscription ($id: ID!) { connectionEvents(organizationId: $id) { type } }"


@pytest.fixture(scope="module")
async def narrow(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, sandbox: SandboxServer, encryption_key: str
) -> AsyncIterator[TetherServer]:
    """A server on which little fits."""
    file = tmp_path_factory.mktemp("narrow") / "tether.db"
    shutil.copyfile(sqlite_template, file)
    limits = {
        "OPEN_STREAMS": 8,
        "CALLER_STREAMS": 3,
        "CALLER_OPERATIONS": 4,
        "SOCKET_OPERATIONS": 3,
        "SOCKET_MESSAGES": 40,
        "SOCKET_INIT_SECONDS": 1,
        "SOCKET_UNREAD_SECONDS": 1,
        "FRAME_KILOBYTES": 2,
        "REQUEST_SECONDS": 2,
    }
    settings = {f"TETHER_MAX_{name}": str(value) for name, value in limits.items()}
    async with running_tether(f"sqlite+aiosqlite:///{file}", sandbox, encryption_key, **settings) as running:
        yield running


def _conversing() -> set[asyncio.Task[Any]]:
    """What runs for sockets, also for those of servers that other tests share."""
    return {task for task in asyncio.all_tasks() if "SocketConversation" in repr(task)}


@pytest.fixture(autouse=True)
async def _nothing_is_left(narrow: TetherServer) -> AsyncIterator[None]:
    """Every test here ends with all sockets closed, and the server knows and has ended what ran for them."""
    others = _conversing()
    yield

    async def none() -> bool:
        return await _open_sockets(narrow) == 0

    await eventually(none)
    assert _conversing() <= others


async def test_one_caller_has_so_many_sockets_and_another_one_as_many(narrow: TetherServer) -> None:
    mine, other = await narrow.token(), (await narrow.member(Role.ADMIN)).token
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(narrow.socket(mine)) for _ in range(3)]
        async with open_socket(narrow.ws_url) as fourth:
            await fourth.send({"type": "connection_init", "payload": {"authorization": f"Bearer {mine}"}})
            assert await fourth.close_code() == 1013
            assert (
                fourth.connection.close_reason
                == "You have 3 sockets and streams open, which is the most. Close one first."
            )
        await stack.enter_async_context(narrow.socket(other))
        await sockets[0].connection.close()

        async def again() -> bool:
            async with open_socket(narrow.ws_url) as fourth:
                await fourth.send({"type": "connection_init", "payload": {"authorization": f"Bearer {mine}"}})
                return await fourth.acknowledged()

        await eventually(again)


async def test_strangers_from_one_address_have_as_many_and_all_together_no_more_than_a_process_bears(
    narrow: TetherServer,
) -> None:
    tokens = [await narrow.token(), (await narrow.member(Role.ADMIN)).token]
    async with AsyncExitStack() as stack:
        for token in [None, None, tokens[0], tokens[0], tokens[0], tokens[1], tokens[1], None]:
            await stack.enter_async_context(narrow.socket(token))
        async with open_socket(narrow.ws_url) as ninth:
            assert await ninth.close_code() == 1013
            assert (
                ninth.connection.close_reason
                == "This server keeps at most 8 sockets and streams open. Try again later."
            )
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(narrow.socket(None))
        async with open_socket(narrow.ws_url) as fourth:
            assert await fourth.close_code() == 1013
            assert (fourth.connection.close_reason or "").startswith("You have 3 sockets")


async def test_one_caller_runs_so_many_operations_on_all_sockets(narrow: TetherServer) -> None:
    client, organization_id = await narrow.member(), await narrow.organization_id()
    async with narrow.socket(client.token) as one, narrow.socket(client.token) as two:
        followed = [await one.subscribe(FOLLOW, id=organization_id) for _ in range(3)]
        await two.subscribe(FOLLOW, id=organization_id)

        async def full() -> bool:
            message = await (await two.subscribe(VIEWER)).message()
            return bool(message["type"] == "error")

        await eventually(full)
        assert await (await two.subscribe(VIEWER)).error() == (
            "RATE_LIMITED",
            "You run 4 operations on sockets and streams, which is the most. Complete one.",
        )
        assert await client.data(VIEWER), "requests by POST are none of these"
        await followed[0].complete()

        async def free() -> bool:
            return bool((await (await two.subscribe(VIEWER)).message())["type"] == "next")

        await eventually(free)


async def test_more_messages_than_are_heard_in_a_second_wait_their_turn(narrow: TetherServer) -> None:
    async with narrow.socket(None) as socket_:
        begun = time.monotonic()
        for number in range(60):
            await socket_.send({"type": "ping", "payload": {"number": number}})
        heard = [(await socket_.next_of(socket_.others))["payload"]["number"] for _ in range(30)]
        soon = time.monotonic() - begun
        heard += [(await socket_.next_of(socket_.others))["payload"]["number"] for _ in range(30)]
        assert heard == list(range(60))
        assert time.monotonic() - begun > 0.4, "19 of them or more were to wait"
        assert soon < time.monotonic() - begun


async def test_a_frame_that_is_too_large_closes_the_socket(narrow: TetherServer) -> None:
    async with narrow.socket(None) as socket_:
        await socket_.send({"type": "ping", "payload": {"padding": "x" * 1_900}})
        assert (await socket_.next_of(socket_.others))["type"] == "pong"
        await socket_.send({"type": "ping", "payload": {"padding": "x" * 2_100}})
        assert await socket_.close_code() == 1009


async def test_who_does_not_begin_in_time_is_sent_away_and_who_has_begun_is_not(narrow: TetherServer) -> None:
    async with narrow.socket(None) as begun, open_socket(narrow.ws_url) as silent:
        await silent.send({"type": "ping"})
        assert await silent.close_code() == 4408
        assert silent.connection.close_reason == "Connection initialisation timeout"
        await begun.send({"type": "ping"})
        assert await begun.next_of(begun.others) == {"type": "pong"}


async def test_a_query_is_given_up_in_time_and_a_subscription_is_not(
    narrow: TetherServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, organization_id = await narrow.member(), await narrow.organization_id()
    connection, never = await narrow.connect(client), asyncio.Event()
    after = f"evt~{uuid_of(organization_id)}~1~0"
    follow = "subscription ($id: ID!, $after: String) { connectionHealth(organizationId: $id, after: $after) { type } }"
    async with narrow.socket(client.token) as socket_:
        followed = await socket_.subscribe(follow, id=organization_id, after=after)
        assert await followed.event() == {"type": "HEALTH_CHECKED"}
        assert [event["type"] for event in await followed.events(2)] == ["HEALTH_CHANGED", "STATUS_CHANGED"]
        with monkeypatch.context() as stopping:
            stopping.setattr(narrow.tether.documents, "read", lambda *_, **__: never.wait())
            assert await (await socket_.subscribe(VIEWER)).error() == (
                "SERVICE_UNAVAILABLE",
                "This took longer than 2 s and was given up. Ask for less at once.",
            )
        await client.mutate(
            "updateConnectionStatus", "connection { id }", connectionId=connection["id"], status="INACTIVE"
        )
        assert await followed.event() == {"type": "STATUS_CHANGED"}


async def test_who_does_not_read_is_dropped(narrow: TetherServer) -> None:
    client, organization_id = await narrow.member(), await narrow.organization_id()
    connection = await narrow.connect(client, labels={str(number): "x" * 255 for number in range(32)})
    for number in range(30):
        renamed = {"connectionId": connection["id"], "name": f"N{number}"}
        await client.mutate("updateConnection", "connection { id }", **renamed)
    wide = " ".join(f"l{number}: labels" for number in range(30))
    follow = (
        "subscription ($id: ID!, $after: String) { connectionEvents(organizationId: $id, after: $after) { connection "
        f"{{ {wide} }} }} }}"
    )
    small = socket.create_connection(("127.0.0.1", int(narrow.url.rpartition(":")[2])))
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    async with connect(
        narrow.ws_url, sock=small, subprotocols=[Subprotocol(PROTOCOL)], proxy=None, max_size=None
    ) as opened:
        stuck = Socket(opened)
        reading = asyncio.create_task(stuck.read())
        await stuck.init({"authorization": f"Bearer {client.token}"})
        opened.transport.pause_reading()
        # 8 MB, which is more than systems keep for one who doesn't read
        await stuck.subscribe(follow, id=organization_id, after=f"evt~{uuid_of(organization_id)}~1~0")

        async def dropped() -> bool:
            return await _open_sockets(narrow) == 0

        assert await _open_sockets(narrow) == 1
        await eventually(dropped)
        opened.transport.abort()
        await reading


@pytest.mark.parametrize(
    "ending",
    [
        {"type": "nonsense"},
        {"type": "connection_init"},
        {"type": "subscribe", "id": "1", "payload": {"query": VIEWER}},
        None,
    ],
)
async def test_nothing_runs_on_after_the_end(narrow: TetherServer, ending: dict[str, Any] | None) -> None:
    client, organization_id = await narrow.member(), await narrow.organization_id()
    others = _conversing()
    async with narrow.socket(client.token) as socket_:
        for _ in range(3):
            await socket_.subscribe(FOLLOW, id=organization_id)
        if ending is None:
            socket_.connection.transport.abort()
        else:
            await socket_.send(ending)
            assert await socket_.close_code() in {4400, 4409, 4429}
            # What ran was ended before the socket was closed.
            assert _conversing() <= others


async def test_a_failure_of_our_own_closes_the_socket_as_one(
    narrow: TetherServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with narrow.socket(None) as socket_:
        monkeypatch.setattr(SocketPace, "turn", lambda _: _fail())
        await socket_.send({"type": "ping"})
        assert await socket_.close_code() == 4500
        assert socket_.connection.close_reason == "Internal server error"
    [failure] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert failure.exc_info is not None


async def _fail() -> None:
    raise KeyError("nobody meant this")


async def test_each_operation_has_a_context_of_its_own(narrow: TetherServer, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts: list[Context] = []
    stream = TetherSchema.stream

    async def noting(self: TetherSchema, *given: Any, **named: Any) -> Any:
        contexts.append(named["context_value"])
        return await stream(self, *given, **named)

    monkeypatch.setattr(TetherSchema, "stream", noting)
    client = await narrow.member()
    async with narrow.socket(client.token) as socket_:
        query = "query ($id: ID!) { node(id: $id) { id } }"
        user = (await client.data("{ viewer { user { id } } }"))["viewer"]["user"]["id"]
        assert await (await socket_.subscribe(query, id=user)).next() == {"node": {"id": user}}
        code, _ = await (await socket_.subscribe(query)).error()
        assert code == "BAD_USER_INPUT", "the variable of the operation before isn't known any more"
        [name] = [row["name"] for row in await narrow.rows("users") if f"user_{row['id']}" == user]
        assert await (await socket_.subscribe(VIEWER)).next() == {"viewer": {"user": {"name": name}}}
    assert len({id(context) for context in contexts}) == 3
    assert len({id(context.proof) for context in contexts}) == 1


async def _open_sockets(server: TetherServer) -> int:
    metrics = (await server.http.get("/metrics")).text
    found = re.search(r"^tether_graphql_sockets (\d+)", metrics, re.MULTILINE)
    assert found is not None
    return int(found[1])
