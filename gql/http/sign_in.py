"""/sign-in, /sign-in/start, /sign-in/callback/… and /sign-out: how a browser gets its session, and gives it back.

Mounted by `gql/http/application.py`. SignIn and Sessions decide; pages in one piece are shown where a person has to
choose, or where it didn't work.
"""

from html import escape
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from domain.return_path import return_path
from domain.sign_in import SignIn, SignInDeparture, callback_path
from domain.sign_in_failure import TOO_MANY, SignInFailure, SignInFailureCode
from gql.bootstrap import Tether
from gql.http.browser_access import BrowserAccess
from gql.http.own_pages import CSRF_HEADER
from gql.http.sign_in_limit import SignInLimit
from gql.http.visits import page, visited

PAGE: Final = "/sign-in"
START: Final = "/sign-in/start"
SIGN_OUT: Final = "/sign-out"


def sign_in_routes(tether: Tether, access: BrowserAccess) -> list[BaseRoute]:
    """All of them."""
    visits = _SignInVisits(tether, access)
    return [
        Route(PAGE, visited(visits.choose, _HEADERS)),
        Route(START, visited(visits.start, _HEADERS)),
        Route(
            callback_path("{provider}"), visited(visits.callback, {**_HEADERS, "Referrer-Policy": "no-referrer"})
        ),  # it holds a code
        Route(SIGN_OUT, visits.sign_out, methods=["POST"]),
    ]


class _SignInVisits:
    """One server's."""

    def __init__(self, tether: Tether, access: BrowserAccess) -> None:
        self._sign_in = tether.sign_in
        self._sessions = tether.sessions
        self._access = access
        self._limit = SignInLimit()
        self._stays_signed_out = tether.sample_founder is not None

    async def choose(self, request: Request) -> Response:
        """Offer the identity providers; straight on to the only one, where the person came here by our own pages."""
        onward = return_path(request.query_params.get("returnTo"))
        providers = self._sign_in.providers
        if not providers:
            return page("Nobody signs in here", f"<p>{_NO_PROVIDERS}</p>", 404)
        viewer = await self._access.callers.signed_in(request)
        if viewer is None and len(providers) == 1 and not self._access.own_pages.came_from_elsewhere(request):
            return RedirectResponse(_start(providers[0].issuer, onward), 303)
        content = _choices(self._sign_in, onward)
        if viewer is not None:
            content = _signed_in_as(viewer.user_name) + content
        return page("Sign in to Tether", content, form_action="'self'")

    async def start(self, request: Request) -> Response:
        """Send the browser to the provider that its person has chosen.

        Another site that leads here only gets as far as the page on which the person chooses: nobody is signed in
        without having wanted it, and nobody else fills this browser with the cookies of sign-ins.
        """
        issuer, return_to = request.query_params.get("issuer", ""), request.query_params.get("returnTo")
        if self._access.own_pages.came_from_elsewhere(request):
            return RedirectResponse(f"{PAGE}?{urlencode({'returnTo': return_path(return_to)})}", 303)
        departure = await self._sign_in.begin(issuer, return_to) if self._limit.takes(request) else TOO_MANY
        if not isinstance(departure, SignInDeparture):
            return _failure_page(departure, return_path(return_to))
        response = RedirectResponse(departure.address, 303)
        self._access.cookies.give(response, _FLOW + departure.reference, departure.proof.reveal(), departure.expires_at)
        return response

    async def callback(self, request: Request) -> Response:
        """Take a browser back, and give it a new session in the place of whatever it had."""
        proofs = self._access.cookies.starting_with(request, _FLOW)
        session, provider = self._access.session, request.path_params["provider"]
        arrival = await self._sign_in.come_back(provider, dict(request.query_params), proofs, session.read(request))
        if isinstance(arrival.outcome, SignInFailure):
            response = _failure_page(arrival.outcome, arrival.return_to)
        else:
            response = RedirectResponse(arrival.return_to, 303)
            session.give(response, arrival.outcome)
        if arrival.reference is not None:
            self._access.cookies.take_back(response, _FLOW + arrival.reference)
        return response

    async def sign_out(self, request: Request) -> Response:
        """End the session in this browser, or with `everywhere=true` all of its person's.

        Raises CsrfRefused for what no page of ours has sent, and Unauthenticated where there is nobody to sign out
        everywhere.
        """
        by_form = CSRF_HEADER not in request.headers  # which can't send it, as scripts do
        if not (by_form and self._access.own_pages.surely_ask(request)):
            self._access.own_pages.require(request)
        secret = self._access.session.read(request)
        if request.query_params.get("everywhere") == "true":
            await self._sessions.end_everywhere(secret or "")
        elif secret is not None:
            await self._sessions.end(secret)
        response = RedirectResponse("/", 303) if by_form else Response(status_code=204)
        self._access.session.take_back(response)
        if self._stays_signed_out:
            self._access.session.stay_signed_out(response)
        return response


def _start(issuer: str, return_to: str) -> str:
    return f"{START}?{urlencode({'issuer': issuer, 'returnTo': return_to})}"


def _choices(sign_in: SignIn, return_to: str) -> str:
    links = (
        f'<li><a href="{escape(_start(provider.issuer, return_to))}">{escape(provider.name)}</a></li>'
        for provider in sign_in.providers
    )
    return f"<p>With whom you have an account:</p>\n<ul>\n{chr(10).join(links)}\n</ul>"


def _signed_in_as(name: str) -> str:
    return (
        f"<p>You are signed in as <strong>{escape(name)}</strong>.</p>\n"
        f'<form method="post" action="{SIGN_OUT}"><button>Sign out</button></form>\n'
        f'<form method="post" action="{SIGN_OUT}?everywhere=true"><button>Sign out everywhere</button></form>\n'
        "<p>Or sign in as somebody else.</p>\n"
    )


def _failure_page(failure: SignInFailure, return_to: str) -> Response:
    status = _STATUS.get(failure.code, 400)
    again = f"{PAGE}?{urlencode({'returnTo': return_to})}"
    content = (
        f"<p>{escape(failure.message)}</p>\n<p>Code: <code>{failure.code}</code></p>\n"
        f'<p><a href="{escape(again)}">Try again</a></p>'
    )
    return page("Nobody was signed in", content, status)


_FLOW: Final = "tether-sign-in-"
_HEADERS: Final = {"X-Robots-Tag": "noindex"}
_STATUS: Final = {
    SignInFailureCode.UNKNOWN_PROVIDER: 404,
    SignInFailureCode.DENIED: 403,
    SignInFailureCode.NOT_ALLOWED: 403,
    SignInFailureCode.TOO_MANY: 429,
    SignInFailureCode.PROVIDER_UNREACHABLE: 502,
    SignInFailureCode.PROVIDER_REFUSED: 502,
}
_NO_PROVIDERS: Final = (
    "The operator of this server has configured no identity provider for browsers. Programs, and GraphiQL, can use an "
    "API key."
)
