"""/oauth/start and /oauth/callback: where a browser leaves for a service and comes back. AuthorizationFlows decides.

Mounted by `gql/http/application.py`. People see these pages only where there is no `returnTo` to go to.
"""

import json
from html import escape
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from domain.authorization_journey import Arrival, Connected, Departure
from domain.entities.identifiers import Kind, typed_id
from domain.flow_failure import FailureCode, FlowFailure
from domain.secret import Secret
from gql.bootstrap import Tether
from gql.http.browser_access import BrowserAccess
from gql.http.cookies import OwnCookies
from gql.http.visits import page, visited

MESSAGE_TYPE: Final = "tether:authorization"
"""The `type` of what a popup tells its opener."""


def authorization_routes(tether: Tether, access: BrowserAccess) -> list[BaseRoute]:
    """/oauth/start/{token} and /oauth/callback/{service}."""
    flows = tether.authorization_flows
    cookies = FlowCookies(access.cookies)

    async def start(request: Request) -> Response:
        departure = await flows.start(request.path_params["token"])
        if isinstance(departure, Arrival):
            return _landing(departure)
        response = RedirectResponse(departure.address, 303)
        cookies.give(response, departure)
        return response

    async def callback(request: Request) -> Response:
        service, query = request.path_params["service"], dict(request.query_params)
        # A session that nobody can put into another browser: whoever could would have others connect their accounts to
        # what is his.
        viewer = await access.callers.signed_in(request)
        arrival = await flows.come_back(service, query, cookies.proofs(request), viewer)
        response = _landing(arrival)
        cookies.take_back(response, arrival)
        return response

    return [
        Route("/oauth/start/{token}", visited(start, _HEADERS)),
        Route("/oauth/callback/{service}", visited(callback, _HEADERS)),
    ]


class FlowCookies:
    """The cookies by which a browser is known again, one for each flow. Lax: the way back begins at the service."""

    def __init__(self, cookies: OwnCookies) -> None:
        self._cookies = cookies

    def give(self, response: Response, departure: Departure) -> None:
        self._cookies.give(response, _FLOW + departure.reference, departure.proof.reveal(), departure.expires_at)

    def take_back(self, response: Response, arrival: Arrival) -> None:
        if arrival.reference is not None:
            self._cookies.take_back(response, _FLOW + arrival.reference)

    def proofs(self, request: Request) -> dict[str, str]:
        """What this browser keeps, by the flows' references."""
        return self._cookies.starting_with(request, _FLOW)


_FLOW: Final = "tether-flow-"
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
    return page("Back from the service", _POPUP.substitute(words=words, onward=escape(onward), message=message))


def _final_page(outcome: Secret | FlowFailure | Connected) -> Response:
    match outcome:
        case Secret():
            return _completion_page(outcome)
        case Connected():
            words = f"<p><strong>{escape(outcome.name)}</strong> is connected. You can close this page.</p>"
            return page("Connected", words)
        case FlowFailure():
            return _failure_page(outcome)


def _completion_page(code: Secret) -> Response:
    operation = (
        f'mutation {{\n  completeAuthorization(input: {{code: "{code.reveal()}"}}) {{\n'
        "    connection { id name status }\n    userErrors { message }\n  }\n}"
    )
    return page(
        "One more step",
        "<p>The service has agreed. To finish, whoever called <code>authorizeConnection</code> runs this operation "
        "within ten minutes, by the same API key or signed in as before:</p>\n"
        f"<pre>{escape(operation)}</pre>\n"
        "<p>If you didn’t begin this yourself, close this page and give the code to nobody.</p>",
    )


def _failure_page(failure: FlowFailure) -> Response:
    status = 404 if failure.code is FailureCode.UNKNOWN else 400
    content = f"<p>{escape(failure.message)}</p>\n<p>Code: <code>{failure.code}</code></p>"
    return page("Nothing was connected", content, status)


_MESSAGE_KEYS: Final = {"connection": "connectionId", "error_description": "errorDescription"}
_POPUP: Final = Template(Path(__file__).with_name("authorization_popup.html").read_text("utf-8"))
