"""The arguments of a page: its size, its order, and the places after and before which it lies.

Used by `pages.py` and `page_rows.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import BadUserInput
from persistence.documents.compiler import ArgumentsOf, Binder, Compiler
from persistence.documents.cursors import Cursor, KeyType, page_tag, parse_cursor
from persistence.documents.dialects.dialect import Type

DEFAULT_PAGE = 25
LARGEST_PAGE = 100
"""Unless the operator says otherwise."""

_PARAMETER = {KeyType.TEXT: Type.TEXT, KeyType.TIMESTAMP: Type.TIMESTAMP, KeyType.INTEGER: Type.INTEGER}


@dataclass(frozen=True, slots=True)
class Order:
    """By which column a list is ordered, and which way; `id` breaks ties.

    `table` stands for the list's own table where rows are read in this order.
    """

    column: str
    key_type: KeyType
    descending: bool = False
    id: str = "id"
    table: str | None = None

    @property
    def name(self) -> str:
        return f"{self.column} {'desc' if self.descending else 'asc'}"


def page_size(largest: int, arguments: Mapping[str, Any]) -> int:
    """How many rows a page holds. Raises BadUserInput for sizes out of bounds, or two of them."""
    first, last = arguments.get("first"), arguments.get("last")
    if first is not None and last is not None:
        raise BadUserInput("Give either first or last, not both.")
    size = min(DEFAULT_PAGE, largest) if first is None and last is None else last if first is None else first
    name = "first" if last is None else "last"
    if not isinstance(size, int) or not 0 <= size <= largest:
        raise BadUserInput(f"{name} is at least 0 and at most {largest}; it is {size}. Ask for further pages.")
    return size


def list_tag(kind: str, order: Order, arguments: Mapping[str, Any]) -> str:
    """What stands in a cursor for the list that a page is of."""
    return page_tag(kind, order.name, _filters(arguments))


@dataclass(frozen=True, slots=True)
class Bound:
    """A place in a list; its key and id become parameters only where a comparison needs them.

    `scope` is the parameter with the organization that its cursor names.
    """

    compiler: Compiler
    name: str
    scope: str
    key_type: Type
    key: Binder
    id: Binder

    def row(self) -> str:
        """The row value to compare with."""
        key = self.compiler.named(f"{self.name} key", self.key, self.key_type)
        return f"({key}, {self.compiler.named(f'{self.name} id', self.id, Type.UUID)})"


def given_bound(
    compiler: Compiler, arguments: ArgumentsOf, name: str, alias: str, kind: str, order: Order
) -> Bound | None:
    """The place that is given as `after` or `before`, if it is."""
    if arguments.given(name) is None:
        return None
    compiler.checks_cursors = True

    def cursor(given: Mapping[str, Any]) -> Cursor:
        return parse_cursor(given[name], list_tag(kind, order, given), order.key_type)

    return Bound(
        compiler,
        f"{name} {alias}",
        compiler.bind(arguments.binder(lambda given: cursor(given).scope), Type.UUID),
        _PARAMETER[order.key_type],
        arguments.binder(lambda given: cursor(given).key),
        arguments.binder(lambda given: cursor(given).id),
    )


_PAGING = frozenset({"first", "after", "last", "before", "orderBy"})


def _filters(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in _PAGING and value is not None}
