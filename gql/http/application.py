"""The application: which address answers what, and what every answer carries. Made by `tether serve` and by tests.

What it needs is open before it is made and closed after it has ended, so it has no lifespan of its own.
"""

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Final, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.errors import ServiceUnavailable, Unauthenticated
from domain.log_context import log_context
from domain.request_origin import RequestOrigin, request_from
from gql.bootstrap import Tether
from gql.errors import BAD_USER_INPUT, INTERNAL, masked, request_error
from gql.http.authorization import authorization_routes
from gql.http.browser_access import BrowserAccess
from gql.http.client import place_client
from gql.http.cors import Cors
from gql.http.development_issuer import development_issuer_routes
from gql.http.graphiql import FRONT_END, GraphiQL
from gql.http.graphql_view import GraphQLView
from gql.http.health import health_routes
from gql.http.metrics import metrics_routes
from gql.http.own_pages import CSRF_REFUSED, CsrfRefused
from gql.http.security_headers import security_headers
from gql.http.sign_in import sign_in_routes
from gql.http.start_page import start_page_routes
from gql.http.webhooks import webhook_routes
from gql.persisted_queries import PersistedQueries
from gql.schema import build_schema
from gql.settings import TrustedDocumentsMode
from gql.trusted_proxies import TrustedProxies


def create_application(
    tether: Tether, front_end: Path = FRONT_END, *, wake_runner: Callable[[], None] | None = None
) -> "RequestFrame":
    """/, /graphql, /sign-in, /livez, /readyz and /metrics. Every error is JSON, in the form that GraphQL clients know.

    `front_end` is the folder of GraphiQL's. `wake_runner` is told of work that has come; without it, the runner looks
    for itself.
    """
    schema, access = build_schema(tether.settings.limits, _persisted_queries(tether)), BrowserAccess.of(tether)
    graphiql = GraphiQL(tether, access, front_end)
    view = GraphQLView(schema, tether, access, graphiql)
    application = Starlette(
        routes=[
            Route("/graphql", view),
            WebSocketRoute("/graphql", view),
            *graphiql.routes(),
            *sign_in_routes(tether, access),
            *development_issuer_routes(tether, access),
            *authorization_routes(tether, access),
            *start_page_routes(tether, schema),
            *webhook_routes(tether, wake_runner),
            *health_routes(tether),
            *metrics_routes(tether),
        ],
        exception_handlers={
            HTTPException: _refused,
            CsrfRefused: _csrf_refused,
            Unauthenticated: _unauthenticated,
            ServiceUnavailable: _unavailable,
            Exception: _failed,
        },
    )
    application.router.redirect_slashes = False  # a redirected POST would lose its body
    settings = tether.settings
    shared = Cors(application, settings.browsers)
    return RequestFrame(shared, settings.trusted_proxies, security_headers(settings), drain=view.drain)


def _persisted_queries(tether: Tether) -> PersistedQueries:
    mode = tether.settings.trusted_documents
    trusted = None if mode is TrustedDocumentsMode.OFF else tether.trusted_documents
    return PersistedQueries(trusted, required=mode is TrustedDocumentsMode.REQUIRE)


class RequestFrame:
    """Around the whole application: knows where each request is from and gives it its id; answers get safe headers.

    The id is `scope["state"]["request_id"]` and the header `X-Request-Id`; logs and errors name it. Whoever asks may
    have given it already. What is changed on behalf of the request is kept with its id and the client's address. An
    answer that sets one of these headers itself keeps its own.
    """

    def __init__(
        self,
        application: ASGIApp,
        proxies: TrustedProxies,
        headers: Mapping[str, str],
        *,
        drain: Callable[[], None],
    ) -> None:
        self.drain = drain
        """Called when the server is being stopped, to end what would go on for ever."""
        self._application = application
        self._proxies = proxies
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._application(scope, receive, send)
            return
        request_id, address = _sent_id(scope) or token_hex(16), place_client(scope, self._proxies)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_framed(message: Message) -> None:
            if message["type"] in _STARTS:
                own = list(message.get("headers", ()))
                set_already = {name for name, _ in own}
                missing = [header for header in self._headers if header[0] not in set_already]
                message["headers"] = [*own, (b"x-request-id", request_id.encode()), *missing]
            await send(message)

        with log_context(request_id=request_id), request_from(RequestOrigin(address, request_id)):
            try:
                await self._application(scope, receive, send_framed)
            except Exception:
                _log.exception("Request %s failed", request_id)
                if scope["type"] == "websocket":
                    raise  # so that the server closes the socket as failed


def _sent_id(scope: Scope) -> str | None:
    """The id that a proxy or a client has given, if it is one that can stand in a log."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value, "ascii")
    return None


_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_log: Final = logging.getLogger(__name__)
_STARTS: Final = {"http.response.start", "websocket.accept", "websocket.http.response.start"}


async def _refused(request: Request, error: Exception) -> JSONResponse:
    """No such address, or not by this method."""
    refused = cast("HTTPException", error)  # what it is registered for
    message = {
        404: "There is nothing at this address. GraphQL is at /graphql.",
        405: f"{request.method} isn't answered here.",
    }.get(refused.status_code, refused.detail)
    return _errors(request, refused.status_code, BAD_USER_INPUT, message, refused.headers)


async def _csrf_refused(request: Request, error: Exception) -> JSONResponse:
    return _errors(request, 403, CSRF_REFUSED, cast("CsrfRefused", error).message)


async def _unauthenticated(request: Request, error: Exception) -> JSONResponse:
    return _errors(request, 401, Unauthenticated.code, cast("Unauthenticated", error).message)


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    return _errors(request, 503, ServiceUnavailable.code, cast("ServiceUnavailable", error).message)


async def _failed(request: Request, _error: Exception) -> JSONResponse:
    """Nobody meant this to happen; the server's log tells more."""
    return _errors(request, 500, INTERNAL, masked(request.state.request_id))


def _errors(
    request: Request, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    body = {"errors": [request_error(code, message, request.state.request_id)]}
    return JSONResponse(body, status_code=status, headers=headers)
