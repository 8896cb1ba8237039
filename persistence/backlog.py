"""Backlog: how much work is due and waits, by its kind, and since when. Read for `/metrics`, in one statement.

It counts no further than it is told to, along an index, so that a backlog of millions is read as fast as a small one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from persistence.column_types import timestamp_text
from persistence.database import Database
from persistence.json_text import json_text

COUNTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """Tasks of one kind that are due and that nobody does just now, as far as they were counted."""

    count: int
    since: datetime | None


async def read_backlog(
    database: Database, kinds: Sequence[str], now: datetime, *, count_to: int = COUNTED
) -> Mapping[str, Waiting]:
    """Of each of these kinds. Raises ServiceUnavailable."""
    if database.dialect_name == "postgresql":
        rows = await database.fetch_everywhere(_POSTGRESQL, [list(kinds), now, count_to])
    else:
        rows = await database.fetch_everywhere(_SQLITE, [json_text(list(kinds)), timestamp_text(now), count_to])
    return {kind: Waiting(count, _moment(since)) for kind, count, since in rows}


def _moment(stored: Any) -> datetime | None:
    return datetime.fromisoformat(stored) if isinstance(stored, str) else stored


_POSTGRESQL: Final = """
SELECT asked.name,
  (SELECT count(*) FROM (
    SELECT 1 FROM tasks WHERE tasks.kind = asked.name AND due_at <= $2 AND (lease IS NULL OR leased_until <= $2)
    ORDER BY due_at LIMIT $3) AS due),
  (SELECT due_at FROM tasks WHERE tasks.kind = asked.name AND due_at <= $2 AND (lease IS NULL OR leased_until <= $2)
    ORDER BY due_at LIMIT 1)
FROM unnest($1::text[]) AS asked(name)
"""
_SQLITE: Final = """
SELECT asked.value,
  (SELECT count(*) FROM (
    SELECT 1 FROM tasks WHERE tasks.kind = asked.value AND due_at <= ?2 AND (lease IS NULL OR leased_until <= ?2)
    ORDER BY due_at LIMIT ?3)),
  (SELECT due_at FROM tasks WHERE tasks.kind = asked.value AND due_at <= ?2 AND (lease IS NULL OR leased_until <= ?2)
    ORDER BY due_at LIMIT 1)
FROM json_each(?1) AS asked
"""
