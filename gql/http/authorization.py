"""/oauth/start and /oauth/callback: where a browser leaves for a service and comes back. AuthorizationFlows decides.

Mounted by `gql/http/application.py`. People see these pages only where there is no `returnTo` to go to.
"""

import json
import re
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from domain.authorization_journey import Arrival, Connected, Departure
from domain.entities.identifiers import Kind, typed_id
from domain.entities.user import Viewer
from domain.errors import ServiceUnavailable
from domain.flow_failure import FailureCode, FlowFailure
from domain.secret import Secret
from gql.bootstrap import Tether
from gql.http.page_policy import page_policy

MESSAGE_TYPE: Final = "tether:authorization"
"""The `type` of what a popup tells its opener."""


SignedIn = Callable[[Request], Awaitable[Viewer | None]]
"""Who is signed in in the browser that comes back; None for nobody. Raises ServiceUnavailable.

Every kind of session that there is answers here. It must be one that no other site, and nobody on the way, can put
into a browser: whoever could would have others connect their accounts to what is his.
"""


def authorization_routes(tether: Tether, signed_in: SignedIn) -> list[BaseRoute]:
    """/oauth/start/{token} and /oauth/callback/{service}."""
    flows = tether.authorization_flows
    cookies = FlowCookies(secure=tether.settings.public_url.startswith("https://"))

    async def start(request: Request) -> Response:
        departure = await flows.start(request.path_params["token"])
        if isinstance(departure, Arrival):
            return _landing(departure)
        response = RedirectResponse(departure.address, 303)
        cookies.give(response, departure)
        return response

    async def callback(request: Request) -> Response:
        service, query = request.path_params["service"], dict(request.query_params)
        viewer = await signed_in(request)
        arrival = await flows.come_back(service, query, cookies.proofs(request), viewer)
        response = _landing(arrival)
        cookies.take_back(response, arrival)
        return response

    return [Route("/oauth/start/{token}", _visited(start)), Route("/oauth/callback/{service}", _visited(callback))]


class FlowCookies:
    """The cookies by which a browser is known again, one for each flow.

    Where Tether is reached by https they have the prefix `__Host-`, so that no other host can set them. Browsers keep
    such a cookie, and any Secure one, only by https: on a developer's machine it goes without.
    """

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        self._prefix = f"{'__Host-' if secure else ''}tether-flow-"

    def give(self, response: Response, departure: Departure) -> None:
        response.set_cookie(
            self._prefix + departure.reference,
            departure.proof.reveal(),
            expires=departure.expires_at,
            secure=self._secure,
            httponly=True,
            samesite="lax",  # the way back begins at the service
        )

    def take_back(self, response: Response, arrival: Arrival) -> None:
        if arrival.reference is not None:
            response.delete_cookie(self._prefix + arrival.reference, secure=self._secure, httponly=True, samesite="lax")

    def proofs(self, request: Request) -> dict[str, str]:
        """What this browser keeps, by the flows' references."""
        return {
            name.removeprefix(self._prefix): value
            for name, value in request.cookies.items()
            if name.startswith(self._prefix)
        }


def _visited(visit: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The visit of a person. Whatever else asks uses nothing up: HEAD, pages that load it, browsers that prefetch."""

    async def answer(request: Request) -> Response:
        if request.method == "HEAD":
            response = Response()
        elif not _is_navigation(request):
            response = Response(status_code=503)  # so that the browser asks again when the person does
        else:
            try:
                response = await visit(request)
            except ServiceUnavailable as unavailable:
                response = _page("That didn’t work", f"<p>{escape(unavailable.message)}</p>", 503)
        response.headers.update(_HEADERS)
        return response

    return answer


def _is_navigation(request: Request) -> bool:
    """As far as the browser says: an image or a script isn't one, nor is what a person may never go to."""
    purposes = (request.headers.get(name, "").lower() for name in ("sec-purpose", "purpose"))
    return request.headers.get("sec-fetch-mode", "navigate") == "navigate" and not any(map(_PREFETCH.search, purposes))


_PREFETCH: Final = re.compile("prefetch|prerender")
_HEADERS: Final = {
    "Referrer-Policy": "no-referrer",  # addresses here hold what opens something
    "Cross-Origin-Opener-Policy": "unsafe-none",  # a popup may know its opener
    "X-Robots-Tag": "noindex",
}


def _landing(arrival: Arrival) -> Response:
    """Where a browser's way ends: at `returnTo`, at its opener, or here."""
    outcome = arrival.outcome
    if arrival.return_to is None:
        return _final_page(outcome)
    told = _told(outcome)
    onward = f"{arrival.return_to}?{urlencode(told, quote_via=quote)}"
    return _popup(arrival.return_to, onward, told) if arrival.popup else RedirectResponse(onward, 303)


def _told(outcome: Secret | FlowFailure | Connected) -> dict[str, str]:
    """What `returnTo` gets in its query, in the words of OAuth."""
    match outcome:
        case Secret():
            return {"code": outcome.reveal()}
        case Connected():
            return {"connection": typed_id(Kind.CONNECTION, outcome.connection_id)}
        case FlowFailure():
            return {"error": outcome.code.value, "error_description": outcome.message}


def _popup(return_to: str, onward: str, told: dict[str, str]) -> Response:
    """Tells the opener, if it is of the origin of `returnTo`, and closes. Without an opener it goes there itself."""
    data = {"type": MESSAGE_TYPE, **{_MESSAGE_KEYS.get(name, name): value for name, value in told.items()}}
    address = urlsplit(return_to)
    message = json.dumps({"data": data, "origin": f"{address.scheme}://{address.netloc}"}).replace("<", "\\u003c")
    words = escape(told.get("error_description", "Almost done: this window closes by itself."))
    return _page("Back from the service", _POPUP.substitute(words=words, onward=escape(onward), message=message))


def _final_page(outcome: Secret | FlowFailure | Connected) -> Response:
    match outcome:
        case Secret():
            return _completion_page(outcome)
        case Connected():
            words = f"<p><strong>{escape(outcome.name)}</strong> is connected. You can close this page.</p>"
            return _page("Connected", words)
        case FlowFailure():
            return _failure_page(outcome)


def _completion_page(code: Secret) -> Response:
    operation = (
        f'mutation {{\n  completeAuthorization(input: {{code: "{code.reveal()}"}}) {{\n'
        "    connection { id name status }\n    userErrors { message }\n  }\n}"
    )
    return _page(
        "One more step",
        "<p>The service has agreed. To finish, whoever called <code>authorizeConnection</code> runs this operation "
        "within ten minutes, with the same API key:</p>\n"
        f"<pre>{escape(operation)}</pre>\n"
        "<p>If you didn’t begin this yourself, close this page and give the code to nobody.</p>",
    )


def _failure_page(failure: FlowFailure) -> Response:
    status = 404 if failure.code is FailureCode.UNKNOWN else 400
    content = f"<p>{escape(failure.message)}</p>\n<p>Code: <code>{failure.code}</code></p>"
    return _page("Nothing was connected", content, status)


def _page(title: str, content: str, status: int = 200) -> Response:
    html = _PAGE.substitute(title=title, content=content)
    return HTMLResponse(html, status, {"Content-Security-Policy": page_policy(html)})


_MESSAGE_KEYS: Final = {"connection": "connectionId", "error_description": "errorDescription"}
_PAGE: Final = Template(Path(__file__).with_name("authorization.html").read_text("utf-8"))
_POPUP: Final = Template(Path(__file__).with_name("authorization_popup.html").read_text("utf-8"))
