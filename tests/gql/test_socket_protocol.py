"""The protocol graphql-transport-ws as it is specified: which message is answered how, and what closes a socket."""

from typing import Any

import orjson
import pytest

from tests.gql.client import Client
from tests.gql.server import TetherServer
from tests.gql.web_socket import open_socket

pytestmark = pytest.mark.anyio

INIT = {"type": "connection_init"}
VIEWER = "{ viewer { user { name } } }"


@pytest.fixture
async def client(shared_server: TetherServer) -> Client:
    return await shared_server.member()


def _subscribe(query: object, id_: object = "1") -> dict[str, Any]:
    return {"type": "subscribe", "id": id_, "payload": {"query": query}}


@pytest.mark.parametrize("after_init", [False, True])
@pytest.mark.parametrize(
    "message",
    [
        "null",
        "[]",
        "1",
        '"x"',
        "{",
        "",
        "[" * 60_000,
        '{"type": null}',
        '{"type": "nope"}',
        '{"id": "1"}',
        b"{}",
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ viewer { user { name } } }"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "operationName": 1}}',
        '{"type": "complete"}',
    ],
)
async def test_a_message_that_is_none_closes_the_socket(
    shared_server: TetherServer, message: str | bytes, after_init: bool
) -> None:
    async with open_socket(shared_server.ws_url) as socket:
        if after_init:
            await socket.init()
        await socket.connection.send(message)

        assert await socket.close_code() == 4400


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([_subscribe(VIEWER)], 4401),
        ([{**INIT, "payload": 5}], 4400),
        ([{**INIT, "payload": {"authorization": "Bearer x"}}], 4403),
        ([{**INIT, "payload": {"authorization": "Basic x"}}], 4403),
        ([{**INIT, "payload": {"authorization": 5}}], 4403),
        ([INIT, INIT], 4429),
        ([{**INIT, "payload": {"padding": "x" * 70_000}}], 1009),
    ],
)
async def test_a_message_out_of_turn_closes_the_socket(
    shared_server: TetherServer, messages: list[Any], code: int
) -> None:
    async with open_socket(shared_server.ws_url) as socket:
        for message in messages:
            await socket.send(message)

        assert await socket.close_code() == code


@pytest.mark.parametrize("subprotocol", ["graphql-ws", "graphql-sse", None])
async def test_another_protocol_is_not_spoken(shared_server: TetherServer, subprotocol: str | None) -> None:
    async with open_socket(shared_server.ws_url, subprotocol=subprotocol) as socket:
        assert await socket.close_code() == 4406


async def test_who_does_not_begin_within_5_seconds_is_sent_away(shared_server: TetherServer) -> None:
    async with open_socket(shared_server.ws_url) as socket:
        assert await socket.close_code() == 4408


async def test_an_id_names_one_operation_at_a_time(shared_server: TetherServer, client: Client) -> None:
    organization_id = await shared_server.organization_id()
    follow = f'subscription {{ connectionEvents(organizationId: "{organization_id}") {{ id }} }}'
    async with shared_server.socket(client.token) as socket:
        query = socket.follow("1")
        for _ in range(2):  # an operation that has ended gives its id back
            await socket.send(_subscribe(VIEWER))
            assert await query.next() == {"viewer": {"user": {"name": "owner"}}}
            assert await query.message() == {"type": "complete", "id": "1"}
        await socket.send(_subscribe(follow))
        await query.complete()
        await socket.send(_subscribe(follow))
        await socket.send(_subscribe(follow))

        assert await socket.close_code() == 4409


async def test_a_socket_runs_20_operations_at_once(shared_server: TetherServer, client: Client) -> None:
    organization_id = await shared_server.organization_id()
    follow = "subscription ($id: ID!) { connectionEvents(organizationId: $id) { id } }"
    async with shared_server.socket(client.token) as socket:
        first, *_ = [await socket.subscribe(follow, id=organization_id) for _ in range(20)]
        refused = await socket.subscribe(follow, id=organization_id)
        assert await refused.error() == (
            "BAD_USER_INPUT",
            "A socket runs at most 20 operations at once. Complete one, or open another socket.",
        )
        await first.complete()
        query = await socket.subscribe(VIEWER)
        assert await query.next() == {"viewer": {"user": {"name": "owner"}}}


async def test_pings_are_answered(shared_server: TetherServer) -> None:
    async with shared_server.socket(None) as socket:
        for payload in ({}, {"payload": {"a": 1}}, {"payload": None}):
            await socket.send({"type": "ping", **payload})
            assert await socket.next_of(socket.others) == {"type": "pong"}
        await socket.send({"type": "pong"})
        await socket.send({"type": "complete", "id": "never begun"})
        await socket.send({"type": "ping"})
        assert await socket.next_of(socket.others) == {"type": "pong"}


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("{", "GRAPHQL_PARSE_FAILED", "Syntax Error: Expected Name, found <EOF>."),
        (
            "{ nope }",
            "GRAPHQL_VALIDATION_FAILED",
            "Cannot query field 'nope' on type 'Query'. Did you mean 'node' or 'nodes'?",
        ),
        ("", "BAD_USER_INPUT", "There is no query: the operation's text."),
        ("fragment F on User { id }", "BAD_USER_INPUT", "operationName names no operation of this query."),
        (
            "subscription { __typename }",
            "GRAPHQL_VALIDATION_FAILED",
            "Anonymous Subscription must not select an introspection top level field.",
        ),
    ],
)
async def test_an_operation_that_is_not_valid_ends_with_an_error_message(
    shared_server: TetherServer, client: Client, query: str, code: str, message: str
) -> None:
    async with shared_server.socket(client.token) as socket:
        refused = await socket.subscribe(query)
        told = await refused.message()

        assert (told["type"], told["payload"][0]["message"]) == ("error", message)
        assert told["payload"][0]["extensions"]["code"] == code
        assert socket.connection.response is not None
        request_id = socket.connection.response.headers["x-request-id"]
        assert told["payload"][0]["extensions"]["requestId"] == f"{request_id}.1"


async def test_queries_and_mutations_run_on_a_socket_too(shared_server: TetherServer, client: Client) -> None:
    async with shared_server.socket(client.token) as socket:
        query = await socket.subscribe("query ($id: ID!) { node(id: $id) { id } }", id="x")
        mutation = await socket.subscribe(
            'mutation { updateConnection(input: {connectionId: "x"}) { userErrors { code } } }'
        )
        wrong = await socket.subscribe("query ($id: ID!) { node(id: $id) { id } }")

        assert await query.next() == {"node": None}
        assert await mutation.next() == {"updateConnection": {"userErrors": [{"code": "NOT_FOUND"}]}}
        assert await wrong.error() == (
            "BAD_USER_INPUT",
            "Variable '$id' has invalid value: Expected a value of non-null type 'ID!' to be provided.",
        )


async def test_a_flood_of_messages_after_a_bad_one_does_no_harm(shared_server: TetherServer, client: Client) -> None:
    async with open_socket(shared_server.ws_url) as socket:
        for _ in range(50):
            await socket.connection.send(orjson.dumps(["not", "a", "message"]).decode())
            if socket.closed.is_set():
                break
        assert await socket.close_code() == 4400
    assert await client.data(VIEWER) == {"viewer": {"user": {"name": "owner"}}}
