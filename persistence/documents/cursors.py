"""Cursors of pages: `tag~scope~id~key`, opaque to clients, written by SQL and read here.

The tag stands for what is listed, its order and its filter; the scope is the organization. A cursor is good for lists
that have all of these in common, such as the repositories of each connection on a page.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import orjson

from domain.errors import BadUserInput


class KeyType(StrEnum):
    """What a list is ordered by, which tells how the key in a cursor is read."""

    TEXT = "TEXT"
    TIMESTAMP = "TIMESTAMP"
    INTEGER = "INTEGER"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: between the row that it names and the next."""

    scope: UUID
    id: UUID
    key: str | datetime | int


def page_tag(kind: str, ordered_by: str, filters: Mapping[str, Any]) -> str:
    """Twelve characters that stand for a list: what it holds, how it is ordered, which filter's values made it.

    Raises BadUserInput for values that aren't JSON.
    """
    try:
        content = orjson.dumps([kind, ordered_by, {name: filters[name] for name in sorted(filters)}], default=str)
    except orjson.JSONEncodeError:
        raise BadUserInput("This filter has a number too large, or text that is no Unicode.") from None
    return blake2b(content, digest_size=6).hexdigest()


def parse_cursor(text: str, tag: str, key_type: KeyType) -> Cursor:
    """Read a cursor that a client sent back. Raises BadUserInput for one of another list, or for no cursor at all."""
    cursor_tag, *rest = text.split("~", 3)
    if len(rest) != 3:
        raise BadUserInput(f"{text[:80]!r} is no cursor. Use an endCursor, startCursor or edge's cursor of this list.")
    if cursor_tag != tag:
        raise BadUserInput("This cursor is of another list, order or filter. Begin again without it.")
    scope, id_, key = rest
    try:
        return Cursor(UUID(scope), UUID(id_), _key(key, key_type))
    except ValueError:
        raise BadUserInput("This cursor has been changed. Use it as it was given.") from None


def _key(text: str, key_type: KeyType) -> str | datetime | int:
    if key_type is KeyType.TIMESTAMP:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return _in_utc(moment)
    if key_type is KeyType.INTEGER:
        if not _SEQUENCE.fullmatch(text):
            raise ValueError("no number that a database holds")
        return int(text)
    if "\0" in text:
        raise ValueError("NUL")
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a moment outside the years 1 to 9999") from None


_SEQUENCE: Final = re.compile("[0-9]{1,18}")
