"""Pages as Relay knows them: Connection, Edge and PageInfo, the four arguments that every list takes, and Node.

Used by every type that has a list. SQL writes pages; nothing here computes one.
"""

from typing import Annotated, Generic, NoReturn, TypeVar

import strawberry

from persistence.documents.page_arguments import DEFAULT_PAGE, LARGEST_PAGE

Item = TypeVar("Item")


def answered_by_document() -> NoReturn:
    """The body of a field that documents answer: Strawberry reads its arguments and type, and never calls it."""
    raise AssertionError("documents answer this field")


First = Annotated[
    int | None,
    strawberry.argument(
        description=f"How many from the start, or after `after`: at most {LARGEST_PAGE} by default, {DEFAULT_PAGE} "
        "where neither `first` nor `last` is given."
    ),
]
After = Annotated[str | None, strawberry.argument(description="A cursor of this list: only what follows it.")]
Last = Annotated[
    int | None,
    strawberry.argument(description=f"How many from the end, or before `before`: at most {LARGEST_PAGE} by default."),
]
Before = Annotated[str | None, strawberry.argument(description="A cursor of this list: only what precedes it.")]


@strawberry.interface(description="An object with an id of its own, by which `node` finds it.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque, and good for ever, such as `conn_0192f0c1-…`.")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follows the page.")
    has_previous_page: bool = strawberry.field(description="Whether anything precedes the page.")
    start_cursor: str | None = strawberry.field(description="The cursor of its first item, for `before`.")
    end_cursor: str | None = strawberry.field(description="The cursor of its last item, for `after`.")


@strawberry.type(description="An item of a page, with its place in the list.")
class Edge(Generic[Item]):
    cursor: str = strawberry.field(description="Its place, for `after` and `before`.")
    node: Item = strawberry.field(description="The item.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[Item]):
    edges: list[Edge[Item]] = strawberry.field(description="The items with their cursors.")
    nodes: list[Item] = strawberry.field(description="The items.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in its list.")
    total_count: int = strawberry.field(description="How many items the whole list has. Counted only when asked for.")
