"""The hostile conduct over WebSocket: floods, giant frames, and messages out of place. Used as the corpus over HTTP is.

Each conversation says how the socket has to answer it: with the code with which it is closed, or with the code of the
errors of its operations. Its cost is that of one message, or of the whole where the socket is closed.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.gql.web_socket import PROTOCOL
from tests.hostile.cost import Cost
from tests.hostile.documents import documents
from tests.hostile.measured_server import MeasuredServer

INIT: Final = {"type": "connection_init"}
MANY: Final = 300
ACME: Final = "the-id-of-acme"
"""In a frame: the id of the caller's organization."""
ACKNOWLEDGED: Final = ""
"""In the place of the first frame: the protocol has been begun, by somebody who may."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is sent, as text, bytes or fragments. `answers`: how many messages to wait for, where it isn't closed."""

    name: str
    outcomes: frozenset[str]
    frames: Sequence[str | bytes | Sequence[str]]
    answers: int = 0

    def __str__(self) -> str:
        return self.name


def socket_corpus() -> Sequence[Conversation]:
    """All of them."""
    typename = "{ __typename }"
    endless, refused = (
        f'subscription {{ connectionEvents(organizationId: "{organization}") {{ id }} }}'
        for organization in (ACME, "org_x")
    )
    bomb = documents()["fragments spread 10 times, 40 deep"][1]
    lots = [_subscribe(str(n), typename) for n in range(MANY)]
    return [
        Conversation("a frame of 1 MB", _closes(1009), [_text({"type": "ping", "payload": {"a": "x" * 1_000_000}})]),
        Conversation("a message in 60,000 fragments", _closes(1009, 1006), [["x" * 10] * 60_000]),
        Conversation("bytes", _closes(4400), [b"\0" * 60_000]),
        Conversation("JSON nested 60,000 deep", _closes(4400), ["[" * 60_000]),
        Conversation("a message of no type", _closes(4400), ['{"type": "x' + "x" * 60_000 + '"}']),
        Conversation("an operation that isn't one", _closes(4400), [_text({"type": "subscribe", "id": "1", "payload": []})]),
        Conversation("an operation before the protocol", _closes(4401), [_subscribe("1", typename)]),
        Conversation("the protocol begun twice", _closes(4429), [_text(INIT), _text(INIT)]),
        Conversation("a wrong token", _closes(4403), [_text({**INIT, "payload": {"authorization": "Bearer " + "x" * 60_000}})]),
        Conversation("an id twice", _closes(4409), [ACKNOWLEDGED, _subscribe("1", endless), *[_subscribe("1", endless)] * 20]),
        Conversation(f"{MANY} pings", _says("pong"), [ACKNOWLEDGED, *[_text({"type": "ping"})] * MANY], MANY),
        Conversation(f"{MANY} ends of nothing", _says("pong"), [ACKNOWLEDGED, *[_text({"type": "complete", "id": "x" * 30})] * MANY, _text({"type": "ping"})], 1),
        Conversation(f"{MANY} operations at once", frozenset({"answered", "BAD_USER_INPUT", "RATE_LIMITED"}), [ACKNOWLEDGED, *lots], MANY),
        Conversation("100 subscriptions to nothing", frozenset({"answered", "BAD_USER_INPUT", "FORBIDDEN", "RATE_LIMITED"}), [ACKNOWLEDGED, *[_subscribe(str(n), refused) for n in range(100)]], 100),
        Conversation("100 bombs", frozenset({"GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT", "RATE_LIMITED"}), [ACKNOWLEDGED, *[_subscribe(str(n), bomb + "#" * n) for n in range(100)]], 100),
    ]  # fmt: skip


async def cost_of_conversation(conversation: Conversation, server: MeasuredServer, runs: int) -> Cost:
    """Hold it several times, each on a socket of its own."""
    least, outcome, wrong = float("inf"), "", ""
    for _ in range(runs):
        outcomes: set[str] = set()
        async with connect(
            server.url.replace("http://", "ws://") + "/graphql",
            subprotocols=[Subprotocol(PROTOCOL)],
            proxy=None,
            max_size=None,
            compression=None,
        ) as socket:
            frames = [
                frame.replace(ACME, server.organization_id) if isinstance(frame, str) else frame
                for frame in conversation.frames
            ]
            if frames[0] == ACKNOWLEDGED:
                await socket.send(_text({**INIT, "payload": {"authorization": f"Bearer {server.token}"}}))
                assert orjson.loads(await socket.recv()) == {"type": "connection_ack"}
                frames.pop(0)
            before = server.processor_ms()
            await _hold(socket, frames, conversation.answers, outcomes)
            spent = server.processor_ms() - before
        least = min(least, spent / (len(frames) if conversation.answers else 1))
        outcome = ", ".join(sorted(outcomes))
        wrong = "" if outcomes <= conversation.outcomes else f"instead of {', '.join(conversation.outcomes)}"
    return Cost(f"WebSocket: {conversation.name}", least, outcome, wrong)


async def _hold(
    socket: ClientConnection, frames: Iterable[str | bytes | Sequence[str]], answers: int, outcomes: set[str]
) -> None:
    """`outcomes` are what the server said, in a word each."""
    with suppress(ConnectionClosed):
        for frame in frames:
            await socket.send(frame)
    try:
        while True:  # without answers to wait for, until it is closed
            outcome = _outcome(orjson.loads(await socket.recv()))
            if outcome is not None:
                outcomes.add(outcome)
                answers -= 1
                if answers == 0:
                    return
    except ConnectionClosed:
        outcomes.add(f"closed with {socket.close_code}")


def _outcome(message: Any) -> str | None:
    """None for what isn't the end of anything."""
    if message["type"] in {"connection_ack", "complete"}:
        return None
    if message["type"] == "error":
        return str(message["payload"][0]["extensions"]["code"])
    if message["type"] == "next":
        errors = message["payload"].get("errors")
        return str(errors[0]["extensions"]["code"]) if errors else "answered"
    return str(message["type"])


def _subscribe(operation_id: str, query: str) -> str:
    return _text({"type": "subscribe", "id": operation_id, "payload": {"query": query}})


def _text(message: Any) -> str:
    return orjson.dumps(message).decode()


def _closes(*codes: int) -> frozenset[str]:
    """1006: it was closed so early that the client was still sending."""
    return frozenset(f"closed with {code}" for code in codes)


def _says(word: str) -> frozenset[str]:
    return frozenset({word})
