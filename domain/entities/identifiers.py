"""Identity: UUIDs that grow with time, and the typed text in which clients see them, such as `conn_0192f0c1-…`.

Entities get their id from `new_id`; the GraphQL layer reads and writes the text form. SQL writes the same text.
"""

import os
import threading
import time
from enum import StrEnum
from typing import Final
from uuid import UUID


class Kind(StrEnum):
    """The prefix of a typed id: which kind of object it names."""

    CONNECTION = "conn"
    ORGANIZATION = "org"
    REPOSITORY = "repo"
    CREDENTIAL = "cred"
    HEALTH_CHECK = "chk"
    EVENT = "evt"
    USER = "user"
    API_KEY = "key"
    AUDIT_RECORD = "aud"
    INVITATION = "inv"
    COMMAND_RUN = "run"


_KINDS: Final = {kind.value: kind for kind in Kind}
_LENGTH: Final = 36
_HEX: Final = frozenset("0123456789abcdef")
_COUNTER_BITS: Final = 12
_lock = threading.Lock()
_last: int = 0


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562): later ids of one process sort after earlier ones, also within a millisecond.

    The 12 bits of `rand_a` carry the fraction of the millisecond (method 3 of section 6.2); the other 62 are random.
    """
    global _last
    now = (time.time_ns() << _COUNTER_BITS) // 1_000_000
    with _lock:
        _last = now if now > _last else _last + 1
        stamp = _last
    milliseconds, fraction = stamp >> _COUNTER_BITS, stamp & 0xFFF
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return UUID(int=(milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)


def typed_id(kind: Kind, value: UUID) -> str:
    """The text in which clients see an id."""
    return f"{kind}_{value}"


def parse_id(kind: Kind, text: str) -> UUID | None:
    """The UUID in a typed id of this kind; None for any other text, so that malformed and missing look alike."""
    parsed = split_id(text)
    return parsed[1] if parsed is not None and parsed[0] is kind else None


def split_id(text: str) -> tuple[Kind, UUID] | None:
    """Kind and UUID of a typed id in its one canonical spelling (lower case, with dashes); None for any other text."""
    prefix, separator, rest = text.partition("_")
    if not separator or len(rest) != _LENGTH or prefix not in _KINDS:
        return None
    if any(rest[at] != "-" for at in (8, 13, 18, 23)) or not set(rest.replace("-", "")) <= _HEX or rest.count("-") != 4:
        return None
    return _KINDS[prefix], UUID(rest)
