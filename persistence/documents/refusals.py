"""Refusals: the fields of a document that were refused to the viewer, each with its place and the reason.

Read by `reader.py` from the signs that `ForRole` has the database write into the text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from domain.entities.user import Role
from domain.errors import Forbidden

REFUSED: Final = "\x02"
"""A character that JSON text never holds."""

MOST_REFUSALS: Final = 100

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """`place` leads there from the document: keys of objects, numbers of items."""

    place: Place
    error: Forbidden


def take_refusals(text: str) -> tuple[str, list[Refusal]]:
    """A document's text with null in place of each sign, and what the signs say.

    Raises Forbidden for the whole document where there are so many that to tell of each would be work without use.
    """
    count = text.count(REFUSED)
    if count == 0:
        return text, []
    if count > MOST_REFUSALS:
        start = text.index(REFUSED) + 1
        raise _error(text[start : text.index('"', start)])
    # Not strict: it takes such characters in strings.
    found = list(_found(json.loads(without_escaped(REFUSED, text), strict=False), ()))
    return _SIGN.sub("null", text), found


def without_escaped(sign: str, text: str) -> str:
    """JSON text that is only read for its signs: what people wrote may hold the same character, escaped."""
    return text.replace(f"\\u{ord(sign):04x}", "\\u0020")


def _found(value: Any, place: Place) -> Iterator[Refusal]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _found(member, (*place, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _found(item, (*place, number))
    elif isinstance(value, str) and value.startswith(REFUSED):
        yield Refusal(place, _error(value.removeprefix(REFUSED)))


def _error(said: str) -> Forbidden:
    needed, acting = said.split()
    return Forbidden.for_role(Role(needed), Role(acting))


_SIGN: Final = re.compile(f'"{REFUSED}[A-Z ]+"')
