"""Whatever clients say in whatever order: the protocol graphql-transport-ws written down anew, and the server as it is.

The model waits for each answer before it says more, so that there is one right answer to everything.
"""

import itertools
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gql.client import Client
from tests.gql.server import TetherServer
from tests.gql.web_socket import Socket, open_socket

pytestmark = pytest.mark.anyio

IDS = st.sampled_from(["a", "b", "c"])
QUERY = "{ viewer { user { name } } }"
WRONG = "{ viewer { nothing } }"
FOLLOW = """
subscription ($id: ID!, $after: String) { connectionEvents(organizationId: $id, after: $after) { type } }
"""
PAYLOADS = st.none() | st.dictionaries(st.text(max_size=3), st.integers(-5, 5) | st.none(), max_size=2)
ILL_FORMED: tuple[Any, ...] = (
    {"type": "nope"},
    {"type": "subscribe", "id": "a"},
    {"type": "complete", "id": 1},
    [],
    None,
)

MESSAGES = st.one_of(
    st.builds(lambda: {"type": "connection_init"}),
    st.builds(lambda payload: {"type": "ping", "payload": payload}, PAYLOADS),
    st.builds(lambda payload: {"type": "pong", "payload": payload}, PAYLOADS),
    st.builds(lambda id_: {"type": "complete", "id": id_}, IDS),
    st.builds(
        lambda id_, query: {"type": "subscribe", "id": id_, "payload": {"query": query}},
        IDS,
        st.sampled_from([QUERY, WRONG, FOLLOW, FOLLOW]),
    ),
)
CONVERSATIONS = st.tuples(
    st.booleans(), st.lists(MESSAGES, max_size=12), st.none() | st.sampled_from([*ILL_FORMED, {"type": "subscribe"}])
)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "type": JSON | st.sampled_from(["connection_init", "ping", "pong", "subscribe", "complete", "next", "error"]),
        "id": JSON,
        "payload": JSON
        | st.fixed_dictionaries({}, optional=dict.fromkeys(("query", "variables", "operationName"), JSON)),
    },
)


@dataclass(slots=True)
class Model:
    """What the protocol says that a server has to do."""

    acknowledged: bool = False
    following: set[str] = field(default_factory=set)

    def hear(self, message: Any) -> tuple[int | None, list[dict[str, Any]]]:
        """With which code the socket is closed now, if it is; else what is answered, without payloads of results."""
        kind = message["type"] if isinstance(message, dict) else None
        match kind:
            case "connection_init" if not self.acknowledged:
                self.acknowledged = True
                return None, [{"type": "connection_ack"}]
            case "connection_init":
                return 4429, []
            case "ping":
                rest = {} if message["payload"] is None else {"payload": message["payload"]}
                return None, [{"type": "pong", **rest}]
            case "pong":
                return None, []
            case "complete" if isinstance(message["id"], str):
                self.following.discard(message["id"])
                return None, []
            case "subscribe" if "payload" in message:
                return self._subscribe(message["id"], message["payload"]["query"])
        return 4400, []

    def _subscribe(self, id_: str, query: str) -> tuple[int | None, list[dict[str, Any]]]:
        if not self.acknowledged:
            return 4401, []
        if id_ in self.following:
            return 4409, []
        if query == WRONG:
            return None, [{"type": "error", "id": id_}]
        if query == QUERY:
            return None, [{"type": "next", "id": id_}, {"type": "complete", "id": id_}]
        self.following.add(id_)
        return None, []


@given(CONVERSATIONS)
async def test_every_conversation_goes_as_the_protocol_says(
    shared_server: TetherServer, conversation: tuple[bool, list[Any], Any]
) -> None:
    begins, said, last = conversation
    client = await shared_server.member()
    connection_id = await _connection_id(shared_server, client)
    after = (await client.data('{ organization(by: {slug: "acme"}) { eventCursor } }'))["organization"]["eventCursor"]
    variables = {"id": await shared_server.organization_id(), "after": after}
    model = Model()
    messages = [{"type": "connection_init"}] * begins + said + [last] * (last is not None)

    async with open_socket(shared_server.ws_url) as socket:
        for message in messages:
            await socket.send(_sent(message, str(client.token), variables))
            code, answers = model.hear(message)
            if code is not None:
                assert await socket.close_code() == code
                return
            for answer in answers:
                heard = await socket.next_of(socket.others)
                assert {name: heard[name] for name in answer} == answer
        await _each_that_follows_hears_of_it_once(client, connection_id, socket, model.following)


@given(st.text(max_size=50) | st.binary(max_size=50) | JSON.map(json.dumps) | OBJECTS.map(json.dumps))
async def test_whatever_is_sent_is_answered_or_closes_with_a_reason(
    shared_server: TetherServer, message: str | bytes
) -> None:
    async with shared_server.socket(None) as socket:
        await socket.connection.send(message)
        await socket.send({"type": "ping", "payload": {"still": "there"}})

        kinds, answered = set[str](), False
        with suppress(AssertionError):  # there is none, since the socket is closed
            while (heard := await socket.next_of(socket.others)).get("payload") != {"still": "there"}:
                kinds.add(heard["type"])
            answered = True
        assert kinds <= {"pong", "error"}
        if not answered:
            assert await socket.close_code() in {4400, 4429}
            assert socket.connection.close_reason


async def _each_that_follows_hears_of_it_once(
    client: Client, connection_id: str, socket: Socket, following: set[str]
) -> None:
    payload = await client.mutate(
        "updateConnection", "connection { version }", connectionId=connection_id, name=_name()
    )
    assert payload["userErrors"] == []
    heard = [await socket.next_of(socket.others) for _ in following]
    assert {message["id"] for message in heard} == following
    assert all(message["payload"]["data"] == {"connectionEvents": {"type": "UPDATED"}} for message in heard)
    await socket.send({"type": "ping", "payload": {"nothing": "else"}})
    assert await socket.next_of(socket.others) == {"type": "pong", "payload": {"nothing": "else"}}


def _sent(message: Any, token: str, variables: dict[str, str]) -> Any:
    """The same, as somebody who follows a certain organization."""
    if message == {"type": "connection_init"}:
        return {**message, "payload": {"authorization": f"Bearer {token}"}}
    if isinstance(message, dict) and message.get("payload") == {"query": FOLLOW}:
        return {**message, "payload": {"query": FOLLOW, "variables": variables}}
    return message


async def _connection_id(server: TetherServer, client: Client) -> str:
    """The one connection that there is."""
    found = await client.data('{ organization(by: {slug: "acme"}) { connections(first: 1) { nodes { id } } } }')
    ids = [node["id"] for node in found["organization"]["connections"]["nodes"]]
    return str(ids[0] if ids else (await server.connect(client))["id"])


_numbers = itertools.count(1)


def _name() -> str:
    return f"Renamed {next(_numbers)}"
