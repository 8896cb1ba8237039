"""Dialect: what the compiler asks of a database's SQL, and the pieces that JSON text is put together from.

Used by the compiler and everything that it calls. An expression here is SQL text; "JSON text" is an expression whose
value is a piece of JSON and never NULL. Text is spliced, since building JSON values costs the databases twice as much.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Self

from domain.errors import BadUserInput


class Literal(str):
    """Text that stands in the answer as it is, among expressions."""

    __slots__ = ()


class Concatenation(str):
    """What `concat` has written. It remembers its parts: within another one they stand on the same level."""

    __slots__ = ("parts",)
    parts: Sequence[str]

    def __new__(cls, sql: str, parts: Sequence[str]) -> Self:
        self = super().__new__(cls, sql)
        self.parts = parts
        return self


class Type(StrEnum):
    """The type of a parameter, in PostgreSQL's words."""

    UUID = "uuid"
    TEXT = "text"
    TIMESTAMP = "timestamptz"
    INTEGER = "bigint"
    JSON = "json"
    TEXTS = "text[]"
    UUIDS = "uuid[]"


_NUL = "\0"
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether a database can hold a text: it has neither NUL nor half a surrogate pair."""
    return _NUL not in text and (text.isascii() or _SURROGATE.search(text) is None)


def quoted(text: str) -> str:
    """A string literal. Both databases read a backslash as itself."""
    return "'" + text.replace("'", "''") + "'"


def cases(expression: str, texts: dict[str, str], otherwise: str) -> str:
    """A choice by an expression's value among fixed pieces of JSON."""
    if not texts:
        return otherwise
    whens = " ".join(f"when {quoted(value)} then {quoted(text)}" for value, text in texts.items())
    return f"case {expression} {whens} else {otherwise} end"


def json_object(written: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """The parts of an object's JSON text, from the key of each member and the parts of its value."""
    parts: list[str] = []
    for key, value in written:
        parts.append(Literal(f'{"," if parts else "{"}"{key}":'))
        parts.extend(value)
    return [*parts, Literal("}" if parts else "{}")]


class Dialect(ABC):
    """What the compiler asks of a database's SQL."""

    name: str
    mismatch: str
    """An expression of one character that JSON text never holds."""
    refusal: str
    """Another one."""
    gap: str
    """A third one."""
    has_lateral: bool
    """Whether a subselect in FROM may speak of what stands before it."""
    has_row_security: bool
    """Whether the database itself holds a statement to its reach."""

    def concat(self, parts: Iterable[str]) -> str:
        """The parts one after the other: literals as they are, expressions by their (never NULL) value."""
        merged: list[str] = []
        for part in parts:
            for piece in part.parts if isinstance(part, Concatenation) else (part,):
                if isinstance(piece, Literal) and merged and isinstance(merged[-1], Literal):
                    merged[-1] = Literal(merged[-1] + piece)
                else:
                    merged.append(piece)
        sql = self._joined([quoted(piece) if isinstance(piece, Literal) else piece for piece in merged])
        return Concatenation(sql, merged)

    def word(self, expression: str) -> str:
        """JSON text of a value that needs no escaping: an enum value, an id."""
        return self.concat([Literal('"'), expression, Literal('"')])

    def or_null(self, json_text: str, absent: str) -> str:
        """JSON text, or `null` where the condition `absent` holds."""
        return f"case when {absent} then 'null' else {json_text} end"

    def boolean(self, expression: str) -> str:
        """JSON text of a condition."""
        return f"case when {expression} then 'true' else 'false' end"

    @abstractmethod
    def parameter(self, position: int, type_: Type) -> str:
        """The parameter at `position`, counted from 1."""

    def value(self, value: Any) -> Any:
        """A parameter's value as the driver takes it. Raises BadUserInput for text that no database holds."""
        for text in value if isinstance(value, list) else (value,):
            if isinstance(text, str) and not is_storable(text):
                raise BadUserInput(
                    f"No text here has {'the character NUL' if _NUL in text else 'half a surrogate pair'}."
                )
        return self._value(value)

    @abstractmethod
    def _value(self, value: Any) -> Any: ...

    @abstractmethod
    def _joined(self, parts: list[str]) -> str: ...

    @abstractmethod
    def text(self, expression: str) -> str:
        """JSON text of any text, or of NULL."""

    @abstractmethod
    def timestamp(self, expression: str) -> str:
        """JSON text of a moment, or of NULL."""

    @abstractmethod
    def number(self, expression: str) -> str:
        """JSON text of an integer, or of NULL."""

    @abstractmethod
    def decimal(self, expression: str) -> str:
        """JSON text of a number between 0 and 1, or of NULL, with six digits."""

    @abstractmethod
    def raw(self, expression: str, otherwise: str = "null") -> str:
        """JSON text of a JSON column, or `otherwise` for NULL."""

    @abstractmethod
    def moment_key(self, expression: str) -> str:
        """A moment as the bare text that stands in JSON."""

    @abstractmethod
    def joined_rows(self, json_text: str, order: str, condition: str = "") -> str:
        """An aggregate: the rows' JSON texts with commas between, in `order`; '' for no rows."""

    @abstractmethod
    def in_order(self, select: str, order: str) -> str:
        """A subselect whose rows `joined_rows` meets in that order."""

    @abstractmethod
    def one_of(self, expression: str, parameter: str) -> str:
        """Whether a value is in a parameter of type TEXTS or UUIDS."""

    @abstractmethod
    def one_of_few(self, expression: str, select: str) -> str:
        """Whether a value is in what a select reads, which is read once, and before whatever this is a condition of."""

    @abstractmethod
    def each(self, parameter: str, alias: str) -> str:
        """The values in a parameter of type TEXTS, for a FROM: rows of `alias` with the column `value`."""

    @abstractmethod
    def contains(self, expression: str, parameter: str) -> str:
        """Whether a text has another in it."""

    @abstractmethod
    def has_labels(self, labels: str, parameter: str) -> str:
        """Whether each pair of text by text in a JSON parameter stands in a JSON column too."""

    @abstractmethod
    def probes(self, column: str, alias: str) -> str:
        """The probes in a column, for a FROM: rows of `alias` with their members by name, and their `position`."""

    @abstractmethod
    def references(self, parameter: str, alias: str) -> str:
        """Rows of (kind, id, position) from a JSON parameter `[[kind, id], …]`, for a FROM."""

    @abstractmethod
    def moments(self, parameter: str, alias: str) -> str:
        """Rows of (position, moment) from a JSON parameter of moments, counted from 0, for a FROM."""

    @abstractmethod
    def members(self, column: str, alias: str) -> str:
        """The members of an object in a JSON column, for a FROM: rows of `alias` with `key` and `value`."""

    @abstractmethod
    def whole(self, number: str) -> str:
        """The integer part of a number that isn't negative."""

    @abstractmethod
    def seconds(self, start: str, end: str) -> str:
        """The time from one moment to another, in seconds."""

    @abstractmethod
    def later(self, one: str, other: str) -> str:
        """The later of two moments."""
