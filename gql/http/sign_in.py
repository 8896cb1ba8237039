"""Who sends a request: a bearer token, or in development the cookies with which GraphiQL is signed in.

Used by the GraphQL view, its sockets and the OAuth callback. The cookies exist only where `tether serve` in
development made a key for them. The one for /graphql holds that key, and no other site makes a browser send it. The
one for the callback has to come along when a browser is sent back by a service: it holds no key, but the proof of one,
which is good for nothing else.
"""

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from domain.entities.user import Viewer
from domain.errors import Unauthenticated
from domain.secret import Secret
from gql.bootstrap import Tether

COOKIE: Final = "tether-development"
CALLBACK_COOKIE: Final = "tether-development-callback"
_PATH: Final = "/graphql"
_CALLBACK_PATH: Final = "/oauth/callback"
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
        return _cookie(connection, COOKIE)
    return None


async def signed_in_at_callback(connection: HTTPConnection, tether: Tether) -> Viewer | None:
    """Who is signed in in the browser that a service sends back. Raises ServiceUnavailable."""
    token, proof = tether.development_token, _cookie(connection, CALLBACK_COOKIE)
    if token is None or proof is None or not is_loopback(connection):
        return None
    if not hmac.compare_digest(proof.encode(), _callback_proof(token).encode()):
        return None
    try:
        return await tether.user_service.authenticate(token.reveal())
    except Unauthenticated:
        return None  # the key was revoked, or its day is over


def sign_in(connection: HTTPConnection, response: Response, development_token: Secret | None) -> None:
    """Give the browser of a developer the cookies, if it is on this machine and came by a name of this machine."""
    if development_token is not None and is_loopback(connection):
        response.set_cookie(COOKIE, development_token.reveal(), path=_PATH, httponly=True, samesite="strict")
        proof = _callback_proof(development_token)
        response.set_cookie(CALLBACK_COOKIE, proof, path=_CALLBACK_PATH, httponly=True, samesite="lax")


def sign_out(response: Response) -> None:
    """Take the key out of the browser's cookie, and keep it out until the next `sign_in` in so many words."""
    response.set_cookie(COOKIE, _SIGNED_OUT, path=_PATH, httponly=True, samesite="strict")
    response.delete_cookie(CALLBACK_COOKIE, path=_CALLBACK_PATH, httponly=True, samesite="lax")


def stays_signed_out(connection: HTTPConnection) -> bool:
    """Whether somebody has signed out in this browser."""
    return _cookie(connection, COOKIE) == _SIGNED_OUT


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


def _callback_proof(development_token: Secret) -> str:
    return hmac.new(development_token.reveal().encode(), b"signed in at the OAuth callback", hashlib.sha256).hexdigest()


def _cookie(connection: HTTPConnection, name: str) -> str | None:
    try:
        cookies = SimpleCookie(connection.headers.get("cookie", ""))
    except CookieError:
        return None
    return cookies[name].value if name in cookies else None
