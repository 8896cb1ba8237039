"""A simulated authorization server that keeps to the standards: RFC 6749 and 7636, 7009 for revoking, 9207 for `iss`.

Used by gitlab.py and openid.py. A person is anybody whose token the sandbox knows; what is issued is like that token.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Generic
from urllib.parse import parse_qsl, unquote_plus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.consent import asked_of, back_to_client, consent_page, refused_page
from sandbox.oauth import Client, Issued, OAuthServer, Refused
from sandbox.person_tokens import AnyPersonToken
from sandbox.state import SandboxState
from sandbox.tokens import Behaviour, Quota, Service
from sandbox.web_pages import page_not_found

DESCRIPTIONS = {
    "invalid_client": "Client authentication failed due to unknown client, no client authentication included, or "
    "unsupported authentication method.",
    "invalid_grant": "The provided authorization grant is invalid, expired, revoked, does not match the redirection "
    "URI used in the authorization request, or was issued to another client.",
    "unsupported_grant_type": "The authorization grant type is not supported by the authorization server.",
}


@dataclass(frozen=True, slots=True)
class Words:
    """How the server is called, which scopes it knows, and whether it says who it is."""

    service: Service
    name: str
    scopes: frozenset[str]
    issuer: Callable[[Request], str] | None = None


class StandardOAuth(Generic[AnyPersonToken]):
    """The three endpoints. `kind`: what its tokens are."""

    def __init__(self, state: SandboxState, kind: type[AnyPersonToken], words: Words) -> None:
        self._state = state
        self._kind = kind
        self._words = words
        self._server = OAuthServer[AnyPersonToken](
            state.now, self._end, access_prefix=f"{words.service}-access-", refresh_prefix=f"{words.service}-refresh-"
        )

    async def authorize(self, request: Request) -> Response:
        """`?login=` answers for the person at once; without it there is a page to click."""
        asked = await asked_of(request)
        client = self._state.find_client(self._words.service, asked.get("client_id"))
        redirect_uri = asked.get("redirect_uri", "")
        if client is None:
            return page_not_found(self._words.name)
        if not client.allows(redirect_uri):
            return refused_page(self._words.name, "The redirect URI included is not valid.")
        state, scopes = asked.get("state"), asked.get("scope", "").split()
        issuer = None if self._words.issuer is None else self._words.issuer(request)
        if asked.get("decision") == "cancel":
            return back_to_client(redirect_uri, error="access_denied", state=state, iss=issuer)
        if asked.get("response_type") != "code":
            return back_to_client(redirect_uri, error="unsupported_response_type", state=state, iss=issuer)
        if not self._words.scopes.issuperset(scopes):
            return back_to_client(redirect_uri, error="invalid_scope", state=state, iss=issuer)
        person = self._person(asked.get("login"))
        if person is None:
            return consent_page(self._words.name, client.id, self._usernames(), scopes, asked)
        code = self._server.authorize(
            client, person, redirect_uri=redirect_uri, scopes=scopes, code_challenge=asked.get("code_challenge") or None
        )
        return back_to_client(redirect_uri, code=code, state=state, iss=issuer)

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        client = self._client(request, form)
        if client is None:
            return _refusal(401, "invalid_client")
        match form.get("grant_type"):
            case "authorization_code":
                issued = self._server.redeem(
                    client,
                    form.get("code", ""),
                    redirect_uri=form.get("redirect_uri", ""),
                    code_verifier=form.get("code_verifier"),
                )
            case "refresh_token":
                issued = self._server.refresh(client, form.get("refresh_token", ""))
            case _:
                return _refusal(400, "unsupported_grant_type")
        if isinstance(issued, Refused):
            return _refusal(400, "invalid_grant")
        return _json(200, self._issued(client, issued))

    async def revoke(self, request: Request) -> Response:
        """200 for every token, known or not, of a client that is authentic."""
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        client = self._client(request, form)
        if client is None:
            return _refusal(401, "invalid_client")
        self._server.revoke(client, form.get("token", ""))
        return _json(200, {})

    def _client(self, request: Request, form: dict[str, str]) -> Client | None:
        """By Basic or by the form."""
        client_id, secret = _basic(request) or (form.get("client_id"), form.get("client_secret", ""))
        client = self._state.find_client(self._words.service, client_id)
        return client if client is not None and client.is_authentic(secret) else None

    def _issued(self, client: Client, issued: Issued[AnyPersonToken]) -> dict[str, object]:
        now, seconds = self._state.now(), issued.expires_in_seconds
        token = replace(
            issued.subject,
            name=issued.access_token,
            client_id=client.id,
            scopes=issued.scopes,
            expires_at=None if seconds is None else now + timedelta(seconds=seconds),
            quota=Quota.full(issued.subject.quota.limit, issued.subject.quota.window_seconds, now),
        )
        self._state.put(token)
        answer: dict[str, object] = {
            "access_token": token.name,
            "token_type": "Bearer",
            "scope": " ".join(issued.scopes),
            "created_at": int(now.timestamp()),
        }
        refreshing = {"expires_in": seconds, "refresh_token": issued.refresh_token}
        return answer if issued.refresh_token is None else answer | refreshing

    def _people(self) -> list[AnyPersonToken]:
        """The tokens that people have made themselves and that work."""
        tokens = self._state.all_of(self._kind)
        return [each for each in tokens if each.client_id is None and each.behaviour is Behaviour.NORMAL]

    def _person(self, username: str | None) -> AnyPersonToken | None:
        return next((each for each in self._people() if each.account.username == username), None)

    def _usernames(self) -> list[str]:
        return sorted({each.account.username for each in self._people()})

    def _end(self, name: str) -> None:
        """From now on it is called revoked, rather than unknown."""
        token = self._state.find(name, self._kind)
        if token is not None:
            token.behaviour, token.behaviour_calls, token.expires_at = Behaviour.REVOKED, None, None


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        client_id, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (unquote_plus(client_id), unquote_plus(secret)) if scheme.lower() == "basic" else None


def _refusal(status: int, error: str) -> Response:
    return _json(status, {"error": error, "error_description": DESCRIPTIONS[error]})


def _json(status: int, body: dict[str, object]) -> Response:
    headers = {"cache-control": "no-store", "pragma": "no-cache"}
    return Response(orjson.dumps(body), status, headers, "application/json; charset=utf-8")
