"""The slow evaluator's pages: Relay's connections over rows that are sorted in Python, and the text of moments.

Used by slow_evaluator.py. A cursor here is a real one without its first part, the list's tag.
"""

import operator
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from graphql import GraphQLError

from tests.documents.world_maker import Row


def page_of(
    scope: UUID,
    rows: Iterable[Row],
    order: str,
    given: Mapping[str, Any],
    *,
    descending: bool = False,
    id_: str = "id",
    never: datetime | None = None,
) -> Row:
    """The part of a list that the four arguments ask for, as Relay defines it."""

    def key(row: Row) -> Any:
        return never if row[order] is None else row[order]

    def text(row: Row) -> str:
        value = key(row)
        return f"~{scope}~{row[id_]}~{moment_text(value) if isinstance(value, datetime) else value}"

    ordered = sorted(rows, key=lambda row: (key(row), row[id_]), reverse=descending)
    after, before = (_place(given.get(name), scope, order) for name in ("after", "before"))
    # of two places, which comes first; a place may be one that no row has any more
    precedes = operator.gt if descending else operator.lt
    kept = [
        row
        for row in ordered
        if (after is None or precedes(after, (key(row), row[id_])))
        and (before is None or precedes((key(row), row[id_]), before))
    ]
    first, last = given.get("first"), given.get("last")
    size = last if last is not None else 25 if first is None else first
    shown = kept[max(0, len(kept) - size) :] if last is not None else kept[:size]
    left_over = len(kept) > size
    earlier = after is not None and any(not precedes(after, (key(row), row[id_])) for row in ordered)
    later = before is not None and any(not precedes((key(row), row[id_]), before) for row in ordered)
    return {
        "nodes": shown,
        "edges": [{"cursor": text(row), "node": row} for row in shown],
        "total_count": len(ordered),
        "page_info": {
            "has_next_page": later or (last is None and left_over),
            "has_previous_page": earlier or (last is not None and left_over),
            "start_cursor": text(shown[0]) if shown else None,
            "end_cursor": text(shown[-1]) if shown else None,
        },
    }


def _place(cursor: str | None, scope: UUID, order: str) -> Any:
    if cursor is None:
        return None
    _, cursor_scope, id_, key = cursor.split("~", 3)
    if UUID(cursor_scope) != scope:
        raise GraphQLError("another organization's")
    value: Any = datetime.fromisoformat(key) if order.endswith("_at") else int(key) if order == "sequence" else key
    return value, UUID(id_)


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC without trailing zeros."""
    fraction = f"{moment.microsecond:06}".rstrip("0")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{'.' if fraction else ''}{fraction}+00:00"
