"""OwnCookies: the cookies of this server, which no other host can set or read. Used by all that keeps something there.

Where Tether is reached by https their names have the prefix `__Host-`: browsers take such a cookie from this very host
only, by https and for all of its paths, so that neither a sibling domain nor somebody on the network can put one into
a browser ("cookie tossing"). The prefix needs the attribute Secure. By http on a developer's machine they go without
both: Chromium and Firefox take Secure cookies from http://127.0.0.1 and http://localhost as well, but Safari and the
clients of scripts don't, and what a browser keeps for a loopback address never leaves the machine.
"""

from datetime import datetime
from typing import Literal

from starlette.requests import HTTPConnection
from starlette.responses import Response

SameSite = Literal["lax", "strict"]


class OwnCookies:
    """`public_url`: where browsers reach this server."""

    def __init__(self, public_url: str) -> None:
        self._secure = public_url.startswith("https://")
        self._prefix = "__Host-" if self._secure else ""

    def name(self, name: str) -> str:
        """What the browser calls it."""
        return self._prefix + name

    def give(self, response: Response, name: str, value: str, expires: datetime, same_site: SameSite = "lax") -> None:
        """Scripts can't read it."""
        response.set_cookie(
            self.name(name), value, expires=expires, path="/", secure=self._secure, httponly=True, samesite=same_site
        )

    def take_back(self, response: Response, name: str, same_site: SameSite = "lax") -> None:
        response.delete_cookie(self.name(name), path="/", secure=self._secure, httponly=True, samesite=same_site)

    def read(self, connection: HTTPConnection, name: str) -> str | None:
        """Its value; None where there is none.

        None as well where the browser sends several of the name: whose are they? This server's has just one path and
        one host, so that another one was put beside it.
        """
        values = {value for each, value in _pairs(connection) if each == self.name(name)}
        return values.pop() if len(values) == 1 else None

    def is_sent(self, connection: HTTPConnection, name: str) -> bool:
        """Whether one of the name came along, whatever it is worth."""
        return any(each == self.name(name) for each, _ in _pairs(connection))

    def starting_with(self, connection: HTTPConnection, name: str) -> dict[str, str]:
        """The values of those whose names begin so, by the rest of their names."""
        prefix = self.name(name)
        return {each.removeprefix(prefix): value for each, value in _pairs(connection) if each.startswith(prefix)}


def _pairs(connection: HTTPConnection) -> list[tuple[str, str]]:
    """As they were sent, since a mapping would hide that a name came twice. Ours need no quoting."""
    parts = (
        part.partition("=") for header in connection.headers.getlist("cookie") for part in header.split(";") if part
    )
    return [(name.strip(), value.strip()) for name, _, value in parts]
