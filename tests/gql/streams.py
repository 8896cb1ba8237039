"""Streams over HTTP as their clients read them: Server-Sent Events and the parts of Apollo's protocol."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from tests.gql.server import TetherServer
from tests.gql.waiting import DEADLINE_SECONDS

SSE: Final = "text/event-stream"
APOLLO: Final = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0, application/graphql-response+json"


@dataclass(slots=True)
class Stream:
    """An answer that goes on. `separator`: what is between its messages; `text`: all that has come so far."""

    response: httpx2.Response
    separator: bytes
    text: bytes = b""
    _read: int = 0
    _chunks: AsyncIterator[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._chunks = self.response.aiter_bytes()

    async def message(self) -> bytes | None:
        """What comes before the next separator; None at the end of the answer."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (end := self.text.find(self.separator, self._read)) < 0:
                chunk = await anext(self._chunks, None)
                if chunk is None:
                    return None
                self.text += chunk
        found = self.text[self._read : end]
        self._read = end + len(self.separator)
        return found

    async def event(self) -> dict[str, str] | None:
        """The next event of a stream of those, by its fields; signs of life are left out."""
        while (message := await self.message()) is not None:
            fields = dict(line.split(": ", 1) for line in message.decode().split("\n") if not line.startswith(":"))
            if fields:
                return fields
        return None

    async def next(self) -> dict[str, Any]:
        """The result in the next event, which has to be one."""
        event = await self.event()
        assert event is not None
        assert event["event"] == "next"
        result: dict[str, Any] = json.loads(event["data"])
        return result

    async def part(self) -> dict[str, Any] | None:
        """The next part of a multipart answer; heartbeats are left out."""
        while (message := await self.message()) is not None:
            _, found, content = message.partition(b"\r\n\r\n")
            if found and json.loads(content):
                part: dict[str, Any] = json.loads(content)
                return part
        return None


@asynccontextmanager
async def open_stream(
    server: TetherServer, token: str | None, query: str, *, headers: dict[str, str] | None = None, **variables: Any
) -> AsyncIterator[Stream]:
    """As an event stream, unless the headers accept another one."""
    sent = {"Accept": SSE, **({} if token is None else {"Authorization": f"Bearer {token}"}), **(headers or {})}
    body = {"query": query, "variables": variables}
    async with server.http.stream("POST", "/graphql", json=body, headers=sent) as response:
        is_multipart = response.headers["content-type"].startswith("multipart/")
        yield Stream(response, b"\r\n--graphql" if is_multipart else b"\n\n")
