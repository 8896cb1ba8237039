"""POST /webhooks/{service}: what a service sends by itself is verified, stored and acknowledged; processed later.

Mounted by `gql/http/application.py`. A request that doesn't prove whose it is reaches neither the database nor a task.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from domain.errors import ServiceUnavailable, Unauthenticated
from domain.services.webhooks import Challenge, Refusal
from gql.bootstrap import Tether
from gql.errors import BAD_USER_INPUT, request_error
from gql.http.request_body import read_body

LARGEST_WEBHOOK_BYTES: Final = 1024 * 1024
BODY_SECONDS: Final = 10.0
"""How long a body may take to arrive. Services wait as long for the answer, or less."""

RETRY_AFTER_SECONDS: Final = 30
_TOLD_AGAIN_SECONDS: Final = 60.0
_log: Final = logging.getLogger(__name__)


def webhook_routes(tether: Tether, wake_runner: Callable[[], None] | None) -> list[Route]:
    """The one route. It takes no token: the signature is what counts."""
    return [Route("/webhooks/{service}", WebhookReceiver(tether, wake_runner).receive, methods=["POST"])]


class WebhookReceiver:
    """202: stored, to be processed soon. 200: a repeat, or the answer to a challenge. 503: to be sent again."""

    def __init__(self, tether: Tether, wake_runner: Callable[[], None] | None) -> None:
        self._tether = tether
        self._wake_runner = wake_runner
        self._refused_at: dict[tuple[str, Refusal], float] = {}

    async def receive(self, request: Request) -> Response:
        service = self._tether.catalogue.find(request.path_params["service"])
        if service is None or service.webhooks is None:
            return _error(request, 404, BAD_USER_INPUT, "No webhooks are taken at this address.")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            message = "Webhooks are taken as JSON: have the service send the content type application/json."
            return _error(request, 415, BAD_USER_INPUT, message)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await read_body(request, LARGEST_WEBHOOK_BYTES)
        except (ClientDisconnect, TimeoutError):
            return _error(request, 408, BAD_USER_INPUT, "The body didn't arrive completely.")
        if body is None:
            message = f"The body is larger than {LARGEST_WEBHOOK_BYTES // 1024} KiB."
            return _error(request, 413, BAD_USER_INPUT, message)
        received = service.webhooks.receive(request.headers, body, self._tether.clock())
        if isinstance(received, Refusal):
            return self._refused(request, service.id, received)
        if isinstance(received, Challenge):
            return PlainTextResponse(received.text)
        self._tether.metrics.webhook_received(service.id)
        try:
            new = await self._tether.webhooks.keep(service.id, received)
        except ServiceUnavailable as unavailable:
            answer = _error(request, 503, unavailable.code, unavailable.message)
            answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return answer
        if new and self._wake_runner is not None:
            self._wake_runner()
        return Response(status_code=202 if new else 200)

    def _refused(self, request: Request, service_id: str, refusal: Refusal) -> Response:
        """Whoever sent it learns only what any forger knows; the log says more, once a minute."""
        now, told = time.monotonic(), (service_id, refusal)
        if now - self._refused_at.get(told, -_TOLD_AGAIN_SECONDS) >= _TOLD_AGAIN_SECONDS:
            self._refused_at[told] = now
            _log.warning("A webhook for %s was refused: %s. Is its secret the one set here?", service_id, refusal)
        if refusal is Refusal.MALFORMED:
            return _error(request, 400, BAD_USER_INPUT, "This isn't a webhook of the service.")
        return _error(request, 401, Unauthenticated.code, "The signature isn't valid.")


def _error(request: Request, status: int, code: str, message: str) -> Response:
    body = {"errors": [request_error(code, message, request.state.request_id)]}
    return JSONResponse(body, status_code=status)
