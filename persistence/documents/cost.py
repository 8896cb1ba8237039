"""Cost: how many objects a document could hold, worked out from page sizes before anything is read.

Kept with each plan: the compiler counts what it writes, and each call tells the sizes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from domain.errors import CostLimitExceeded

MOST_OBJECTS = 25_000
"""A page of 100 with 100 more in each, and a few objects beside every item."""

Call = TypeVar("Call")


@dataclass(slots=True)
class _Rows(Generic[Call]):
    """Rows of a list: `objects` are written for each of them, and each stands once for each row of `within`."""

    within: int
    size: Callable[[Call], int]
    objects: int = 0


@dataclass(slots=True)
class Cost(Generic[Call]):
    """What one statement costs, by the lists in it. The first is no list: it is the root, and there once."""

    _lists: list[_Rows[Call]] = field(default_factory=lambda: [_Rows(0, lambda _: 1)])
    _current: int = 0

    def count(self) -> None:
        """An object is written, for each row of the current list."""
        self._lists[self._current].objects += 1

    @contextmanager
    def rows(self, size: Callable[[Call], int]) -> Iterator[None]:
        """What is counted in the block is written for each row of a list of at most `size`."""
        outer = self._current
        self._lists.append(_Rows(outer, size))
        self._current = len(self._lists) - 1
        try:
            yield
        finally:
            self._current = outer

    def check(self, call: Call, tell: Callable[[int], None]) -> None:
        """Tells the cost of a call, then raises CostLimitExceeded if it could be answered with too much."""
        rows: list[int] = []
        cost = 0
        for each in self._lists:
            rows.append(each.size(call) * (rows[each.within] if rows else 1))
            cost += rows[-1] * each.objects
        tell(cost)
        if cost > MOST_OBJECTS:
            raise CostLimitExceeded(cost, MOST_OBJECTS)
