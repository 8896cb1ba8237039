"""API keys: `tether_<id>_<secret><checksum>`, made for a person or a program and shown once. Only a hash is stored.

`generate_api_key` is used where keys are made, `parse_api_key` where a bearer token comes in. The fixed prefix lets
secret scanners find a leaked key; the checksum tells a mistyped one without asking the database.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final
from uuid import UUID

from domain.secret import Secret

# One double-click selects it all: a prefix, the id in hex, 256 random bits in base62, a CRC-32 in base62.
_SECRET_DIGITS: Final = 43
_CHECKSUM_DIGITS: Final = 6
_BASE62: Final = digits + ascii_uppercase + ascii_lowercase
_FORM: Final = re.compile(
    rf"(tether_([0-9a-f]{{32}})_([{_BASE62}]{{{_SECRET_DIGITS}}}))([{_BASE62}]{{{_CHECKSUM_DIGITS}}})"
)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key just made: `token` is shown once and forgotten, `secret_hash` (SHA-256, 32 bytes) is stored."""

    id: UUID
    token: Secret
    secret_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ParsedApiKey:
    """A well-formed key that a caller sent. It proves nothing until it `matches` what is stored under its id."""

    id: UUID
    secret_hash: bytes = field(repr=False)

    def matches(self, stored_hash: bytes) -> bool:
        """Whether the secret is the one whose hash is stored; in constant time."""
        return hmac.compare_digest(self.secret_hash, stored_hash)


def generate_api_key(key_id: UUID) -> NewApiKey:
    """A new key with 256 random bits."""
    secret = _base62(secrets.randbits(256), _SECRET_DIGITS)
    covered = f"tether_{key_id.hex}_{secret}"
    return NewApiKey(id=key_id, token=Secret(covered + _checksum(covered)), secret_hash=_hash(secret))


def parse_api_key(text: str) -> ParsedApiKey | None:
    """The key in a text; None for a text of another form, length or checksum."""
    form = _FORM.fullmatch(text)
    if form is None or _checksum(form[1]) != form[4]:
        return None
    return ParsedApiKey(id=UUID(form[2]), secret_hash=_hash(form[3]))


def _base62(number: int, width: int) -> str:
    """The number in base 62, with leading zeros up to `width` digits."""
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        text = _BASE62[digit] + text
    return text


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECKSUM_DIGITS)


def _hash(secret: str) -> bytes:
    """Plain SHA-256: 256 random bits can't be guessed, so a slow hash would only cost."""
    return hashlib.sha256(secret.encode()).digest()
