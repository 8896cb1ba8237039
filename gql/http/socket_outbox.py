"""SocketOutbox: what is said to the client of a socket, and whether they still listen. Used by SocketConversation.

A client that doesn't read holds up whoever has something to say to it, so that no message waits in memory but the one
that each of its operations has at hand.
"""

import time
from collections.abc import Callable, Mapping

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect


class SocketOutbox:
    """One socket's. `gone` is called when a message finds nobody there."""

    def __init__(self, websocket: WebSocket, gone: Callable[[], None]) -> None:
        self._websocket = websocket
        self._gone = gone
        self._open = True
        self._waiting = 0
        self._moved_at = 0.0

    async def send(self, message: Mapping[str, object]) -> None:
        """As text, as soon as the client has read enough of what came before. Values may be documents (Fragment)."""
        if not self._open:
            return
        if not self._waiting:
            self._moved_at = time.monotonic()
        self._waiting += 1
        try:
            await self._websocket.send({"type": "websocket.send", "text": orjson.dumps(message).decode()})
        except WebSocketDisconnect:
            self._open = False
            self._gone()
        finally:
            self._waiting -= 1
            self._moved_at = time.monotonic()

    def stuck_seconds(self) -> float:
        """For how long messages have been waiting, and none of them could go."""
        return time.monotonic() - self._moved_at if self._waiting else 0.0
