"""read_key_set: the keys that an issuer publishes (a JWK Set), of which each is used for what it fits and nothing else.

Called by `documents.py`. A key that can't be read, is too weak or is meant for something else is left out, so that one
bad key doesn't take the others along.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import base64_to_int

from domain.entities.health import Json

MOST_KEYS: Final = 100

_EDWARDS: Final = frozenset({"EdDSA", "Ed25519"})  # two names for the same, by RFC 8037 and by RFC 9864


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key. `kid` and `algorithm` as the issuer says; None where it says nothing."""

    kid: str | None
    algorithm: str | None
    key: RSAKey | ECKey | OKPKey

    def fits(self, algorithm: str) -> bool:
        """Whether a signature by that algorithm can be this key's, and the issuer doesn't say otherwise."""
        same = self.algorithm == algorithm or {self.algorithm, algorithm} <= _EDWARDS
        if self.algorithm is not None and not same:
            return False
        try:
            JWSRegistry.algorithms[algorithm].check_key(self.key)  # the kind of key, and the curve
        except JoseError:
            return False
        return True


def read_key_set(document: Mapping[str, Json]) -> Sequence[VerificationKey] | None:
    """The keys for signatures; None for what is no JWK Set."""
    keys = document.get("keys")
    if not isinstance(keys, list):
        return None
    read = (_key(each) for each in keys[:MOST_KEYS] if isinstance(each, Mapping))
    return [each for each in read if each is not None]


def _key(jwk: Mapping[str, Json]) -> VerificationKey | None:
    kid, algorithm, operations = jwk.get("kid"), jwk.get("alg"), jwk.get("key_ops")
    if not isinstance(kid, str | None) or not isinstance(algorithm, str | None):
        return None
    if jwk.get("use", "sig") != "sig" or not (operations is None or _verifies(operations)):
        return None
    try:
        key = _public_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError):  # joserfc lets those of what it is given wrongly through
        return None
    return None if key is None else VerificationKey(kid, algorithm, key)


def _verifies(operations: Json) -> bool:
    return isinstance(operations, list) and "verify" in operations


def _public_key(jwk: Mapping[str, Json]) -> RSAKey | ECKey | OKPKey | None:
    """Only from what makes up a public key: private parts, certificates and addresses in it stay unread."""
    match jwk.get("kty"):
        case "RSA":
            modulus = jwk.get("n")
            bits = base64_to_int(modulus).bit_length() if isinstance(modulus, str) else 0
            # Weighed before joserfc sees it, which takes weak keys with a warning.
            return RSAKey.import_key(_parts(jwk, "n", "e")) if _LEAST_RSA_BITS <= bits <= _MOST_RSA_BITS else None
        case "EC" if jwk.get("crv") in _CURVES:
            return ECKey.import_key(_parts(jwk, "crv", "x", "y"))
        case "OKP" if jwk.get("crv") == "Ed25519":
            return OKPKey.import_key(_parts(jwk, "crv", "x"))
        case _:
            return None


def _parts(jwk: Mapping[str, Json], *names: str) -> dict[str, str | list[str]]:
    """Raises KeyError and TypeError."""
    parts: dict[str, str | list[str]] = {}
    for name in ("kty", *names):
        part = jwk[name]
        if not isinstance(part, str):
            raise TypeError(name)
        parts[name] = part
    return parts


_CURVES: Final = ("P-256", "P-384", "P-521")
_LEAST_RSA_BITS: Final = 2048
_MOST_RSA_BITS: Final = 8192  # verifying by a larger one would keep everybody waiting
