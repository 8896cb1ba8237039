"""What every simulated OAuth server is made of: registered clients, authorization codes, and families of tokens.

Used by the services that have OAuth, each with an `OAuthServer` of its own, which gives each refusal its own words.
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Generic, TypeVar

from sandbox.tokens import Service

CODE_LIFETIME_SECONDS = 600
ACCESS_LIFETIME_SECONDS = 8 * 60 * 60
REFRESH_LIFETIME_SECONDS = 180 * 24 * 60 * 60
_LOOPBACK_PORT = re.compile(r"^(http://(?:127\.0\.0\.1|localhost)):[0-9]{1,5}(?=/)")

Subject = TypeVar("Subject")
"""Whom a grant stands for at the service: an account, or a token to make others like."""


@dataclass(slots=True, kw_only=True)
class Client:
    """A client that somebody has registered; kept in `SandboxState.clients`."""

    service: Service
    id: str
    secret: str
    redirect_uris: tuple[str, ...]
    access_lifetime_seconds: int | None = ACCESS_LIFETIME_SECONDS
    """None: access tokens don't end, and there are no refresh tokens."""
    refresh_lifetime_seconds: int | None = REFRESH_LIFETIME_SECONDS
    refresh_ends_access: bool = True
    """Whether a refresh ends the access token that it replaces."""
    refreshes: int = 0
    """How often a refresh token of this client was taken."""
    reuses: int = 0
    """How often one was shown again after that: each ended its family."""

    def is_authentic(self, secret: str) -> bool:
        return hmac.compare_digest(self.secret.encode(), secret.encode())

    def allows(self, redirect_uri: str) -> bool:
        """The whole address, exactly; a loopback address registered without a port also with any port (RFC 8252)."""
        return redirect_uri in self.redirect_uris or _LOOPBACK_PORT.sub(r"\1", redirect_uri) in self.redirect_uris


class Refused(StrEnum):
    """Why a code or a refresh token brings nothing."""

    CODE = "CODE"  # unknown, used, expired, or another client's
    REDIRECT_URI = "REDIRECT_URI"
    VERIFIER = "VERIFIER"
    REFRESH_TOKEN = "REFRESH_TOKEN"  # noqa: S105 - unknown, used, expired, revoked, or another client's


@dataclass(frozen=True, slots=True)
class Issued(Generic[Subject]):
    """New tokens. The service makes its own `Token` named `access_token` of it."""

    subject: Subject
    scopes: tuple[str, ...]
    access_token: str
    refresh_token: str | None
    expires_in_seconds: int | None
    refresh_expires_in_seconds: int | None


class OAuthServer(Generic[Subject]):
    """One service's codes and tokens. `forget` is told each access token that ends before its time."""

    def __init__(
        self,
        now: Callable[[], datetime],
        forget: Callable[[str], object],
        *,
        access_prefix: str = "access-",
        refresh_prefix: str = "refresh-",
    ) -> None:
        self._now = now
        self._forget = forget
        self._access_prefix = access_prefix
        self._refresh_prefix = refresh_prefix
        self._codes: dict[str, _Code[Subject]] = {}
        self._families: dict[str, _Family[Subject]] = {}  # by every token that was ever issued

    def authorize(
        self,
        client: Client,
        subject: Subject,
        *,
        redirect_uri: str,
        scopes: Sequence[str] = (),
        code_challenge: str | None = None,
    ) -> str:
        """The person agrees: a code, good for ten minutes and once. `code_challenge`: S256, None without PKCE."""
        code = secrets.token_hex(10)
        ends = self._now() + timedelta(seconds=CODE_LIFETIME_SECONDS)
        family = _Family(client, subject, tuple(scopes))
        self._codes[code] = _Code(family, redirect_uri, code_challenge, ends)
        return code

    def redeem(
        self, client: Client, code: str, *, redirect_uri: str, code_verifier: str | None = None
    ) -> Issued[Subject] | Refused:
        """The client has shown its secret. A code that is used again also ends what it brought the first time."""
        found = self._codes.get(code)
        if found is None or found.family.client is not client or found.ends <= self._now():
            return Refused.CODE
        if found.used:
            self._end(found.family)
            return Refused.CODE
        if redirect_uri != found.redirect_uri:
            return Refused.REDIRECT_URI
        if found.code_challenge is not None and found.code_challenge != challenge_of(code_verifier or ""):
            return Refused.VERIFIER
        found.used = True
        return self._issue(found.family)

    def refresh(self, client: Client, refresh_token: str) -> Issued[Subject] | Refused:
        """New tokens for a refresh token, which is thereby used; a used one ends every token of its family."""
        family = self._families.get(refresh_token)
        if family is None or family.client is not client or refresh_token in family.access_tokens:
            return Refused.REFRESH_TOKEN
        if refresh_token != family.refresh_token:
            if not family.ended:
                client.reuses += 1
                self._end(family)
            return Refused.REFRESH_TOKEN
        if family.refresh_ends is not None and family.refresh_ends <= self._now():
            return Refused.REFRESH_TOKEN
        client.refreshes += 1
        if client.refresh_ends_access:
            self._end_access(family)
        return self._issue(family)

    def revoke(self, client: Client, token: str) -> bool:
        """End the family of an access or refresh token; False where the client has no such one any more."""
        family = self._families.get(token)
        if family is None or family.client is not client or family.ended:
            return False
        self._end(family)
        return True

    def _issue(self, family: "_Family[Subject]") -> Issued[Subject]:
        client = family.client
        access_token = f"{self._access_prefix}{secrets.token_hex(18)}"
        refresh_token = None
        if client.access_lifetime_seconds is not None:
            refresh_token = f"{self._refresh_prefix}{secrets.token_hex(38)}"
            self._families[refresh_token] = family
        self._families[access_token] = family
        family.access_tokens.add(access_token)
        family.refresh_token = refresh_token
        family.refresh_ends = None
        if client.refresh_lifetime_seconds is not None:
            family.refresh_ends = self._now() + timedelta(seconds=client.refresh_lifetime_seconds)
        return Issued(
            family.subject,
            family.scopes,
            access_token,
            refresh_token,
            client.access_lifetime_seconds,
            client.refresh_lifetime_seconds if refresh_token is not None else None,
        )

    def _end(self, family: "_Family[Subject]") -> None:
        family.ended = True
        family.refresh_token = None
        self._end_access(family)

    def _end_access(self, family: "_Family[Subject]") -> None:
        for token in family.access_tokens:
            self._forget(token)


def challenge_of(code_verifier: str) -> str:
    """S256 of RFC 7636."""
    return urlsafe_b64encode(sha256(code_verifier.encode()).digest()).decode().rstrip("=")


@dataclass(slots=True)
class _Family(Generic[Subject]):
    """All tokens that go back to one code."""

    client: Client
    subject: Subject
    scopes: tuple[str, ...]
    access_tokens: set[str] = field(default_factory=set)
    refresh_token: str | None = None
    """The one that isn't used yet."""
    refresh_ends: datetime | None = None
    ended: bool = False


@dataclass(slots=True)
class _Code(Generic[Subject]):
    family: _Family[Subject]
    redirect_uri: str
    code_challenge: str | None
    ends: datetime
    used: bool = False
