"""BearerTokens: whose an identity provider's access token is. Asked by UserService for whatever is no API key.

A token that was verified is remembered for a moment by its hash, so that a burst of requests costs one verification
and one look into the database.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from weakref import WeakValueDictionary

from domain.entities.health import Json
from domain.entities.identity import VerifiedIdentity
from domain.entities.user import Role, Viewer
from domain.errors import ServiceUnavailable, Unauthenticated
from domain.identity_providers.claims import ClaimsReader
from domain.identity_providers.issuer import Issuer
from domain.identity_providers.provider import IdentityProviders
from domain.identity_providers.refusal import Refusal, TokenRefused
from domain.identity_providers.signed_token import SignedToken
from domain.identity_providers.verification import VerifiedClaims, verified
from domain.measurements import NO_MEASUREMENTS, Measurements
from domain.moment_cache import MomentCache
from domain.recognition import Recognition

ACCEPTED: Final = "ACCEPTED"
UNAVAILABLE: Final = "UNAVAILABLE"

_log: Final = logging.getLogger(__name__)


class BearerTokens:
    """One a process."""

    def __init__(
        self,
        providers: IdentityProviders,
        recognition: Recognition,
        clock: Callable[[], datetime],
        measurements: Measurements = NO_MEASUREMENTS,
    ) -> None:
        self._providers = providers
        self._recognition = recognition
        self._clock = clock
        self._measurements = measurements
        self._claims = ClaimsReader()
        self._viewers: MomentCache[bytes, Viewer] = MomentCache()
        self._verifying: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def authenticate(self, text: str) -> Viewer | None:
        """Whose the token is; None for one that opens nothing, whatever is wrong with it.

        Raises ServiceUnavailable where its issuer can't be asked for its keys, and Unauthenticated where the person's
        e-mail address is that of somebody of another provider, which they have to be told.
        """
        try:
            token = SignedToken.read(text)
        except TokenRefused as refused:
            self._tell_refusal(None, refused.reason)
            return None
        digest = hashlib.sha256(text.encode("ascii")).digest()
        viewer = self._viewers.find(digest, self._clock())
        if viewer is not None:
            return viewer
        # Of requests that come at once, one verifies and the others wait for what it learns.
        async with self._verifying.setdefault(digest, asyncio.Lock()):
            return self._viewers.find(digest, self._clock()) or await self._verify(token, digest)

    async def _verify(self, token: SignedToken, digest: bytes) -> Viewer | None:
        provider = self._providers.of_issuer(token.claims.get("iss"))
        if provider is None or not provider.issuer.audiences:
            self._tell_refusal(None, Refusal.ISSUER)
            return None
        issuer = provider.issuer
        try:
            _expect_access_token(token, issuer)
            claims = await verified(token, provider, issuer.audiences, self._clock)
        except TokenRefused as refused:
            self._tell_refusal(issuer, refused.reason)
            return None
        except ServiceUnavailable:
            self._measurements.token_verified(issuer.id, UNAVAILABLE)
            raise
        return await self._recognize(claims, self._claims.identity_of(claims), digest)

    async def _recognize(self, claims: VerifiedClaims, identity: VerifiedIdentity, digest: bytes) -> Viewer:
        try:
            user = await self._recognition.recognize(identity)
        except Unauthenticated:
            self._tell_refusal(claims.issuer, Refusal.ADDRESS)
            raise
        viewer = Viewer(user.id, user.name, Role.OWNER)
        self._viewers.keep(digest, viewer, self._clock(), expires_at=claims.expires_at)
        self._measurements.token_verified(claims.issuer.id, ACCEPTED)
        return viewer

    def _tell_refusal(self, issuer: Issuer | None, reason: Refusal) -> None:
        """Whoever sent it isn't told why, since they may be guessing; the operator is."""
        name = "" if issuer is None else issuer.id
        self._measurements.token_verified(name, reason)
        level = logging.DEBUG if issuer is None else logging.INFO
        _log.log(level, "A bearer token of %s is refused: %s.", name or "no issuer that is known here", reason)


def _expect_access_token(token: SignedToken, issuer: Issuer) -> None:
    """Raises TokenRefused for a token that is meant for something else than being shown to us by its bearer."""
    if token.type not in _TYPES or "events" in token.claims:  # what tells of events, as logout tokens do (RFC 8417)
        raise TokenRefused(Refusal.TYPE)
    if isinstance(token.claims.get("cnf"), Mapping):  # bound to a key of the sender's: DPoP, mutual TLS
        raise TokenRefused(Refusal.SENDER_CONSTRAINED)
    if token.type != _ACCESS_TOKEN and not issuer.accepts_id_tokens and _is_id_token(token.claims):
        raise TokenRefused(Refusal.TYPE)
    if str(token.claims.get("typ", "")).lower() in _OTHER_TYPES:
        raise TokenRefused(Refusal.TYPE)


def _is_id_token(claims: Mapping[str, Json]) -> bool:
    """ID tokens tell a client who has signed in, and open nothing. By no standard does each of them say that it is one.

    Keycloak writes into each token what it is, and Amazon Cognito what it is used for; both count first.
    """
    kind = str(claims.get("typ", claims.get("token_use", ""))).lower()
    if kind in {"bearer", "access"}:
        return False
    return kind == "id" or any(name in claims for name in ("nonce", "at_hash", "c_hash"))


_ACCESS_TOKEN: Final = "at+jwt"  # noqa: S105 - RFC 9068's media type
_TYPES: Final = frozenset({"", "jwt", _ACCESS_TOKEN})
_OTHER_TYPES: Final = frozenset({"refresh", "offline", "logout", "dpop"})
"""Keycloak's words for tokens that it signs, too, and that only it takes."""
