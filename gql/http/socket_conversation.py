"""SocketConversation: the protocol graphql-transport-ws on one socket, from its opening to its end.

Made by `gql/http/graphql_socket.py`. Whatever runs for the socket runs as a task of the conversation; the first who
finds that it has to end says so once, then every task is ended, and only then the socket is closed.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final, cast

from graphql import GraphQLError
from starlette.websockets import WebSocket
from strawberry.types.execution import ExecutionResult

from domain.errors import ServiceUnavailable, TooMuchOpen, Unauthenticated
from domain.log_context import log_context
from domain.request_origin import request_from, request_origin
from gql.context import Context
from gql.errors import RATE_LIMITED, public_error, request_error, took_too_long
from gql.http.caller_watch import LOOKS_EVERY, is_shut_out
from gql.http.callers import Callers
from gql.http.graphql_answer import body_of
from gql.http.open_streams import OpenStream
from gql.http.socket_messages import Closing, Complete, ConnectionInit, Message, Payload, Ping, Subscribe, read_message
from gql.http.socket_outbox import SocketOutbox
from gql.http.socket_pace import SocketPace
from gql.limit_settings import Limits
from gql.proof import Proof
from gql.schema import TetherSchema
from gql.watched_operations import WatchedOperations

_FORBIDDEN: Final = Closing(4403, "Forbidden")
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SocketParts:
    """What all sockets of a server share. `contexts` makes one operation's."""

    schema: TetherSchema
    contexts: Callable[[], Context]
    callers: Callers
    operations: WatchedOperations
    limits: Limits


class SocketConversation:
    """Its state: whether it has been initialised and acknowledged, and which operations run by which ids.

    `finishing`: how many have given their id back and wait for the client to read their last message.
    """

    def __init__(self, websocket: WebSocket, stream: OpenStream, parts: SocketParts) -> None:
        self._websocket = websocket
        self._stream = stream
        self._parts = parts
        self._request_id: str = websocket.scope["state"]["request_id"]
        self._numbers = count(1)
        self._proof: Proof | None = parts.callers.of_socket(websocket)
        self._initialised = self._acknowledged = False
        self._running: dict[str, asyncio.Task[None]] = {}
        self._finishing = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[Closing | None] = asyncio.get_running_loop().create_future()
        self._outbox = SocketOutbox(websocket, gone=lambda: self._end(None))

    async def run(self) -> Closing | None:
        """Until it ends, and nothing of it runs any more: what to close the socket with, if it is still there."""
        limits = self._parts.limits
        too_late = Closing(4408, "Connection initialisation timeout")
        waiting = asyncio.get_running_loop().call_later(limits.socket_init_seconds, self._end_uninitialised, too_late)
        self._spawn(self._read())
        self._spawn(self._look())
        try:
            return await self._ended
        finally:
            waiting.cancel()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _read(self) -> None:
        """Each message in its turn, so that what is said first is done first."""
        pace = SocketPace(self._parts.limits.socket_messages)
        try:
            while (frame := await self._websocket.receive())["type"] != "websocket.disconnect":
                await pace.turn()
                await self._hear(read_message(frame))
        except Closing as closing:
            self._end(closing)
        else:
            self._end(None)

    async def _hear(self, message: Message) -> None:
        match message:
            case ConnectionInit():
                await self._initialise(message.payload)
            case Ping():
                await self._outbox.send(
                    {"type": "pong"} | ({} if message.payload is None else {"payload": message.payload})
                )
            case Subscribe():
                await self._subscribe(message)
            case Complete():
                if (task := self._running.pop(message.id, None)) is not None:
                    task.cancel()

    async def _initialise(self, payload: Payload) -> None:
        """Take the token that it brings, which counts more than what the handshake carried, a key or a cookie.

        A wrong one closes with 4403, and so does a cookie that another site's page has brought along.
        """
        if self._initialised:
            raise Closing(4429, "Too many initialisation requests")
        self._initialised = True
        if "authorization" in payload:
            self._proof = self._parts.callers.of_token(payload["authorization"])
        if self._proof is not None:
            try:
                viewer = await self._proof.viewer()
                self._stream.belongs_to(viewer.user_id)
            except Unauthenticated:
                raise _FORBIDDEN from None
            except (ServiceUnavailable, TooMuchOpen) as refused:
                raise Closing(1013, refused.message) from None
        await self._outbox.send({"type": "connection_ack"})
        self._acknowledged = True

    async def _subscribe(self, message: Subscribe) -> None:
        if not self._acknowledged:
            raise Closing(4401, "Unauthorized")
        if message.id in self._running:
            raise Closing(4409, f"Subscriber for {message.id} already exists")
        most = self._parts.limits.socket_operations
        if len(self._running) + self._finishing >= most:
            text = f"A socket runs at most {most} operations at once. Complete one, or open another socket."
            error = request_error(RATE_LIMITED, text, self._request_id)
            await self._outbox.send({"id": message.id, "type": "error", "payload": [error]})
            return
        self._running[message.id] = self._spawn(self._operate(message))

    async def _operate(self, message: Subscribe) -> None:
        """One operation, with an id of its own: that of the socket's request, and a number."""
        request_id = f"{self._request_id}.{next(self._numbers)}"
        asked = message.asked
        with log_context(request_id=request_id), request_from(replace(request_origin(), request_id=request_id)):
            try:
                with (
                    self._parts.operations.watching(asked.query, asked.operation_name),
                    self._stream.operation(),
                ):
                    await self._answer_in_time(message)
            except Exception as error:  # noqa: BLE001 - what nobody meant is logged there, and masked
                told = public_error(GraphQLError("", original_error=error), request_id, before_execution=True)
                await self._say(message.id, "error", payload=[told.formatted])

    async def _answer_in_time(self, message: Subscribe) -> None:
        seconds = self._parts.limits.request_seconds
        try:
            async with asyncio.timeout(seconds) as time_limit:
                await self._answer(message, await self._context(time_limit))
        except TimeoutError:
            raise took_too_long(seconds) from None

    async def _context(self, time_limit: asyncio.Timeout) -> Context:
        """A new one, that nothing is left in. Sockets outlive keys and sessions: it takes one that is still good."""
        context = self._parts.contexts()
        context.time_limit = time_limit
        try:
            await context.authenticate(self._proof)
        except Unauthenticated:
            self._end(_FORBIDDEN)
            raise
        context.admit()
        return context

    async def _answer(self, message: Subscribe, context: Context) -> None:
        asked = message.asked
        stream = await self._parts.schema.stream(
            asked.query,
            variable_values=asked.variables,
            operation_name=asked.operation_name,
            context_value=context,
        )
        results = cast("AsyncGenerator[ExecutionResult]", stream)  # of no other kind, without incremental delivery
        async with aclosing(results):
            async for result in results:
                body = body_of(result)
                if "data" not in body:
                    await self._say(message.id, "error", payload=body["errors"])
                    return
                await self._say(message.id, "next", payload=body)
        await self._say(message.id, "complete")

    async def _say(self, operation_id: str, type_: str, **rest: object) -> None:
        """A message of an operation, unless the client has completed it: the id may be another's by now.

        With the last one its id is free again, for whoever has heard it.
        """
        if self._running.get(operation_id) is not asyncio.current_task():
            return
        message = {"id": operation_id, "type": type_, **rest}
        if type_ == "next":
            await self._outbox.send(message)
            return
        del self._running[operation_id]
        self._finishing += 1
        try:
            await self._outbox.send(message)
        finally:
            self._finishing -= 1

    async def _look(self) -> None:
        """End it all where the caller isn't let in any more, whether anything goes on or not, or takes no message."""
        while True:
            await asyncio.sleep(LOOKS_EVERY.total_seconds())
            if self._outbox.stuck_seconds() > self._parts.limits.socket_unread_seconds:
                self._end(None)
            elif self._acknowledged and self._proof is not None and await is_shut_out(self._proof):
                self._end(_FORBIDDEN)

    def _end_uninitialised(self, too_late: Closing) -> None:
        if not self._initialised:
            self._end(too_late)

    def _end(self, closing: Closing | None) -> None:
        """The first to say so is heard. None: there is nobody to say anything to."""
        if not self._ended.done():
            self._ended.set_result(closing)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            _log.error("The socket of request %s failed", self._request_id, exc_info=failure)
            self._end(Closing(4500, "Internal server error"))
