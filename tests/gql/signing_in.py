"""A browser that signs in by development's built-in identity provider, and asks with the cookie that it gets.

Used by the tests of sessions and of whatever a session opens.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any, Final

import httpx2

from gql.http.own_pages import CSRF_HEADER
from gql.sample import FOUNDER
from tests.gql.client import Answer
from tests.gql.server import TetherServer
from tests.plain_http import NO_TLS

SESSION: Final = "tether-session"
CSRF: Final = {CSRF_HEADER: "1"}
WHO: Final = {"query": "{ viewer { user { email } } }"}


class SigningIn:
    """One browser: it keeps cookies, and goes on only where the test says so."""

    def __init__(self, http: httpx2.AsyncClient, server: TetherServer) -> None:
        self.http = http
        self.server = server

    @property
    def secret(self) -> str | None:
        """What its cookie says."""
        return self.http.cookies.get(SESSION)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        url = path if path.startswith("http") else f"{self.server.url}{path}"
        return await self.http.get(url, headers={"Accept": "text/html", **headers})

    async def leave(self, return_to: str = "/graphql") -> str:
        """Begin; where the provider's page is."""
        issuer = self.server.tether.sign_in.providers[-1].issuer
        left = await self.http.get(f"{self.server.url}/sign-in/start", params={"issuer": issuer, "returnTo": return_to})
        assert left.status_code == 303, left.text
        return left.headers["location"]

    async def choose(self, page: str, person: str = FOUNDER, **more: str) -> str:
        """Say who one is at the provider; where that leads."""
        shown = await self.get(page)
        assert shown.status_code == 200, shown.text
        fields = _Fields()
        fields.feed(shown.text)
        given = {**fields.hidden, **({"person": person} if not more else {"email": person, **more})}
        answered = await self.http.post(page.partition("?")[0], data=given)
        assert answered.status_code == 303, answered.text
        return answered.headers["location"]

    async def sign_in(self, person: str = FOUNDER, return_to: str = "/graphql", **more: str) -> httpx2.Response:
        """The whole way; how Tether answers at its end."""
        return await self.get(await self.choose(await self.leave(return_to), person, **more))

    async def sign_out(self, *, everywhere: bool = False, **headers: str) -> httpx2.Response:
        query = "?everywhere=true" if everywhere else ""
        return await self.http.post(f"/sign-out{query}", headers={**CSRF, **headers})

    async def ask(self, body: Any = WHO, **headers: str) -> Answer:
        """An operation as a page of this server sends it."""
        given = {**CSRF, "Origin": self.server.url, "Sec-Fetch-Site": "same-origin", **headers}
        return Answer(await self.http.post("/graphql", json=body, headers=given))

    async def who(self) -> str | None:
        """The e-mail address of who is signed in."""
        body = (await self.ask()).body
        email: str | None = body["data"]["viewer"]["user"]["email"] if body.get("data") else None
        return email


class _Fields(HTMLParser):
    """The hidden fields of a page's forms."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.hidden[given["name"] or ""] = given["value"] or ""


@asynccontextmanager
async def a_browser_at(server: TetherServer) -> AsyncIterator[SigningIn]:
    async with httpx2.AsyncClient(base_url=server.url, trust_env=False, verify=NO_TLS, follow_redirects=False) as http:
        yield SigningIn(http, server)
