"""The protocol graphql-transport-ws as it is specified: which message is answered how, and what closes a socket."""

import logging
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.gql.client import Client
from tests.gql.server import TetherServer
from tests.gql.web_socket import PROTOCOL, open_socket

pytestmark = pytest.mark.anyio

INIT = {"type": "connection_init"}
VIEWER = "{ viewer { user { name } } }"


@pytest.fixture
async def client(shared_server: TetherServer) -> Client:
    return await shared_server.member()


def _subscribe(query: object, id_: object = "1") -> dict[str, Any]:
    return {"type": "subscribe", "id": id_, "payload": {"query": query}}


OBJECT = "A message is a JSON object."
NOT_JSON = "A message is JSON in UTF-8."
TYPE = "type is connection_init, ping, pong, subscribe or complete."
ID = "id is text of 1 to 255 characters."
PAYLOAD = "payload is an object."


@pytest.mark.parametrize("after_init", [False, True])
@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("null", OBJECT),
        ("[]", OBJECT),
        ("1", OBJECT),
        ('"x"', OBJECT),
        ("{", NOT_JSON),
        ("", NOT_JSON),
        ("[" * 60_000, NOT_JSON),
        ('{"type": "ping", "payload": {"a": NaN}}', NOT_JSON),
        ('{"type": "ping", "payload": {"a": "\\ud800"}}', NOT_JSON),
        ('{"type": "ping", "type": "pong"}', "An object has the key 'type' twice."),
        (
            '{"type": "ping", "payload": {"a": [{"b": 1, "b": 1}]}}',
            "An object has the key 'b' twice.",
        ),
        (b'{"type": "ping"}', "A message is text, not binary."),
        ("{}", TYPE),
        ('{"type": null}', TYPE),
        ('{"type": ["ping"]}', TYPE),
        ('{"type": "nope"}', TYPE),
        ('{"type": "connection_ack"}', TYPE),
        ('{"type": "next", "id": "1", "payload": {}}', TYPE),
        ('{"type": "start", "id": "1", "payload": {"query": "{ x }"}}', TYPE),
        ('{"id": "1"}', TYPE),
        ('{"type": "ping", "payload": []}', PAYLOAD),
        ('{"type": "pong", "payload": 1}', PAYLOAD),
        ('{"type": "connection_init", "payload": "x"}', PAYLOAD),
        ('{"type": "subscribe", "payload": {"query": "{ x }"}}', ID),
        ('{"type": "subscribe", "id": "", "payload": {"query": "{ x }"}}', ID),
        ('{"type": "subscribe", "id": 1, "payload": {"query": "{ x }"}}', ID),
        (f'{{"type": "subscribe", "id": "{"x" * 256}", "payload": {{"query": "{{ x }}"}}}}', ID),
        ('{"type": "complete"}', ID),
        (f'{{"type": "complete", "id": "{"x" * 256}"}}', ID),
        ('{"type": "subscribe", "id": "1"}', "subscribe has a payload, the operation."),
        ('{"type": "subscribe", "id": "1", "payload": "{ x }"}', PAYLOAD),
        ('{"type": "subscribe", "id": "1", "payload": {}}', "payload: There is no query: the operation's text."),
        (
            '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
            "payload: There is no query: the operation's text.",
        ),
        (
            '{"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "variables": []}}',
            "payload: variables is an object, or null.",
        ),
        (
            '{"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "operationName": 1}}',
            "payload: operationName is text, or null.",
        ),
        (
            '{"type": "subscribe", "id": "1", "payload": {"query": "{ x }", "extensions": 1}}',
            "payload: extensions is an object, or null.",
        ),
    ],
)
async def test_a_message_that_is_none_closes_the_socket_and_says_why(
    shared_server: TetherServer, message: str | bytes, reason: str, after_init: bool
) -> None:
    async with open_socket(shared_server.ws_url) as socket:
        if after_init:
            await socket.init()
        await socket.connection.send(message)

        assert await socket.close_code() == 4400
        assert socket.connection.close_reason == reason


@pytest.mark.parametrize(
    ("messages", "code", "reason"),
    [
        ([_subscribe(VIEWER)], 4401, "Unauthorized"),
        ([{"type": "ping"}, _subscribe(VIEWER), INIT], 4401, "Unauthorized"),
        ([{**INIT, "payload": {"authorization": "Bearer x"}}], 4403, "Forbidden"),
        ([{**INIT, "payload": {"authorization": "Basic x"}}], 4403, "Forbidden"),
        ([{**INIT, "payload": {"authorization": 5}}], 4403, "Forbidden"),
        ([{**INIT, "payload": {"authorization": None}}], 4403, "Forbidden"),
        ([INIT, INIT], 4429, "Too many initialisation requests"),
        ([INIT, {"type": "pong"}, {**INIT, "payload": {"authorization": "Bearer x"}}], 4429, None),
        ([{**INIT, "payload": {"padding": "x" * 70_000}}], 1009, None),
    ],
)
async def test_a_message_out_of_turn_closes_the_socket(
    shared_server: TetherServer, messages: list[Any], code: int, reason: str | None
) -> None:
    async with open_socket(shared_server.ws_url) as socket:
        for message in messages:
            await socket.send(message)

        assert await socket.close_code() == code
        assert reason in {None, socket.connection.close_reason}


@pytest.mark.parametrize("subprotocol", ["graphql-ws", "graphql-sse", None])
async def test_another_protocol_is_not_spoken(shared_server: TetherServer, subprotocol: str | None) -> None:
    async with open_socket(shared_server.ws_url, subprotocol=subprotocol) as socket:
        assert await socket.close_code() == 4406
        assert socket.connection.close_reason == "Subprotocol not acceptable"


async def test_of_several_protocols_ours_is_chosen(shared_server: TetherServer) -> None:
    offered = [Subprotocol(name) for name in ("graphql-ws", PROTOCOL, "graphql-transport-ws-2")]
    async with connect(shared_server.ws_url, subprotocols=offered, proxy=None) as connection:
        assert connection.subprotocol == PROTOCOL


@pytest.mark.parametrize("headers", [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}])
async def test_pages_of_other_origins_open_no_socket(
    shared_server: TetherServer, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(shared_server.ws_url, headers=headers):
            pass
    response = refused.value.response
    assert response.status_code == 403
    [error] = orjson.loads(response.body)["errors"]
    assert error["message"] == "Pages of this origin can't open sockets here."
    assert error["extensions"] == {"code": "FORBIDDEN", "requestId": response.headers["x-request-id"]}
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]  # it is the page's mistake


async def test_an_id_names_one_operation_at_a_time(shared_server: TetherServer, client: Client) -> None:
    organization_id = await shared_server.organization_id()
    follow = f'subscription {{ connectionEvents(organizationId: "{organization_id}") {{ id }} }}'
    async with shared_server.socket(client.token) as socket:
        query = socket.follow("1")
        for _ in range(2):  # an operation that has ended gives its id back
            await socket.send(_subscribe(VIEWER))
            assert await query.next() == {"viewer": {"user": {"name": "owner"}}}
            assert await query.message() == {"type": "complete", "id": "1"}
        await socket.send(_subscribe("{ nope }"))  # or with an error
        assert (await query.message())["type"] == "error"
        await socket.send(_subscribe(follow))
        await query.complete()
        await socket.send(_subscribe(follow))
        await socket.send(_subscribe(follow))

        assert await socket.close_code() == 4409
        assert socket.connection.close_reason == "Subscriber for 1 already exists"


async def test_a_long_id_is_cut_where_it_is_told(shared_server: TetherServer, client: Client) -> None:
    organization_id = await shared_server.organization_id()
    follow = f'subscription {{ connectionEvents(organizationId: "{organization_id}") {{ id }} }}'
    id_ = "ü" * 255
    async with shared_server.socket(client.token) as socket:
        for _ in range(2):
            await socket.send(_subscribe(follow, id_))

        assert await socket.close_code() == 4409
        assert socket.connection.close_reason == "Subscriber for " + "ü" * 54  # 123 bytes


async def test_a_socket_runs_20_operations_at_once(shared_server: TetherServer, client: Client) -> None:
    organization_id = await shared_server.organization_id()
    follow = "subscription ($id: ID!) { connectionEvents(organizationId: $id) { id } }"
    async with shared_server.socket(client.token) as socket:
        first, *_ = [await socket.subscribe(follow, id=organization_id) for _ in range(20)]
        refused = await socket.subscribe(follow, id=organization_id)
        assert await refused.error() == (
            "RATE_LIMITED",
            "A socket runs at most 20 operations at once. Complete one, or open another socket.",
        )
        await first.complete()
        query = await socket.subscribe(VIEWER)
        assert await query.next() == {"viewer": {"user": {"name": "owner"}}}


@pytest.mark.parametrize("initialised", [False, True])
async def test_pings_are_answered_with_what_they_bring_and_signs_of_life_are_not(
    shared_server: TetherServer, initialised: bool
) -> None:
    async with open_socket(shared_server.ws_url) as socket:
        if initialised:
            await socket.init()
        brought: tuple[dict[str, Any], ...] = ({}, {"payload": {"a": [1, {"b": None}]}}, {"payload": {}})
        for payload in brought:
            await socket.send({"type": "ping", **payload})
            assert await socket.next_of(socket.others) == {"type": "pong", **payload}
        await socket.send({"type": "ping", "payload": None})
        assert await socket.next_of(socket.others) == {"type": "pong"}
        await socket.send({"type": "pong"})
        await socket.send({"type": "pong", "payload": {"a": 1}})
        await socket.send({"type": "complete", "id": "never begun"})
        await socket.send({"type": "ping", "payload": {"last": True}})
        assert await socket.next_of(socket.others) == {"type": "pong", "payload": {"last": True}}


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
