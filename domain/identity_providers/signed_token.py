"""SignedToken: a JWT in its compact form, read strictly. Nothing that it says is true before `is_signed_by` says so.

Used by `verification.py`. joserfc verifies; what it would let through, or raise, is dealt with here.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel

from domain.entities.health import Json
from domain.identity_providers.issuer import ALGORITHMS
from domain.identity_providers.key_set import VerificationKey
from domain.identity_providers.refusal import Refusal, TokenRefused

LARGEST_TOKEN: Final = 16 * 1024


class _Registry(jws.JWSRegistry):
    """joserfc's rules, with these changes: long headers and unknown ones are fine, and EdDSA brings no warning."""

    max_header_length = LARGEST_TOKEN
    max_payload_length = LARGEST_TOKEN
    max_signature_length = LARGEST_TOKEN

    def get_alg(self, name: str) -> JWSAlgModel:
        if name not in ALGORITHMS:
            raise TokenRefused(Refusal.ALGORITHM)
        return self.algorithms[name]


@dataclass(frozen=True, slots=True)
class SignedToken:
    """`header` and `claims` are what whoever made it says."""

    header: Mapping[str, Json]
    claims: Mapping[str, Json]
    _signature: jws.CompactSignature

    @classmethod
    def read(cls, token: str) -> "SignedToken":
        """Raises TokenRefused."""
        if len(token) > LARGEST_TOKEN:
            raise TokenRefused(Refusal.TOO_LARGE)
        if not _FORM.fullmatch(token):
            raise TokenRefused(Refusal.MALFORMED)
        try:
            signature = jws.extract_compact(token.encode("ascii"), registry=_REGISTRY)
        except (JoseError, ValueError, TypeError, RecursionError):  # the last two: joserfc doesn't expect them
            raise TokenRefused(Refusal.MALFORMED) from None
        _check_header(signature.headers())
        return cls(signature.headers(), _claims(signature.payload), signature)

    @property
    def algorithm(self) -> str:
        return str(self.header["alg"])

    @property
    def kid(self) -> str | None:
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else None

    @property
    def type(self) -> str:
        """In small letters, without the `application/` that may be left out; empty where nothing is said."""
        return str(self.header.get("typ", "")).lower().removeprefix("application/")

    def is_signed_by(self, key: VerificationKey) -> bool:
        """Whether the signature is the key's. Keys that come with the token, or are pointed to, count for nothing."""
        try:
            return jws.validate_compact(self._signature, key.key, registry=_REGISTRY)
        except (JoseError, ValueError, TypeError):
            return False


def _check_header(header: Json) -> None:
    """Raises TokenRefused for whatever JSON it is that can't be a header of ours."""
    if not isinstance(header, dict) or not isinstance(header["alg"], str):
        raise TokenRefused(Refusal.MALFORMED)
    if not all(isinstance(header.get(name, ""), str) for name in ("kid", "typ")):
        raise TokenRefused(Refusal.MALFORMED)
    if "crit" in header or "b64" in header:
        # Whoever wrote it demands that we understand more than we do; `b64` changes what is signed.
        raise TokenRefused(Refusal.CRITICAL_HEADER)
    if header["alg"] not in ALGORITHMS:
        raise TokenRefused(Refusal.ALGORITHM)


def _claims(payload: bytes) -> Mapping[str, Json]:
    try:
        claims = json.loads(payload.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise TokenRefused(Refusal.MALFORMED) from None
    if not isinstance(claims, dict):
        raise TokenRefused(Refusal.MALFORMED)
    return claims


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON")


_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REGISTRY: Final = _Registry(algorithms=ALGORITHMS, strict_check_header=False)
