"""SQLite's way to write JSON as text."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from persistence.column_types import timestamp_text
from persistence.documents.dialects.dialect import Dialect, Type, quoted
from persistence.probe_column import PROBE_MEMBERS


class SQLite(Dialect):
    """SQLite 3.38 and later, which has `->`."""

    name = "sqlite"
    mismatch = "char(1)"
    refusal = "char(2)"
    gap = "char(3)"
    has_lateral = False
    has_row_security = False

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

    def probes(self, column: str, alias: str) -> str:
        members = ", ".join(
            f"value {'->' if member == 'evidence' else '->>'} {quoted('$.' + member)} as {member}"
            for member in PROBE_MEMBERS
        )
        return f"(select {members}, key as position from json_each({column})) {alias}"

    def references(self, parameter: str, alias: str) -> str:
        return (
            f"(select e.value ->> 0 as kind, e.value ->> 1 as id, e.key as position "
            f"from json_each({parameter}) e) {alias}"
        )

    def moments(self, parameter: str, alias: str) -> str:
        return f"(select e.value as moment, e.key as position from json_each({parameter}) e) {alias}"

    def members(self, column: str, alias: str) -> str:
        return f"json_each({column}) {alias}"

    def whole(self, number: str) -> str:
        return f"cast({number} as integer)"

    def seconds(self, start: str, end: str) -> str:
        whole = f"unixepoch(substr({end}, 1, 19)) - unixepoch(substr({start}, 1, 19))"
        return f"({whole} + {self._fraction(end)} - {self._fraction(start)})"

    @staticmethod
    def _fraction(moment: str) -> str:
        """A moment's part of a second, which SQLite's own functions cut after the third digit."""
        return f"cast('0' || substr({moment}, 20) as real)"

    def later(self, one: str, other: str) -> str:
        return f"max({one}, {other})"
