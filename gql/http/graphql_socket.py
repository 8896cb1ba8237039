"""GraphQLSockets: who gets a WebSocket, and what it speaks: graphql-transport-ws, and nothing else.

Used by the GraphQL view. A socket may be opened without a token; each of its operations then says what is missing.
What is said on it is in `gql/http/socket_conversation.py`.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from domain.errors import Forbidden, TooMuchOpen
from gql.errors import request_error
from gql.http.client import client_network
from gql.http.open_streams import OpenStreams
from gql.http.own_pages import OwnPages
from gql.http.socket_conversation import SocketConversation, SocketParts
from gql.http.socket_messages import PROTOCOL, Closing
from gql.metrics import Metrics
from gql.refusal_log import RefusalLog

CLOSE_SECONDS: Final = 1.0
"""How long it is tried to tell a client why, who may have stopped reading."""

LONGEST_REASON_BYTES: Final = 123


class GraphQLSockets:
    """All sockets of one server."""

    def __init__(
        self,
        parts: SocketParts,
        own_pages: OwnPages,
        other_origins: Collection[str],
        streams: OpenStreams,
        metrics: Metrics,
        refusals: RefusalLog,
    ) -> None:
        """`other_origins`: whose pages may ask with a token. Cookies count from our own pages only."""
        self._parts = parts
        self._own_pages = own_pages
        self._other_origins = other_origins
        self._streams = streams
        self._metrics = metrics
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        if not self._may_ask(websocket):
            await self._deny(websocket)
            return
        speaks = PROTOCOL in scope["subprotocols"]
        try:
            await websocket.accept(PROTOCOL if speaks else None)
        except WebSocketDisconnect:
            return  # gone before it began
        closing = await self._converse(websocket) if speaks else Closing(4406, "Subprotocol not acceptable")
        if closing is not None:
            self._refusals.note("%d for a WebSocket", closing.code)
            await _close(websocket, closing)

    def _may_ask(self, websocket: WebSocket) -> bool:
        """Behind a proxy, the host that was called may be known by another name than ours; its pages have tokens."""
        return (
            self._own_pages.may_ask(websocket)
            or self._own_pages.are_at_this_host(websocket)
            or websocket.headers.get("origin") in self._other_origins
        )

    async def _converse(self, websocket: WebSocket) -> Closing | None:
        self._metrics.socket_opened()
        try:
            with self._streams.open(client_network(websocket) or None) as stream:
                return await SocketConversation(websocket, stream, self._parts).run()
        except TooMuchOpen as full:
            return Closing(1013, full.message)
        finally:
            self._metrics.socket_closed()

    async def _deny(self, websocket: WebSocket) -> None:
        """Another site's page has asked, whose visitors' browser says so."""
        self._refusals.note("%s for a WebSocket (HTTP 403)", Forbidden.code)
        error = request_error(Forbidden.code, _FOREIGN_ORIGIN, websocket.scope["state"]["request_id"])
        await websocket.send_denial_response(JSONResponse({"errors": [error]}, 403))


async def _close(websocket: WebSocket, closing: Closing) -> None:
    reason = closing.reason.encode()[:LONGEST_REASON_BYTES].decode(errors="ignore")
    with suppress(WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await websocket.close(closing.code, reason)


_FOREIGN_ORIGIN: Final = "Pages of this origin can't open sockets here."
