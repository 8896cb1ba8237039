"""Query: a generated query with its variables, which can go on from the cursors that it was answered with.

Made by generator.py.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode


@dataclass(frozen=True, slots=True)
class List:
    """A list in a query: its place in the answer, and the variables for cursors, which the first run leaves out."""

    path: tuple[str, ...]
    after: str | None
    before: str | None


@dataclass(frozen=True, slots=True)
class Query:
    text: str
    document: DocumentNode
    variables: dict[str, Any]
    lists: Sequence[List]

    def going_on(self, answer: Mapping[str, Any] | None, chance: random.Random) -> dict[str, Any] | None:
        """The variables of a further run, from cursors in an answer; None if it has none that fit."""
        cursors: dict[str, Any] = {}
        for one in self.lists:
            found = sorted({edge["cursor"] for page in _at(answer, one.path) for edge in page["edges"]})
            for name in (one.after, one.before):
                if name is not None and found and chance.random() < 0.8:
                    cursors[name] = chance.choice(found)
        return {**self.variables, **cursors} if cursors else None


def _at(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif isinstance(value, dict) and path:
        yield from _at(value.get(path[0]), path[1:])
    elif isinstance(value, dict) and "edges" in value:
        yield value
