"""PostgreSQL's way to write JSON as text."""

from typing import Any

from persistence.documents.dialects.dialect import Dialect, Type, quoted
from persistence.probe_column import PROBE_MEMBERS


class PostgreSQL(Dialect):
    """PostgreSQL 13 and later."""

    name = "postgresql"
    mismatch = "chr(1)"
    refusal = "chr(2)"
    gap = "chr(3)"
    has_lateral = True
    has_row_security = True

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

    def probes(self, column: str, alias: str) -> str:
        # an array of records rather than JSON, from which it takes three times as long to pick members
        return f"unnest({column}) with ordinality {alias}({', '.join(PROBE_MEMBERS)}, position)"

    def references(self, parameter: str, alias: str) -> str:
        return (
            f"(select e.value ->> 0 as kind, (e.value ->> 1)::uuid as id, e.position "
            f"from json_array_elements({parameter}) with ordinality e(value, position)) {alias}"
        )

    def moments(self, parameter: str, alias: str) -> str:
        return (
            f"(select e.value::timestamptz as moment, e.position - 1 as position "
            f"from json_array_elements_text({parameter}) with ordinality e(value, position)) {alias}"
        )

    def members(self, column: str, alias: str) -> str:
        return f"json_each_text({column}) {alias}"

    def whole(self, number: str) -> str:
        return f"cast(floor({number}) as bigint)"

    def seconds(self, start: str, end: str) -> str:
        return f"extract(epoch from ({end}) - ({start}))"

    def later(self, one: str, other: str) -> str:
        return f"greatest({one}, {other})"
