"""verified: whether a JWT is what its issuer has signed, for us and for now, so that its claims can be believed.

Called by `bearer_tokens.py`, and by sign-in for ID tokens.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.entities.health import Json
from domain.identity_providers.issuer import Issuer
from domain.identity_providers.key_set import VerificationKey
from domain.identity_providers.provider import IdentityProvider
from domain.identity_providers.refusal import Refusal, TokenRefused
from domain.identity_providers.signed_token import SignedToken

CLOCK_SKEW: Final = timedelta(seconds=60)
LONGEST_SUBJECT: Final = 255


@dataclass(frozen=True, slots=True)
class VerifiedClaims:
    """What the issuer says. It holds until `expires_at`, and for the clocks' difference after that."""

    issuer: Issuer
    subject: str
    expires_at: datetime
    claims: Mapping[str, Json]

    @property
    def issued_at(self) -> datetime | None:
        """Since when it says so, where it tells."""
        return _moment(self.claims, "iat")


async def verified(
    token: SignedToken, provider: IdentityProvider, audiences: Collection[str], clock: Callable[[], datetime]
) -> VerifiedClaims:
    """Raises TokenRefused, and ServiceUnavailable where the issuer can't be asked for its keys."""
    if token.claims.get("iss") != provider.issuer.url:
        raise TokenRefused(Refusal.ISSUER)
    if token.algorithm not in provider.issuer.algorithms:
        raise TokenRefused(Refusal.ALGORITHM)
    keys = await provider.keys(token.kid, token.algorithm)
    if not keys:
        raise TokenRefused(Refusal.KEY)
    if not _is_signed(token, keys) and token.kid is None:
        keys = await provider.newer_keys(None, token.algorithm)  # that there is a new one, nothing but this tells
    if not _is_signed(token, keys):
        raise TokenRefused(Refusal.SIGNATURE)
    claims, now = token.claims, clock()
    expires_at = _moment(claims, "exp")
    if expires_at is None:
        raise TokenRefused(Refusal.CLAIMS)
    if now >= expires_at + CLOCK_SKEW:
        raise TokenRefused(Refusal.EXPIRED)
    for name in ("nbf", "iat"):
        begins_at = _moment(claims, name)
        if begins_at is not None and now < begins_at - CLOCK_SKEW:
            raise TokenRefused(Refusal.NOT_YET_VALID)
    if not _is_for(audiences, claims.get("aud")):
        raise TokenRefused(Refusal.AUDIENCE)
    return VerifiedClaims(provider.issuer, _subject(claims), expires_at, claims)


def _is_signed(token: SignedToken, keys: Sequence[VerificationKey]) -> bool:
    return any(token.is_signed_by(key) for key in keys)


def _moment(claims: Mapping[str, Json], name: str) -> datetime | None:
    """The claim as a time; None where there is none. Raises TokenRefused for what is no time."""
    seconds = claims.get(name)
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LAST_SECOND:
        raise TokenRefused(Refusal.CLAIMS)
    return datetime.fromtimestamp(seconds, UTC)


def _is_for(audiences: Collection[str], named: Json) -> bool:
    if isinstance(named, str):
        return named in audiences
    return isinstance(named, list) and any(isinstance(each, str) and each in audiences for each in named)


def _subject(claims: Mapping[str, Json]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise TokenRefused(Refusal.CLAIMS)
    return subject


_LAST_SECOND: Final = 253_370_764_800  # the year 9999: with room for the clocks' difference
