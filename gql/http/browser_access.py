"""BrowserAccess: what this server and its visitors' browsers know each other by; made once, shared by all routes."""

from dataclasses import dataclass
from typing import Self

from gql.bootstrap import Tether
from gql.http.callers import Callers
from gql.http.cookies import OwnCookies
from gql.http.own_pages import OwnPages
from gql.http.session_cookie import SessionCookie
from gql.settings import Environment


@dataclass(frozen=True, slots=True)
class BrowserAccess:
    """The cookies, the one with the session, which pages are ours, and who sends a request."""

    cookies: OwnCookies
    session: SessionCookie
    own_pages: OwnPages
    callers: Callers

    @classmethod
    def of(cls, tether: Tether) -> Self:
        settings = tether.settings
        cookies = OwnCookies(settings.public_url)
        session = SessionCookie(cookies)
        own_pages = OwnPages(settings.public_url, development=settings.environment is Environment.DEVELOPMENT)
        return cls(cookies, session, own_pages, Callers(tether.user_service, tether.sessions, session, own_pages))
