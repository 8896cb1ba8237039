"""Cors: which other origins' pages may ask the GraphQL endpoint (Cross-Origin Resource Sharing). Around it by
`create_application`.

They may with a token of their own, never with the cookie of somebody who is signed in here: credentials aren't allowed.
"""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gql.browser_settings import BrowserSettings
from gql.http.own_pages import CSRF_HEADER
from gql.settings_reader import Switch


class Cors:
    """An ASGI application around another one. Where no origin is allowed, nothing is added to an answer."""

    def __init__(self, application: ASGIApp, settings: BrowserSettings) -> None:
        self._application = application
        self._origins = frozenset(settings.cors_origins)
        methods = "GET, POST" if settings.get_queries is Switch.ON else "POST"
        self._preflight = {
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": ", ".join(ALLOWED),
            "Access-Control-Max-Age": str(_REMEMBERED_SECONDS),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/graphql" or not self._origins:
            await self._application(scope, receive, send)
            return
        asked = Headers(scope=scope)
        allowed = {"Access-Control-Allow-Origin": asked["origin"]} if asked.get("origin") in self._origins else {}
        if allowed and scope["method"] == "OPTIONS" and "access-control-request-method" in asked:
            await _answer_preflight(send, {**allowed, **self._preflight})
            return
        if allowed:
            allowed["Access-Control-Expose-Headers"] = ", ".join(EXPOSED)

        async def send_shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(allowed)
                headers.add_vary_header("Origin")
            await send(message)

        await self._application(scope, receive, send_shared)


async def _answer_preflight(send: Send, allowed: dict[str, str]) -> None:
    headers = MutableHeaders(allowed)
    headers["Vary"] = "Origin"
    await send({"type": "http.response.start", "status": 204, "headers": headers.raw})
    await send({"type": "http.response.body"})


ALLOWED: Final = (
    "Authorization",
    "Content-Type",
    "Last-Event-ID",
    CSRF_HEADER,
    "X-Request-Id",
    "Traceparent",
    "Tracestate",
    "Apollographql-Client-Name",  # how Apollo's clients call themselves, if they are told to
    "Apollographql-Client-Version",
)
EXPOSED: Final = ("Retry-After", "WWW-Authenticate", "X-Request-Id")
_REMEMBERED_SECONDS: Final = 7_200
"""How long browsers needn't ask again; none remembers it for longer."""
