"""GraphQL over WebSocket by the protocol graphql-transport-ws: Strawberry's view and handler, with Tether's context.

Used by the GraphQL view. A socket may be opened without a token; each of its operations then says what is missing.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from json import JSONDecodeError
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.unset import UnsetType

from domain.errors import Unauthenticated
from gql.context import Context
from gql.http.sign_in import bearer_token

MOST_SUBSCRIPTIONS: Final = 20
INIT_WITHIN: Final = timedelta(seconds=5)


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


class GraphQLSockets(GraphQL[Context, None]):
    """Serves the sockets of one schema."""

    websocket_adapter_class = Socket  # type: ignore[assignment]  # as Strawberry's own, which says the same

    def __init__(self, schema: Any, context: Any) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=INIT_WITHIN,
            max_subscriptions_per_connection=MOST_SUBSCRIPTIONS,
        )
        self._context = context

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        context: Context = await self._context(request)
        return context

    async def on_ws_connect(self, context: Context) -> UnsetType:
        """Take the token of connection_init, which counts more than the handshake's. A wrong one closes with 4403."""
        params = context.connection_params or {}
        try:
            if "authorization" in params:
                await context.authenticate(bearer_token(params["authorization"]) or "")
            else:
                await context.authenticate(context.token)
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
