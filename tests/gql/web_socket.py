"""A client of the protocol graphql-transport-ws over a real WebSocket, in which every wait has a deadline."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.gql.client import CODES, DETAILS
from tests.gql.waiting import DEADLINE_SECONDS

PROTOCOL = "graphql-transport-ws"


class Followed:
    """One operation on a socket: its messages, in their order."""

    def __init__(self, socket: "Socket", operation_id: str) -> None:
        self.id = operation_id
        self._socket = socket
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def message(self) -> dict[str, Any]:
        """The next message. Fails the test where none comes, or the socket is closed."""
        message = await self._socket.next_of(self.messages)
        payload = message.get("payload") or []
        for error in payload if message["type"] == "error" else dict(payload).get("errors", []):
            assert error["extensions"]["code"] in CODES
        return message

    async def next(self) -> Any:
        """The data of the next result, which has no error."""
        message = await self.message()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def event(self) -> Any:
        """The next event, by whichever field it was subscribed to."""
        [event] = (await self.next()).values()
        return event

    async def events(self, number: int) -> list[Any]:
        return [await self.event() for _ in range(number)]

    async def error(self) -> tuple[str, str]:
        """Code and message of the one error with which the operation ends, however the protocol tells it."""
        message = await self.message()
        if message["type"] == "next":
            [error] = message["payload"]["errors"]
            assert error["path"], "what is no field's comes as an error message"
            assert (await self.message())["type"] == "complete"
        else:
            assert message["type"] == "error", message
            [error] = message["payload"]
            assert "path" not in error
        assert set(error["extensions"]) - DETAILS.get(error["extensions"]["code"], set()) == {"code", "requestId"}
        return error["extensions"]["code"], error["message"]

    async def complete(self) -> None:
        """Tell the server that no more is wanted."""
        await self._socket.send({"type": "complete", "id": self.id})


class Socket:
    """An open socket. One task reads it and sorts the messages by operation."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.others: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed = asyncio.Event()
        self._followed: dict[str, Followed] = {}
        self._ids = itertools.count(1)

    async def send(self, message: Any) -> None:
        await self.connection.send(orjson.dumps(message).decode())

    async def init(self, payload: Any = None) -> None:
        """Open the protocol, which the server has to acknowledge."""
        await self.send(
            {"type": "connection_init"} if payload is None else {"type": "connection_init", "payload": payload}
        )
        assert await self.next_of(self.others) == {"type": "connection_ack"}

    async def subscribe(self, query: str, **variables: Any) -> Followed:
        """Begin an operation."""
        followed = self.follow(str(next(self._ids)))
        await self.send(
            {"type": "subscribe", "id": followed.id, "payload": {"query": query, "variables": variables or None}}
        )
        return followed

    def follow(self, operation_id: str) -> Followed:
        """Collect the messages of an operation that the test begins by itself."""
        return self._followed.setdefault(operation_id, Followed(self, operation_id))

    async def close_code(self) -> int:
        """With which code the server closes, or has closed."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self.closed.wait()
        assert self.connection.close_code is not None
        return self.connection.close_code

    async def acknowledged(self) -> bool:
        """Whether the server acknowledges what `send` has begun; if not, it has closed the socket."""
        acknowledged = asyncio.ensure_future(self.others.get())
        closing = asyncio.ensure_future(self.closed.wait())
        await asyncio.wait({acknowledged, closing}, timeout=DEADLINE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (acknowledged, closing):
            waiting.cancel()
        return acknowledged.done() and acknowledged.result() == {"type": "connection_ack"}

    async def next_of(self, messages: asyncio.Queue[dict[str, Any]]) -> dict[str, Any]:
        """The next message in a queue. Fails the test where none comes, or the socket is closed before."""
        getting = asyncio.ensure_future(messages.get())
        closing = asyncio.ensure_future(self.closed.wait())
        try:
            await asyncio.wait({getting, closing}, timeout=DEADLINE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            assert getting.done(), f"no message (closed with {self.connection.close_code})"
            return getting.result()
        finally:
            getting.cancel()
            closing.cancel()

    async def read(self) -> None:
        """Sort what comes, until the socket closes."""
        try:
            async for text in self.connection:
                message = orjson.loads(text)
                followed = self._followed.get(message.get("id"))
                (self.others if followed is None else followed.messages).put_nowait(message)
        except ConnectionClosed:
            pass  # its code tells, and `close_code` asks for it
        finally:
            self.closed.set()


@asynccontextmanager
async def open_socket(
    url: str, *, headers: dict[str, str] | None = None, subprotocol: str | None = PROTOCOL
) -> AsyncIterator[Socket]:
    """Connects, and leaves it to the test to begin the protocol."""
    subprotocols = None if subprotocol is None else [Subprotocol(subprotocol)]
    async with connect(url, subprotocols=subprotocols, additional_headers=headers, proxy=None, max_size=None) as opened:
        socket = Socket(opened)
        reading = asyncio.create_task(socket.read())
        try:
            yield socket
        finally:
            reading.cancel()
            await asyncio.wait([reading])
