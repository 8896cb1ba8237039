"""DevelopmentSignIn: who opens GraphiQL on a developer's machine is signed in as the sample's founder, by a session.

Used by GraphiQL's page. It is there only where `tether serve` in development has found the sample organization.
"""

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from domain.errors import ServiceUnavailable
from gql.bootstrap import Tether
from gql.development import SAMPLE_ISSUER
from gql.http.browser_access import BrowserAccess
from gql.http.loopback import is_loopback
from gql.http.visits import is_navigation

_log: Final = logging.getLogger(__name__)


class DevelopmentSignIn:
    """One server's."""

    def __init__(self, tether: Tether, access: BrowserAccess) -> None:
        self._founder = tether.sample_founder
        self._sessions = tether.sessions
        self._access = access

    async def welcome(self, request: Request, response: Response) -> None:
        """Give the browser a session, unless it has one or somebody has signed out in it."""
        if self._founder is None or request.method != "GET" or not (is_loopback(request) and is_navigation(request)):
            return
        session = self._access.session
        if session.stays_signed_out(request):
            return
        try:
            if await self._access.callers.signed_in(request) is None:
                begun = await self._sessions.begin(self._founder, SAMPLE_ISSUER, replaces=session.read(request))
                session.give(response, begun)
        except ServiceUnavailable:
            _log.warning("GraphiQL was opened while the database is away: nobody could be signed in.")
