"""Callers: who sends a request or opens a socket: a bearer token, or the cookie of a browser that is signed in.

Used by the GraphQL view, its sockets and the OAuth callback. A bearer token counts more than a cookie, so that a page
which has a token of its own never acts as somebody else.
"""

from starlette.requests import HTTPConnection

from domain.entities.user import Viewer
from domain.errors import Unauthenticated
from domain.sessions import Sessions
from domain.user_service import UserService
from gql.http.own_pages import FOREIGN_PAGE, OwnPages
from gql.http.session_cookie import SessionCookie
from gql.proof import BearerToken, NoProof, Proof, SessionProof


class Callers:
    """One server's."""

    def __init__(self, users: UserService, sessions: Sessions, cookie: SessionCookie, own_pages: OwnPages) -> None:
        self._users = users
        self._sessions = sessions
        self._cookie = cookie
        self._own_pages = own_pages

    def of_request(self, connection: HTTPConnection) -> Proof | None:
        """What a POST carries; None for nothing. Raises CsrfRefused."""
        if "authorization" in connection.headers or not self._cookie.is_sent(connection):
            return self._bearer(connection)
        self._own_pages.require(connection)
        return self._session(connection)

    def of_socket(self, connection: HTTPConnection) -> Proof | None:
        """What a handshake carries; None for nothing.

        Pages can't set headers there, and no browser asks first whether it may connect to another origin, but it always
        says from where it does: a cookie counts from our own pages only.
        """
        if "authorization" in connection.headers or not self._cookie.is_sent(connection):
            return self._bearer(connection)
        if not self._own_pages.surely_ask(connection):
            return NoProof(FOREIGN_PAGE)
        return self._session(connection)

    def of_token(self, authorization: object) -> Proof:
        """What `connection_init` says instead."""
        return BearerToken(self._users, bearer_token(authorization) or "")

    async def signed_in(self, connection: HTTPConnection) -> Viewer | None:
        """Who is signed in in a browser that comes here by itself, as back from a service. Raises ServiceUnavailable.

        It is no proof that they meant to come: whoever asks has to know that in another way.
        """
        secret = self._cookie.read(connection)
        try:
            return None if secret is None else await self._sessions.authenticate(secret)
        except Unauthenticated:
            return None

    def _bearer(self, connection: HTTPConnection) -> Proof | None:
        sent = connection.headers.get("authorization")
        return None if sent is None else self.of_token(sent)

    def _session(self, connection: HTTPConnection) -> Proof:
        return SessionProof(self._sessions, self._cookie.read(connection) or "")


def bearer_token(authorization: object) -> str | None:
    """The token in an Authorization header or the like; None where there is none. Any other scheme is no token."""
    if not isinstance(authorization, str):
        return None
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
