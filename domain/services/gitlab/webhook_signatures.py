"""Whether a delivery is GitLab's: by the signature of newer hooks, or by the secret token that every hook can send.

Used by GitLabWebhooks. A secret that begins with `whsec_` is a hook's signing token (Standard Webhooks: HMAC-SHA256
over id, time and body); any other is a secret token, which GitLab sends along as it is.
"""

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from domain.secret import Secret
from domain.services.webhooks import Refusal

SIGNING_TOKEN_PREFIX: Final = "whsec_"  # noqa: S105 - what signing tokens begin with
TOLERANCE_SECONDS: Final = 5 * 60


def refusal(headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret], now: datetime) -> Refusal | None:
    """Why this isn't GitLab's; None where it is. Header names are in lower case."""
    keys, signatures = signing_keys(secrets), headers.get("webhook-signature")
    if keys and signatures is not None:
        return _signature_refusal(headers, signatures, body, keys, now)
    tokens = [each.reveal().encode() for each in secrets if not _signs(each)]
    shown = headers.get("x-gitlab-token")
    if not tokens or shown is None:
        return Refusal.SIGNATURE_MISSING
    return None if _any_equal(tokens, [shown.encode(errors="replace")]) else Refusal.SIGNATURE_WRONG


def signing_keys(secrets: Sequence[Secret]) -> list[bytes]:
    """The keys that the signing tokens among the secrets hold. Raises ValueError, which doesn't quote them."""
    return [_key(each) for each in secrets if _signs(each)]


def _signs(secret: Secret) -> bool:
    return secret.reveal().startswith(SIGNING_TOKEN_PREFIX)


def _key(token: Secret) -> bytes:
    try:
        key = b64decode(token.reveal().removeprefix(SIGNING_TOKEN_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError("A signing token of GitLab is whsec_ and base64 after that.")
    return key


def _signature_refusal(
    headers: Mapping[str, str], signatures: str, body: bytes, keys: Sequence[bytes], now: datetime
) -> Refusal | None:
    identifier, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signed = b".".join((identifier.encode(errors="replace"), timestamp.encode(errors="replace"), body))
    expected = [b"v1," + b64encode(hmac.digest(key, signed, "sha256")) for key in keys]
    if not _any_equal(expected, [each.encode(errors="replace") for each in signatures.split(" ")]):
        return Refusal.SIGNATURE_WRONG
    if not identifier or not _TIMESTAMP.fullmatch(timestamp):
        return Refusal.MALFORMED
    return Refusal.STALE if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS else None


def _any_equal(expected: Sequence[bytes], shown: Sequence[bytes]) -> bool:
    matches = [hmac.compare_digest(one, other) for one in expected for other in shown]  # all of them take their time
    return any(matches)


_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
