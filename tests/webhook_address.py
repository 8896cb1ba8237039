"""An address that takes webhooks over real HTTP, keeps what came, and answers as it is told. Used by webhook tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.serving import serving


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request as it came; header names in lower case."""

    headers: dict[str, str]
    body: bytes


Answering = Callable[[Arrived], tuple[int, str]]
"""HTTP status and text."""


def acknowledge(_: Arrived) -> tuple[int, str]:
    return 200, ""


@dataclass(frozen=True, slots=True)
class WebhookAddress:
    url: str
    arrived: list[Arrived]


@asynccontextmanager
async def webhook_address(answering: Answering = acknowledge) -> AsyncIterator[WebhookAddress]:
    arrived: list[Arrived] = []

    async def take(request: Request) -> Response:
        came = Arrived(dict(request.headers), await request.body())
        arrived.append(came)
        status, text = answering(came)
        return PlainTextResponse(text, status)

    async with serving(Starlette(routes=[Route("/hook", take, methods=["POST"])])) as url:
        yield WebhookAddress(f"{url}/hook", arrived)
