"""SessionCookie: where a browser keeps the secret of its session. Read with each request, given at sign-in.

SameSite=Lax: it comes along when a person follows a link here or is sent back by a service, as /oauth/callback and
/sign-in/callback/… need it, but with no POST, socket or picture of another site.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from domain.sessions import BegunSession
from gql.http.cookies import OwnCookies

_SESSION: Final = "tether-session"
_STAYS_OUT: Final = "tether-signed-out"
_STAYS_OUT_FOR: Final = timedelta(days=400)
"""The longest that browsers keep a cookie."""


class SessionCookie:
    """One server's."""

    def __init__(self, cookies: OwnCookies) -> None:
        self._cookies = cookies

    def read(self, connection: HTTPConnection) -> str | None:
        """The secret; None where there is none that could be it."""
        return self._cookies.read(connection, _SESSION)

    def is_sent(self, connection: HTTPConnection) -> bool:
        """Whether the browser keeps one, whatever it is worth."""
        return self._cookies.is_sent(connection, _SESSION)

    def give(self, response: Response, begun: BegunSession) -> None:
        self._cookies.give(response, _SESSION, begun.secret.reveal(), begun.expires_at)
        self._cookies.take_back(response, _STAYS_OUT)

    def take_back(self, response: Response) -> None:
        self._cookies.take_back(response, _SESSION)

    def stays_signed_out(self, connection: HTTPConnection) -> bool:
        """Whether somebody has signed out in this browser, so that development doesn't sign it in by itself."""
        return self._cookies.is_sent(connection, _STAYS_OUT)

    def stay_signed_out(self, response: Response) -> None:
        self._cookies.give(response, _STAYS_OUT, "1", datetime.now(UTC) + _STAYS_OUT_FOR)
