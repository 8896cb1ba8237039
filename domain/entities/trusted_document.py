"""TrustedDocument: a GraphQL document that an operator has published, which clients may ask for by its id.

Kept by TrustedDocuments. An id is `sha256:` with the hash of the text, or what whoever made the manifest has chosen.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

LONGEST_ID: Final = 200
ID_FORM: Final = (
    "An id is sha256: with 64 hexadecimal digits, or at most "
    f"{LONGEST_ID} letters, digits and - . _ ~, which may follow a prefix of one's own such as x-app:"
)


@dataclass(frozen=True, slots=True)
class TrustedDocument:
    """`name`: its operations' names. `published_at`: when a manifest has had it last. `used_at`: to the hour."""

    id: str
    text: str
    name: str
    first_published_at: datetime
    published_at: datetime
    used_at: datetime | None = None


def parse_document_id(written: str) -> str | None:
    """The id in the one form in which it is kept: a hash alone counts as sha256. None for what can't be an id."""
    if hashed := _HASH.fullmatch(written):
        return f"{_SHA256}{hashed[1].lower()}"
    return written if len(written) <= LONGEST_ID and _OWN.fullmatch(written) else None


def hash_of(document_id: str) -> bytes | None:
    """The SHA-256 that an id is; None for one that somebody has chosen."""
    return bytes.fromhex(document_id.removeprefix(_SHA256)) if document_id.startswith(_SHA256) else None


def id_of_text(text: str) -> str:
    """The id of a document that nobody needs to choose."""
    return f"{_SHA256}{sha256(text.encode()).hexdigest()}"


_SHA256: Final = "sha256:"
_HASH: Final = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
# The other prefixes are kept free by the specification for what may come.
_OWN: Final = re.compile(r"(?:x-[A-Za-z0-9._~-]+:)?[A-Za-z0-9._~-]+")
