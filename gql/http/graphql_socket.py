"""GraphQL over WebSocket by the protocol graphql-transport-ws: Strawberry's view and handler, with Tether's context.

Used by the GraphQL view. A socket may be opened without a token; each of its operations then says what is missing.
A socket whose caller is no longer let in is closed, whether anything goes on on it or not.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from json import JSONDecodeError
from typing import Any, Final

import orjson
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ConnectionInitMessage, SubscribeMessage
from strawberry.types.unset import UnsetType

from domain.errors import DomainError, ServiceUnavailable, Unauthenticated
from domain.log_context import log_context
from domain.request_origin import request_from, request_origin
from gql.context import Context
from gql.errors import BAD_USER_INPUT, public_error, request_error
from gql.http.callers import Callers
from gql.limit_settings import Limits
from gql.metrics import Metrics
from gql.watched_operations import RunningOperation, WatchedOperations

LOOKS_EVERY: Final = timedelta(seconds=2)
"""How often it is made sure that the caller is still let in. All sockets of one caller ask the database together."""


class Socket(AsyncWebSocketAdapter):
    """One WebSocket, whose messages are JSON objects in text frames."""

    def __init__(self, view: Any, _request: WebSocket, response: WebSocket) -> None:
        super().__init__(view)
        self._socket = response

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncIterator[object]:  # type: ignore[override]  # an async generator
        while True:
            try:
                message = await self._socket.receive()
            except (WebSocketDisconnect, RuntimeError):
                return
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                raise NonTextMessageReceived
            yield self._object(text)

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            await self._socket.send_text(orjson.dumps(message).decode())
        except (WebSocketDisconnect, RuntimeError) as gone:
            raise WebSocketDisconnected from gone

    async def close(self, code: int, reason: str) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # it is closed already
            await self._socket.close(code=code, reason=reason[:120])

    @staticmethod
    def _object(text: str) -> dict[str, object]:
        """The message, whose members have the types that the handler takes for granted."""
        try:
            message = orjson.loads(text)
        except JSONDecodeError as error:
            raise NonJsonMessageReceived from error
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise NonJsonMessageReceived
        if message["type"] in {"subscribe", "complete"} and not isinstance(message.get("id"), str):
            raise NonJsonMessageReceived
        if message["type"] == "subscribe" and not _is_operation(message.get("payload")):
            raise NonJsonMessageReceived
        if message.get("payload", {}) is None:
            del message["payload"]
        return message


class SocketHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """The protocol's state on one socket, which refuses too many operations in the form of every other error.

    Its operations have ids of their own: that of the socket's request, and a number.
    """

    view: "GraphQLSockets"

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._numbers = count(1)

    async def handle(self) -> None:
        self.view.metrics.socket_opened()
        looking = asyncio.create_task(self._close_when_shut_out(), name="looks at a socket's caller")
        try:
            await super().handle()
        finally:
            looking.cancel()
            await asyncio.wait([looking])
            self.view.metrics.socket_closed()

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        try:
            await super().handle_connection_init(message)
        except ServiceUnavailable as unavailable:
            await self.websocket.close(code=1013, reason=unavailable.message)

    async def _close_when_shut_out(self) -> None:
        while True:
            await asyncio.sleep(LOOKS_EVERY.total_seconds())
            if not self.connection_acknowledged or self.context.known_viewer is None:
                continue
            try:
                await self.context.authenticate_again()
            except Unauthenticated:
                break
            except ServiceUnavailable:
                continue  # nobody can tell; whatever the caller asks for meanwhile fails, too
        for operation_id in list(self.operations):
            await self.cleanup_operation(operation_id)
        await self.websocket.close(code=4403, reason="Forbidden")

    async def run_operation(self, operation: Operation[Context, None]) -> None:
        request_id = f"{self.context.request_id}.{next(self._numbers)}"
        with (
            log_context(request_id=request_id),
            request_from(replace(request_origin(), request_id=request_id)),
            self.view.operations.watching(operation.query, operation.operation_name) as running,
        ):
            await self._run(operation, running)

    async def _run(self, operation: Operation[Context, None], running: RunningOperation) -> None:
        """Sockets outlive keys and sessions: an operation runs only while the caller's is good; else it is closed."""
        try:
            await self.context.authenticate(self.context.proof)
        except Unauthenticated as refused:
            running.outcome = refused.code
            await self.websocket.close(code=4403, reason="Forbidden")
            return
        except ServiceUnavailable as unavailable:
            running.outcome = unavailable.code
            await operation.send_initial_errors([self._error(unavailable)])
            return
        try:
            self.context.admit()
        except Unauthenticated as stranger:
            running.outcome = stranger.code
            await operation.send_initial_errors([self._error(stranger)])
            return
        await super().run_operation(operation)

    def _error(self, error: DomainError) -> GraphQLError:
        located = GraphQLError(error.message, original_error=error)
        return public_error(located, self.context.request_id, before_execution=True)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        most = self.view.limits.socket_operations
        full = len(self.operations) >= most and message["id"] not in self.operations
        if not full:
            await super().handle_subscribe(message)
            return
        text = f"A socket runs at most {most} operations at once. Complete one, or open another socket."
        error = request_error(BAD_USER_INPUT, text, self.context.request_id)
        await self.websocket.send_json({"id": message["id"], "type": "error", "payload": [error]})


class GraphQLSockets(GraphQL[Context, None]):
    """Serves the sockets of one schema."""

    graphql_transport_ws_handler_class = SocketHandler
    websocket_adapter_class = Socket  # type: ignore[assignment]  # as Strawberry's own, which says the same

    def __init__(
        self,
        schema: Any,
        context: Any,
        callers: Callers,
        origins: tuple[str, ...],
        operations: WatchedOperations,
        metrics: Metrics,
        limits: Limits,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=limits.socket_init_seconds),
            # Pages of our own, and of the origins that may ask with a token; cookies only count from the former.
            allowed_origins=origins,
        )
        self._context = context
        self._callers = callers
        self.operations = operations
        self.metrics = metrics
        self.limits = limits

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        context: Context = await self._context(request)
        return context

    async def on_ws_connect(self, context: Context) -> UnsetType:
        """Take the token of connection_init, which counts more than what the handshake carried, a key or a cookie.

        A wrong one closes with 4403, and so does a cookie that another site's page has brought along.
        """
        params = context.connection_params or {}
        try:
            if "authorization" in params:
                await context.authenticate(self._callers.of_token(params["authorization"]))
            else:
                await context.authenticate(context.proof)
        except Unauthenticated as refused:
            raise ConnectionRejectionError from refused
        return UnsetType()


def _is_operation(payload: object) -> bool:
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
