"""OwnPages: whether it is a page of this very server that asks, in a browser whose cookie would speak for somebody.

Used wherever a cookie counts. Browsers send cookies along whoever makes them ask; what they also send, and no page can
change, is from where they ask: Origin and Sec-Fetch-Site.
"""

from typing import Final

from starlette.requests import HTTPConnection

from gql.browser_settings import origin_of
from gql.http.loopback import is_loopback

CSRF_HEADER: Final = "X-Tether-CSRF"
"""What a page sends to show that it is no form of another site: those can't set headers, and scripts of other origins
have to ask first (CORS), which this server allows those of `TETHER_CORS_ORIGINS`, and never with cookies."""


CSRF_REFUSED: Final = "CSRF_REFUSED"


class CsrfRefused(Exception):
    """A cookie speaks for somebody, and nothing shows that their own page asks."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class OwnPages:
    """`public_url` is the one origin; in `development` also each name of this machine by which it was called."""

    def __init__(self, public_url: str, *, development: bool) -> None:
        self.origin = origin_of(public_url)
        self._development = development

    def require(self, connection: HTTPConnection) -> None:
        """Raises CsrfRefused, unless it sends the header and nothing says that another site is behind it."""
        if not self.may_ask(connection):
            raise CsrfRefused(FOREIGN_PAGE)
        if connection.headers.get(CSRF_HEADER) != "1":
            raise CsrfRefused(_NO_HEADER)

    def surely_ask(self, connection: HTTPConnection) -> bool:
        """Whether the browser says that it is one of ours: for what can't send the header, a form or a socket."""
        return "origin" in connection.headers and self.may_ask(connection)

    def may_ask(self, connection: HTTPConnection) -> bool:
        """Whether nothing says that another site is behind it."""
        origin = connection.headers.get("origin")
        return (origin is None or self._is_own(origin, connection)) and not self.came_from_elsewhere(connection)

    def are_at_this_host(self, connection: HTTPConnection) -> bool:
        """Whether it is a page of the host that was called, by whichever name: enough where only a token counts."""
        host = connection.headers.get("host")
        return connection.headers.get("origin") in {f"http://{host}", f"https://{host}"}

    def came_from_elsewhere(self, connection: HTTPConnection) -> bool:
        """Whether the browser says that another site led here, be it one of the same domain."""
        return connection.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}

    def _is_own(self, origin: str, connection: HTTPConnection) -> bool:
        if origin == self.origin:
            return True
        # Only for a name of this machine: a foreign name that leads here would be its own origin, too.
        host = connection.headers.get("host")
        return self._development and origin == f"http://{host}" and is_loopback(connection)


FOREIGN_PAGE: Final = "Somebody is signed in in this browser, but it isn't a page of this server that asks."
_NO_HEADER: Final = (
    f"Who is signed in by a cookie sends the header {CSRF_HEADER}: 1 along, so that no other site's form acts as them."
)
