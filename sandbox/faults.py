"""Answers that no service documents: slowness, garbage, cut and endless bodies. Used by the simulated services."""

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from sandbox.tokens import Behaviour, Token

CHUNK_BYTES = 64 * 1024


async def fault(token: Token, behaviour: Behaviour) -> Response | None:
    """The faulty answer, or None where the service answers for itself (after the delay, where it is slow)."""
    match behaviour:
        case Behaviour.SLOW:
            await asyncio.sleep(token.delay_seconds)
            return None
        case Behaviour.GARBAGE_HTML:
            return HTMLResponse("<!DOCTYPE html><html><body><h1>Sign in to the guest network</h1></body></html>")
        case Behaviour.GARBAGE_JSON:
            return Response('{"ok": true, "id": 583231, "login": ', media_type="application/json")
        case Behaviour.WRONG_TYPE:
            return JSONResponse([42])  # neither an object nor a list of objects
        case Behaviour.EMPTY_OBJECT:
            return JSONResponse({})
        case Behaviour.TRUNCATED:
            return TruncatedResponse('{"ok": true, "id": 583231, "login": "acme-bot"}', media_type="application/json")
        case Behaviour.HUGE_BODY:
            return StreamingResponse(_endless_login(token.body_bytes), media_type="application/json")
        case _:
            return None


async def fault_after(token: Token, behaviour: Behaviour, answer: Response) -> Response:
    """What comes of the answer to a call that has been done: itself, or less."""
    match behaviour:
        case Behaviour.DONE_THEN_SLOW:
            await asyncio.sleep(token.delay_seconds)
            return answer
        case Behaviour.DONE_THEN_ERROR:
            return Response("<html><body>Bad gateway</body></html>", token.status or 502, media_type="text/html")
        case Behaviour.DONE_THEN_CUT:
            return TruncatedResponse(bytes(answer.body) or b"{}", media_type="application/json")
        case _:
            return answer


class TruncatedResponse(Response):
    """Promises its whole body, sends half and closes the connection (the server logs that as an error)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})


async def _endless_login(body_bytes: int) -> AsyncIterator[bytes]:
    """Valid JSON of about that length, chunked: no content-length warns of it."""
    yield b'{"login":"'
    for _ in range(body_bytes // CHUNK_BYTES):
        yield b"a" * CHUNK_BYTES
    yield b'"}'
