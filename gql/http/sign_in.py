"""Who sends a request: a bearer token, or in development the cookie with which GraphiQL is signed in.

Used by the GraphQL view and its sockets. The cookie exists only where `tether serve` in development made a key for it.
"""

from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from domain.secret import Secret

COOKIE: Final = "tether-development"
_PATH: Final = "/graphql"
_SIGNED_OUT: Final = "signed-out"
_LOOPBACK_NAMES: Final = {"localhost", "127.0.0.1", "::1"}


def bearer_token(authorization: object) -> str | None:
    """The token in an Authorization header or the like; None where there is none. Any other scheme is no token."""
    if not isinstance(authorization, str):
        return None
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def sent_token(connection: HTTPConnection, development_token: Secret | None) -> str | None:
    """The token that a request or handshake carries. The cookie counts only from this machine's own pages."""
    if "authorization" in connection.headers:
        return bearer_token(connection.headers["authorization"]) or ""
    if development_token is not None and from_own_page(connection) and not stays_signed_out(connection):
        return _cookie(connection)
    return None


def sign_in(connection: HTTPConnection, response: Response, development_token: Secret | None) -> None:
    """Give the browser of a developer the cookie, if it is on this machine and came by a name of this machine."""
    if development_token is not None and is_loopback(connection):
        response.set_cookie(COOKIE, development_token.reveal(), path=_PATH, httponly=True, samesite="strict")


def sign_out(response: Response) -> None:
    """Take the key out of the browser's cookie, and keep it out until the next `sign_in` in so many words."""
    response.set_cookie(COOKIE, _SIGNED_OUT, path=_PATH, httponly=True, samesite="strict")


def stays_signed_out(connection: HTTPConnection) -> bool:
    """Whether somebody has signed out in this browser."""
    return _cookie(connection) == _SIGNED_OUT


def from_own_page(connection: HTTPConnection) -> bool:
    """Whether a browser's page of this very server asks, or no page at all."""
    origin, host = connection.headers.get("origin"), connection.headers.get("host")
    return (origin is None or origin in {f"http://{host}", f"https://{host}"}) and is_loopback(connection)


def is_loopback(connection: HTTPConnection) -> bool:
    """Whether both ends are this machine, and were meant to be: a foreign name that leads here is somebody's trick."""
    client = connection.client
    try:
        host = urlsplit(f"//{connection.headers.get('host', '')}").hostname
        return host in _LOOPBACK_NAMES and client is not None and ip_address(client.host).is_loopback
    except ValueError:
        return False


def _cookie(connection: HTTPConnection) -> str | None:
    try:
        cookies = SimpleCookie(connection.headers.get("cookie", ""))
    except CookieError:
        return None
    return cookies[COOKIE].value if COOKIE in cookies else None
