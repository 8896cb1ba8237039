"""How each database writes JSON as text: the few spellings in which SQLite and PostgreSQL differ.

Used by the compiler and everything that it calls. An expression here is SQL text; "JSON text" is an expression whose
value is a piece of JSON and never NULL. Text is spliced, since building JSON values costs the databases twice as much.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from domain.errors import BadUserInput
from persistence.column_types import timestamp_text


class Literal(str):
    """Text that stands in the answer as it is, among expressions."""

    __slots__ = ()


class Type(StrEnum):
    """The type of a parameter, in PostgreSQL's words."""

    UUID = "uuid"
    TEXT = "text"
    TIMESTAMP = "timestamptz"
    INTEGER = "bigint"
    BOOLEAN = "boolean"
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
    has_lateral: bool
    """Whether a subselect in FROM may speak of what stands before it."""

    def concat(self, parts: Sequence[str]) -> str:
        """The parts one after the other: literals as they are, expressions by their (never NULL) value."""
        merged: list[str] = []
        for part in parts:
            if isinstance(part, Literal) and merged and isinstance(merged[-1], Literal):
                merged[-1] = Literal(merged[-1] + part)
            else:
                merged.append(part)
        return self._joined([quoted(part) if isinstance(part, Literal) else part for part in merged])

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
    def elements(self, json_array: str, alias: str, members: Sequence[str]) -> str:
        """The objects in a JSON array, for a FROM: rows of `alias` with the `position` and what `member` reads."""

    @abstractmethod
    def member(self, alias: str, name: str) -> str:
        """JSON text of a member of the object that a row of `elements` holds; `null` where it lacks it."""

    @abstractmethod
    def references(self, parameter: str, alias: str) -> str:
        """Rows of (kind, id, position) from a JSON parameter `[[kind, id], …]`, for a FROM."""

    @abstractmethod
    def seconds(self, start: str, end: str) -> str:
        """The time from one moment to another, in seconds."""

    @abstractmethod
    def later(self, one: str, other: str) -> str:
        """The later of two moments."""


class PostgreSQL(Dialect):
    """PostgreSQL 13 and later."""

    name = "postgresql"
    mismatch = "chr(1)"
    has_lateral = True

    def parameter(self, position: int, type_: Type) -> str:
        return f"${position}::{type_}"

    def _value(self, value: Any) -> Any:
        return value

    def _joined(self, parts: list[str]) -> str:
        while len(parts) > 96:  # concat takes a hundred arguments
            parts = [self._joined(parts[start : start + 96]) for start in range(0, len(parts), 96)]
        return parts[0] if len(parts) == 1 else f"concat({', '.join(parts)})"

    def text(self, expression: str) -> str:
        # of the type json, which `concat` takes as it is: a cast to text would copy it twice
        return f"coalesce(to_json({expression}), 'null')"

    timestamp = text

    def number(self, expression: str) -> str:
        return f"coalesce({expression}::text, 'null')"

    def decimal(self, expression: str) -> str:
        return f"coalesce(to_char({expression}, 'FM0.000000'), 'null')"

    def raw(self, expression: str, otherwise: str = "null") -> str:
        return f"coalesce({expression}, {quoted(otherwise)})"

    def moment_key(self, expression: str) -> str:
        return f"(to_json({expression}) #>> '{{}}')"

    def joined_rows(self, json_text: str, order: str, condition: str = "") -> str:
        chosen = f" filter (where {condition})" if condition else ""
        return f"coalesce(string_agg({json_text}, ',' order by {order}){chosen}, '')"

    def in_order(self, select: str, order: str) -> str:
        return f"({select})"

    def one_of(self, expression: str, parameter: str) -> str:
        return f"{expression} = any({parameter})"

    def one_of_few(self, expression: str, select: str) -> str:
        return f"{expression} = any(array({select}))"

    def each(self, parameter: str, alias: str) -> str:
        return f"unnest({parameter}) {alias}(value)"

    def contains(self, expression: str, parameter: str) -> str:
        return f"strpos({expression}, {parameter}) > 0"

    def has_labels(self, labels: str, parameter: str) -> str:
        different = f"({labels} ->> w.key) is distinct from w.value"
        return f"not exists (select 1 from json_each_text({parameter}) w where {different})"

    def elements(self, json_array: str, alias: str, members: Sequence[str]) -> str:
        # read once as a whole: each `->` would read its element from the start
        columns = ", ".join(f"{member} json" for member in members)
        rows = f"rows from (json_to_recordset({json_array}) as ({columns})) with ordinality"
        return f"{rows} {alias}({', '.join(members)}, position)"

    def member(self, alias: str, name: str) -> str:
        return f"coalesce({alias}.{name}, 'null')"

    def references(self, parameter: str, alias: str) -> str:
        return (
            f"(select e.value ->> 0 as kind, (e.value ->> 1)::uuid as id, e.position "
            f"from json_array_elements({parameter}) with ordinality e(value, position)) {alias}"
        )

    def seconds(self, start: str, end: str) -> str:
        return f"extract(epoch from ({end}) - ({start}))"

    def later(self, one: str, other: str) -> str:
        return f"greatest({one}, {other})"


class SQLite(Dialect):
    """SQLite 3.38 and later, which has `->`."""

    name = "sqlite"
    mismatch = "char(1)"
    has_lateral = False

    def parameter(self, position: int, type_: Type) -> str:
        return f"?{position}"

    def _value(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return timestamp_text(value)
        if isinstance(value, UUID):
            return str(value)
        return orjson.dumps(value).decode() if isinstance(value, list) else value

    def _joined(self, parts: list[str]) -> str:
        # Without parentheses, since each open one takes a place of the hundred on the stack of SQLite's parser.
        while len(parts) > 64:  # but a chain of || is as deep as it is long
            parts = [f"({'||'.join(parts[start : start + 64])})" for start in range(0, len(parts), 64)]
        return "||".join(parts)

    def text(self, expression: str) -> str:
        return f"json_quote({expression})"

    def timestamp(self, expression: str) -> str:
        return f"""coalesce('"'||{expression}||'"', 'null')"""

    def number(self, expression: str) -> str:
        return f"coalesce({expression}, 'null')"

    def decimal(self, expression: str) -> str:
        return f"case when {expression} is null then 'null' else printf('%.6f', {expression}) end"

    def raw(self, expression: str, otherwise: str = "null") -> str:
        return f"coalesce({expression}, {quoted(otherwise)})"

    def moment_key(self, expression: str) -> str:
        return expression

    def joined_rows(self, json_text: str, order: str, condition: str = "") -> str:
        chosen = f" filter (where {condition})" if condition else ""
        return f"coalesce(group_concat({json_text}, ','){chosen}, '')"

    def in_order(self, select: str, order: str) -> str:
        return f"({select} order by {order} limit -1)"  # a limit keeps the order from being dropped

    def one_of(self, expression: str, parameter: str) -> str:
        return f"{expression} in (select value from json_each({parameter}))"

    def one_of_few(self, expression: str, select: str) -> str:
        return f"{expression} in ({select})"

    def each(self, parameter: str, alias: str) -> str:
        return f"json_each({parameter}) {alias}"

    def contains(self, expression: str, parameter: str) -> str:
        return f"instr({expression}, {parameter}) > 0"

    def has_labels(self, labels: str, parameter: str) -> str:
        return (
            f"not exists (select 1 from json_each({parameter}) w left join json_each({labels}) l on l.key = w.key "
            f"where l.value is not w.value)"
        )

    def elements(self, json_array: str, alias: str, members: Sequence[str]) -> str:
        return f"(select value, key as position from json_each({json_array})) {alias}"

    def member(self, alias: str, name: str) -> str:
        return f"coalesce({alias}.value -> {quoted('$.' + name)}, 'null')"

    def references(self, parameter: str, alias: str) -> str:
        return (
            f"(select e.value ->> 0 as kind, e.value ->> 1 as id, e.key as position "
            f"from json_each({parameter}) e) {alias}"
        )

    def seconds(self, start: str, end: str) -> str:
        whole = f"unixepoch(substr({end}, 1, 19)) - unixepoch(substr({start}, 1, 19))"
        return f"({whole} + {self._fraction(end)} - {self._fraction(start)})"

    @staticmethod
    def _fraction(moment: str) -> str:
        """A moment's part of a second, which SQLite's own functions cut after the third digit."""
        return f"cast('0' || substr({moment}, 20) as real)"

    def later(self, one: str, other: str) -> str:
        return f"max({one}, {other})"


DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (PostgreSQL(), SQLite())}
