"""GitHubCalls: calls to GitHub's API with a connection's credential, whichever kind it is.

Used by the listing of repositories and by everything that acts for a connection.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from domain.credential_secrets import CredentialSecret, GitHubAppSecret, OAuthSecret, TokenSecret
from domain.entities.health import Json, Remedy
from domain.http import HttpAnswer
from domain.secret import Secret
from domain.services.boundary import malformed_token
from domain.services.github.api import SERVICE_NAME, GitHubApi
from domain.services.github.installation_tokens import InstallationTokens
from domain.services.service_fault import FaultKind, ServiceFault

_Call = Callable[[Secret], Awaitable[HttpAnswer | ServiceFault]]

FRESH: Final = timedelta(seconds=30)
"""For how long after its making a token may still be unknown to some of GitHub's servers."""


class GitHubCalls:
    """`delays_seconds`: how long to wait, time after time, until GitHub knows a token that it has just made."""

    def __init__(
        self, api: GitHubApi, installation_tokens: InstallationTokens, delays_seconds: Sequence[float] = (1, 2, 4)
    ) -> None:
        self._api = api
        self._installation_tokens = installation_tokens
        self._delays_seconds = delays_seconds

    async def bearer(self, secret: CredentialSecret) -> Secret | ServiceFault:
        """The token to call with: the credential's own, or one that is issued for its installation."""
        match secret:
            case GitHubAppSecret():
                issued = await self._installation_tokens.token(secret)
                return issued if isinstance(issued, ServiceFault) else issued.token
            case TokenSecret(token=token) | OAuthSecret(access_token=token):
                return malformed_token(SERVICE_NAME, token) or token

    async def get(self, secret: CredentialSecret, path: str, *, etag: str | None = None) -> HttpAnswer | ServiceFault:
        """An answer of any status, but for the 401 of an installation's token, which says nothing of the credential."""
        return await self._called(secret, lambda bearer: self._api.get(path, bearer, etag=etag))

    async def post(self, secret: CredentialSecret, path: str, body: Mapping[str, Json]) -> HttpAnswer | ServiceFault:
        """As `get`. It is sent again only after a 401, with which nothing has been done."""
        return await self._called(secret, lambda bearer: self._api.send("POST", path, bearer, body))

    async def _called(self, secret: CredentialSecret, call: _Call) -> HttpAnswer | ServiceFault:
        if isinstance(secret, GitHubAppSecret):
            return await self._called_as_installation(secret, call)
        bearer = await self.bearer(secret)
        return bearer if isinstance(bearer, ServiceFault) else await call(bearer)

    async def _called_as_installation(self, secret: GitHubAppSecret, call: _Call) -> HttpAnswer | ServiceFault:
        delays = iter(self._delays_seconds)
        while True:
            issued = await self._installation_tokens.token(secret)
            if isinstance(issued, ServiceFault):
                return issued
            answer = await call(issued.token)
            if isinstance(answer, ServiceFault) or answer.status != 401:
                return answer
            if self._api.now() - issued.issued_at > FRESH:
                self._installation_tokens.drop(secret, issued)  # it was ended before its time: the next one is fresh
                continue
            delay_seconds = next(delays, None)
            if delay_seconds is None:
                self._installation_tokens.drop(secret, issued)
                anew = await self._installation_tokens.token(secret)  # says it if the installation is gone
                return anew if isinstance(anew, ServiceFault) else _token_refused(answer)
            await asyncio.sleep(delay_seconds)


def _token_refused(answer: HttpAnswer) -> ServiceFault:
    return ServiceFault(
        FaultKind.SERVICE_ERROR,
        "github_installation_token_refused",
        "GitHub doesn't take the token that it has just issued for the installation.",
        Remedy.WAIT,
        latency_ms=answer.latency_ms,
    )
