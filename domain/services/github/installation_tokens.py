"""InstallationTokens: the tokens with which an installation's calls are made, kept in the process and renewed early.

Used by calls.py. Whoever knows an installation's numbers but not its app's key never gets its token.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.credential_secrets import GitHubAppSecret
from domain.services.github.api import GitHubApi
from domain.services.github.app import AppTokens
from domain.services.github.installations import InstallationToken, read_token
from domain.services.service_fault import ServiceFault

RENEWED_BEFORE: Final = timedelta(minutes=5)
"""How long before its end a token is renewed. They live for an hour."""


@dataclass(frozen=True, slots=True)
class _Key:
    """The private key belongs to it: an app's id and an installation's are no secrets."""

    app_id: str
    installation_id: str
    private_key_hash: bytes | None


class InstallationTokens:
    def __init__(self, api: GitHubApi, app_tokens: AppTokens) -> None:
        self._api = api
        self._app_tokens = app_tokens
        self._kept: dict[_Key, InstallationToken] = {}
        self._flights: dict[_Key, asyncio.Task[InstallationToken | ServiceFault]] = {}

    async def token(self, secret: GitHubAppSecret) -> InstallationToken | ServiceFault:
        """The kept one, or a new one; all who ask for that at the same time share one call."""
        key = _key(secret)
        kept = self._kept.get(key)
        if kept is not None and self._api.now() < kept.expires_at - RENEWED_BEFORE:
            return kept
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._issue(key, secret))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        return await asyncio.shield(flight)  # one who no longer waits doesn't end it for the others

    def drop(self, secret: GitHubAppSecret, token: InstallationToken) -> None:
        """Keep this one no longer; one that was issued meanwhile stays."""
        if self._kept.get(_key(secret)) is token:
            del self._kept[_key(secret)]

    def take(self, secret: GitHubAppSecret) -> InstallationToken | None:
        """The kept one, which from now on is nobody's."""
        return self._kept.pop(_key(secret), None)

    async def _issue(self, key: _Key, secret: GitHubAppSecret) -> InstallationToken | ServiceFault:
        app_token = await self._app_tokens.token(secret)
        if isinstance(app_token, ServiceFault):
            return app_token
        path = f"/app/installations/{secret.installation_id}/access_tokens"
        answer = await self._api.send("POST", path, app_token)
        if isinstance(answer, ServiceFault):
            return answer
        now = self._api.now()
        issued = read_token(answer, now, operators=self._app_tokens.is_operators(secret))
        if isinstance(issued, InstallationToken):
            self._kept = {each: token for each, token in self._kept.items() if now < token.expires_at}
            self._kept[key] = issued
        return issued


def _key(secret: GitHubAppSecret) -> _Key:
    own = secret.private_key
    private_key_hash = None if own is None else hashlib.sha256(own.reveal().encode()).digest()
    return _Key(secret.app_id, secret.installation_id, private_key_hash)
