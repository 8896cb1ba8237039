"""TokenEndpoint: codes and refresh tokens against access tokens, as RFC 6749 says, and giving tokens back (RFC 7009).

Used by the services that keep to these standards: GitLab, and those that an operator describes.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import quote_plus, urlencode

from domain.credential_secrets import OAuthSecret
from domain.entities.health import Json
from domain.http import HttpAnswer, HttpClient, HttpFault
from domain.secret import Secret
from domain.services.authorization import AuthorizationReturn, Grant
from domain.services.base import Revocation
from domain.services.boundary import clean_text, malformed_token, transport_fault
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import ServiceFault
from domain.services.token_refusals import TokenRefusals, error_code


class ClientAuthentication(StrEnum):
    """How the client shows its secret."""

    BASIC = "basic"  # in the header, RFC 6749's own way
    POST = "post"  # in the form


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """One client's way to one service's token endpoint. Nothing is sent twice: a code and a refresh token work once."""

    http: HttpClient
    clock: Callable[[], datetime]
    service_id: str
    service_name: str
    url: str
    revocation_url: str | None
    client: OAuthClient
    authentication: ClientAuthentication = ClientAuthentication.BASIC
    scope_separator: str = " "

    async def exchange(self, returned: AuthorizationReturn) -> Grant | ServiceFault:
        """The credential for the code that the browser brought."""
        code = returned.query.get("code")
        if not code:
            return self._refusals.code_missing()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": returned.redirect_uri}
        if returned.code_verifier is not None:
            form["code_verifier"] = returned.code_verifier.reveal()
        return await self._grant(form, None)

    async def refresh(self, secret: OAuthSecret) -> Grant | ServiceFault:
        """New tokens; the refresh token stays the old one where the answer brings none."""
        if secret.refresh_token is None:
            return self._refusals.refresh_token_missing()
        form = {"grant_type": "refresh_token", "refresh_token": secret.refresh_token.reveal()}
        return await self._grant(form, secret.refresh_token)

    @property
    def revokes(self) -> bool:
        """Whether the service takes tokens back."""
        return self.revocation_url is not None

    async def revoke(self, secret: OAuthSecret) -> Revocation | ServiceFault:
        """Give both tokens back, the one that makes others first. A service without an endpoint for it: NOT_REVOCABLE.

        A token that the endpoint doesn't know (any more) is one that it has forgotten. One that takes back refresh
        tokens only has done so with that.
        """
        revocation = Revocation.NOT_REVOCABLE
        if self.revocation_url is None:
            return revocation
        tokens = {"refresh_token": secret.refresh_token, "access_token": secret.access_token}
        for hint, token in tokens.items():
            if token is None:
                continue
            answer = await self._post(self.revocation_url, {"token": token.reveal(), "token_type_hint": hint})
            if isinstance(answer, HttpFault):
                return transport_fault(self.service_id, self.service_name, answer)
            error = error_code(answer)
            if 200 <= answer.status < 300 or error == "invalid_token":
                revocation = Revocation.REVOKED
            elif error != "unsupported_token_type":
                return self._refusals.read(answer, self.clock())
        return revocation

    async def _grant(self, form: Mapping[str, str], kept: Secret | None) -> Grant | ServiceFault:
        answer = await self._post(self.url, form)
        if isinstance(answer, HttpFault):
            return transport_fault(self.service_id, self.service_name, answer)
        body = answer.json()
        if answer.status != 200 or not isinstance(body, dict) or "error" in body:
            return self._refusals.read(answer, self.clock())
        return self._read_grant(answer, body, kept)

    async def _post(self, url: str, form: Mapping[str, str]) -> HttpAnswer | HttpFault:
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        fields = dict(form)
        client_id, client_secret = self.client.client_id, self.client.client_secret.reveal()
        match self.authentication:
            case ClientAuthentication.BASIC:
                pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"  # encoded first: RFC 6749, 2.3.1
                headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
            case ClientAuthentication.POST:
                fields |= {"client_id": client_id, "client_secret": client_secret}
        return await self.http.request("POST", url, headers=headers, body=urlencode(fields).encode())

    def _read_grant(self, answer: HttpAnswer, body: Mapping[str, Json], kept: Secret | None) -> Grant | ServiceFault:
        access_token, refresh_token = self._token(body.get("access_token")), self._token(body.get("refresh_token"))
        kind = body.get("token_type", "bearer")
        unreadable_refresh = refresh_token is None and body.get("refresh_token") is not None
        if access_token is None or unreadable_refresh or not isinstance(kind, str) or kind.lower() != "bearer":
            return self._refusals.unexpected(answer)
        now = self.clock()
        return Grant(
            OAuthSecret(access_token, refresh_token or kept),
            self._scopes(body.get("scope")),
            _moment(now, body.get("expires_in")),
            # Not in any standard: GitHub's name for it, then Keycloak's.
            _moment(now, body.get("refresh_token_expires_in", body.get("refresh_expires_in"))),
        )

    def _token(self, value: Json) -> Secret | None:
        """A token that a header can carry."""
        try:
            token = Secret(value) if isinstance(value, str) else None
        except ValueError:
            return None
        return None if token is None or malformed_token(self.service_name, token) else token

    def _scopes(self, value: Json) -> tuple[str, ...] | None:
        """None where the answer doesn't tell: then they are those that were asked for."""
        if not isinstance(value, str):
            return None
        names = (clean_text(part) for part in value.split(self.scope_separator))
        return tuple(dict.fromkeys(name for name in names if name is not None))

    @property
    def _refusals(self) -> TokenRefusals:
        return TokenRefusals(self.service_id, self.service_name)


def _moment(now: datetime, seconds: Json) -> datetime | None:
    """Seconds from now, a number or one written as text; None where there are none or they can't be meant."""
    if isinstance(seconds, str) and _DIGITS.fullmatch(seconds):
        seconds = int(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_LIFE_SECONDS:
        return None
    return (now + timedelta(seconds=seconds)).astimezone(UTC)


LONGEST_LIFE_SECONDS: Final = 10 * 365 * 24 * 60 * 60
_DIGITS: Final = re.compile(r"[0-9]{1,9}")
