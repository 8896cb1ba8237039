"""BoundedHeads: uvicorn's HTTP protocol for clients who say what they ask for, in few enough bytes and soon enough.

Given to uvicorn by `gql/commands/serve.py`. By itself uvicorn waits without end for a request's first line and headers,
and keeps them in memory however long they get, before anything of Tether hears of it.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

LARGEST_HEAD_BYTES: Final = 64 * 1024
"""More may come in one piece with what is still allowed; the network gives a quarter of a MiB at once at most."""

HEAD_SECONDS: Final = 30.0
"""From its first byte, or from the connection's beginning; between requests uvicorn waits less."""


class BoundedHeads(HttpToolsProtocol):
    """One connection. `_late`: when it is given up, None while a request is being answered.

    `_begun`: whether some of its head has come, and `_head_bytes` how much after that.
    """

    _late: asyncio.TimerHandle | None = None
    _begun = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun, self._head_bytes = True, 0
        self._wait()

    def on_headers_complete(self) -> None:
        self._begun = False
        self._wait_no_longer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        late = self._late
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return  # refused, or a WebSocket by now
        if self._late is None:
            cycle: RequestResponseCycle | None = self.cycle
            if cycle is None or cycle.response_complete:
                self._wait()  # what has come is no request: the rest of one that was answered, or blank
        elif self._late is late and self._begun:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD_BYTES:
                self.send_400_response("The request's headers are too long.")

    def _wait(self) -> None:
        self._wait_no_longer()
        self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _wait_no_longer(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
