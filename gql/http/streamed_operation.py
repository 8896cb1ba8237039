"""StreamedOperation: an HTTP answer with an operation's results as they come, until one side has enough.

Made by the GraphQL view for a subscription whose client takes a stream. The next result is asked for when the client
has taken the one before, so that nothing piles up here: events wait in the database.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from strawberry.types.execution import ExecutionResult

from domain.errors import DomainError, ServiceUnavailable, Unauthenticated
from domain.user_service import UNAUTHENTICATED
from gql.errors import request_error
from gql.feed_place import FeedPlace, place_of_stream
from gql.http.caller_watch import until_shut_out
from gql.http.graphql_answer import body_of
from gql.http.stream_framing import StreamFraming
from gql.proof import Proof


@dataclass(frozen=True, slots=True)
class StreamTimes:
    """`quiet_seconds`: how long it says nothing at most; `unread_seconds`: how long the client may take to read."""

    quiet_seconds: float
    unread_seconds: float


class StreamedOperation:
    """One answer, an ASGI application. `held` is open as long as it: what counts it, and what measures it."""

    def __init__(
        self,
        results: AsyncGenerator[ExecutionResult],
        framing: StreamFraming,
        *,
        held: AbstractContextManager[Any],
        proof: Proof | None,
        place: FeedPlace,
        times: StreamTimes,
        draining: asyncio.Event,
        request_id: str,
    ) -> None:
        self._results = results
        self._framing = framing
        self._held = held
        self._proof = proof
        self._place = place
        self._times = times
        self._draining = draining
        self._request_id = request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Everything of the operation runs in one context: what one result leaves there, the next one finds.
        context = copy_context()
        context.run(place_of_stream.set, self._place)
        with self._held:
            gone = asyncio.create_task(_until_gone(receive))
            shut_out = asyncio.create_task(until_shut_out(self._proof))
            drained = asyncio.create_task(self._draining.wait())
            try:
                headers = Headers({"Content-Type": self._framing.content_type, **_HEADERS}).raw
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await self._stream(send, context, gone, shut_out, drained)
            except TimeoutError:
                _log.info(
                    "A stream is given up, since its client has read nothing for %s s", self._times.unread_seconds
                )
            finally:
                await _ended(gone, shut_out, drained)
                await asyncio.create_task(self._close(), context=context)

    async def _stream(self, send: Send, context: Context, *endings: "asyncio.Task[Any]") -> None:
        gone, shut_out, drained = endings
        await self._say(send, self._framing.begin())
        following = asyncio.create_task(self._next(), context=context)
        try:
            while True:
                done, _ = await asyncio.wait(
                    {following, *endings}, timeout=self._times.quiet_seconds, return_when=asyncio.FIRST_COMPLETED
                )
                if gone.done():
                    return
                if (last := self._last(following, shut_out, drained)) is not None:
                    await self._say(send, last, more=False)
                    return
                if not done:
                    await self._say(send, self._framing.sign_of_life())
                elif (result := following.result()) is not None:
                    await self._say(send, self._framing.result(body_of(result), self._new_cursor()))
                    following = asyncio.create_task(self._next(), context=context)
        finally:
            await _ended(following)

    def _last(
        self, following: "asyncio.Task[Any]", shut_out: "asyncio.Task[Any]", drained: "asyncio.Task[Any]"
    ) -> bytes | None:
        """What is said at the end, where it is there. Who isn't let in any more doesn't get what has just come."""
        if shut_out.done():
            return self._framing.shut_out(self._error(Unauthenticated(UNAUTHENTICATED)))
        if drained.done():
            return self._framing.interrupted(self._error(ServiceUnavailable(STOPPING)))
        return self._framing.complete() if following.done() and following.result() is None else None

    async def _next(self) -> ExecutionResult | None:
        return await anext(self._results, None)

    async def _close(self) -> None:
        await self._results.aclose()

    def _new_cursor(self) -> str | None:
        """Of the event in the result that has just come; None where it has none."""
        cursor, self._place.cursor = self._place.cursor, None
        return cursor

    async def _say(self, send: Send, text: bytes, *, more: bool = True) -> None:
        """As soon as the client has taken most of what came before. Raises TimeoutError where it doesn't."""
        async with asyncio.timeout(self._times.unread_seconds):
            await send({"type": "http.response.body", "body": text, "more_body": more})

    def _error(self, error: DomainError) -> Mapping[str, Any]:
        return request_error(error.code, error.message, self._request_id)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ended(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


_HEADERS: Final = {
    "Vary": "Accept",
    "X-Accel-Buffering": "no",  # proxies such as nginx would keep it until it is long enough
}
STOPPING: Final = "This server is being stopped. Come again: another one, or its successor, goes on."
_log: Final = logging.getLogger(__name__)
