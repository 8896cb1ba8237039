"""Gaps: the fields of a document that SQL can't say, such as commands, each with its place and whose it is.

Read by `reader.py` from the signs that `LeftOpen` has the database write into the text; filled by the executor.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from domain.errors import BadUserInput
from persistence.documents.compiler import Compiler, Scope
from persistence.documents.dialects.dialect import Literal
from persistence.documents.refusals import Place, without_escaped
from persistence.documents.selection import Selected

GAP: Final = "\x03"
"""A character that JSON text never holds."""

MOST_GAPS: Final = 20
"""Each is filled by statements of its own."""


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """A field of an organization that isn't stored: its resolver is given the organization's id."""

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        compiler.leaves_gaps = True
        sign = [Literal('"'), compiler.dialect.gap, f"{scope.alias}.id", Literal('"')]
        return compiler.dialect.concat(sign)


@dataclass(frozen=True, slots=True)
class Gap:
    """`place` leads there from the document: keys of objects, numbers of items."""

    place: Place
    organization_id: UUID


def gaps_in(text: str) -> Sequence[Gap]:
    """Those in a document's text, in its order. Raises BadUserInput where that would be statements without end."""
    count = text.count(GAP)
    if count > MOST_GAPS:
        raise BadUserInput(f"Ask for the commands of at most {MOST_GAPS} organizations at once; these are {count}.")
    return list(_found(json.loads(without_escaped(GAP, text), strict=False), ())) if count else []


def fill(text: str, values: Sequence[str]) -> str:
    """The text with JSON text in place of each gap."""
    parts = _SIGN.split(text)
    return "".join(part for pair in zip(parts, [*values, ""], strict=True) for part in pair)


def _found(value: Any, place: Place) -> Iterator[Gap]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _found(member, (*place, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _found(item, (*place, number))
    elif isinstance(value, str) and value.startswith(GAP):
        yield Gap(place, UUID(value.removeprefix(GAP)))


_SIGN: Final = re.compile(f'"{GAP}[0-9a-f-]+"')
