"""Pages: Relay connections by keyset. A page is one subselect that answers what is asked of it.

Used by `shapes.py`, where each list says what it holds, how it is ordered and how it is filtered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from persistence.documents.compiler import ArgumentsOf, Compiler, Scope, Shaped
from persistence.documents.cursors import KeyType
from persistence.documents.dialects.dialect import Literal, Type, json_object
from persistence.documents.page_arguments import Order, given_bound, list_tag, page_size
from persistence.documents.page_rows import PageRows
from persistence.documents.selection import Selected

Filter = Callable[[Compiler, ArgumentsOf, str, Scope], list[str]]
"""Writes the conditions that a field's arguments ask for, on the rows of an alias, in the scope of the list."""


@dataclass(frozen=True, slots=True)
class Page:
    """A list field. `belongs` writes the condition that ties a row (by its alias) to the object with the list.

    `value_indexes`: members of the filter that list values of a column, each with (that column, the order's column) if
    there is an index of just these two. Few rows among many are then found as fast as many. `in_every_index`: members
    of the filter whose column is in the index of each order, so that rows without a match needn't be read.
    """

    name: str
    table: str
    shape: Callable[[], Shaped]
    belongs: Callable[[Compiler, str, Scope], str]
    order: Callable[[Mapping[str, Any]], Order]
    filter: Filter = lambda compiler, arguments, alias, scope: []
    below: Callable[[str, Scope], Scope] = lambda alias, scope: Scope(alias, scope.organization, scope.role)
    value_indexes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    in_every_index: Sequence[str] = ()

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        """JSON text of the page."""
        return _PageWriter(self, compiler, field, scope).written()


class _PageWriter:
    """The writing of one page, over its rows."""

    def __init__(self, page: Page, compiler: Compiler, field: Selected, scope: Scope) -> None:
        self.page, self.compiler, self.field, self.scope = page, compiler, field, scope
        self.dialect = compiler.dialect
        self.arguments = compiler.arguments(field)
        self.order = page.order(self.arguments.shape)
        self.backward = self.arguments.given("last") is not None
        self.alias = compiler.alias("p")
        self.page_size = self.arguments.binder(partial(page_size, compiler.largest_page))
        compiler.check(self.page_size)
        self.columns: list[str] = []
        self.after, self.before = (
            given_bound(compiler, self.arguments, name, self.alias, page.name, self.order)
            for name in ("after", "before")
        )
        self.rows = PageRows(
            compiler,
            self.alias,
            self.arguments,
            self.order,
            backward=self.backward,
            numbered=any(map(self._tells_ends, field.below[f"{page.name}Connection"])),
            size=self._size,
            matching=self._matching,
            table=page.table,
            value_indexes=page.value_indexes,
            in_every_index=page.in_every_index,
            after=self.after,
            before=self.before,
        )

    def written(self) -> str:
        selected = self.field.below[f"{self.page.name}Connection"]
        page = self.dialect.concat(json_object((field.key, self._part(field)) for field in selected))
        if any(map(self._needs_rows, selected)):
            page = f"(select {page} from {self.rows.written(self.columns)} {self.alias})"
        return self._guarded(page)

    def _needs_rows(self, field: Selected) -> bool:
        """Whether a part of the page is an aggregate over its rows. Without one, each row would be an answer."""
        return field.name in {"nodes", "edges"} or self._tells_ends(field)

    def _tells_ends(self, field: Selected) -> bool:
        """Whether a part of the page tells with which rows it begins and ends, or whether there are more."""
        extra = "hasPreviousPage" if self.backward else "hasNextPage"
        asked = field.below["PageInfo"] if field.name == "pageInfo" else ()
        return any(part.name in {"startCursor", "endCursor", extra} for part in asked)

    def _part(self, field: Selected) -> list[str]:
        if field.name == "nodes":
            return [Literal("["), self._joined(self._node(field)), Literal("]")]
        if field.name == "edges":
            return [Literal("["), self._joined(self._edge(field)), Literal("]")]
        if field.name == "pageInfo":
            return json_object((part.key, [self._of_page_info(part)]) for part in field.below["PageInfo"])
        if field.name == "totalCount":
            return [f"(select count(*) from {self._matching(self.compiler.alias('t'), self.page.table)})"]
        return [Literal(f'"{self.page.name}Connection"')]

    def _node(self, field: Selected) -> str:
        below = replace(self.page.below(self.alias, self.scope), columns=self.columns)
        return self.compiler.object(self.page.shape(), field.below, below)

    def _edge(self, field: Selected) -> str:
        type_name = f"{self.page.name}Edge"

        def value(part: Selected) -> str:
            if part.name == "node":
                return self._node(part)
            return self.dialect.text(self._cursor()) if part.name == "cursor" else Literal(f'"{type_name}"')

        return self.dialect.concat(json_object((part.key, [value(part)]) for part in field.below[type_name]))

    def _of_page_info(self, part: Selected) -> str:
        match part.name:
            case "startCursor":
                return self._far_cursor() if self.backward else self._near_cursor()
            case "endCursor":
                return self._near_cursor() if self.backward else self._far_cursor()
            case "hasNextPage":
                return self._more("before") if self.backward else self._extra()
            case "hasPreviousPage":
                return self._extra() if self.backward else self._more("after")
        return Literal('"PageInfo"')

    def _extra(self) -> str:
        """Whether the page's far end has more, by the one row too many; a bound there means that there is more, too."""
        bound = "after" if self.backward else "before"
        return self.dialect.boolean(f"coalesce(max({self.alias}._all), 0) > {self._size()} or {self._beyond(bound)}")

    def _more(self, bound: str) -> str:
        """Whether there is anything on the near side of where the page starts."""
        return self.dialect.boolean(self._beyond(bound))

    def _beyond(self, bound: str) -> str:
        place = self.after if bound == "after" else self.before
        if place is None:
            return "1 = 0"
        alias = self.compiler.alias("b")
        row = f"({alias}.{self.order.column}, {alias}.{self.order.id})"
        comparison = "<=" if (bound == "after") is not self.order.descending else ">="
        way = "desc" if comparison == "<=" else "asc"
        # Not `exists`, from which PostgreSQL drops the order, and so the index that finds the nearest row at once.
        nearest = f"order by {alias}.{self.order.column} {way}, {alias}.{self.order.id} {way} limit 1"
        table = self.order.table or self.page.table
        matching = f"{self._matching(alias, table)} and {row} {comparison} {place.row()}"
        return f"(select 1 from {matching} {nearest}) is not null"

    def _near_cursor(self) -> str:
        """The cursor of the row with which reading began; a page of size 0 has none, though its extra row is read."""
        return self._cursor_where(f"{self.alias}._row = 1 and {self._size()} > 0")

    def _far_cursor(self) -> str:
        """The cursor of the row with which reading ended, before the extra one."""
        whole = f"case when {self.alias}._all > {self._size()} then {self._size()} else {self.alias}._all end"
        return self._cursor_where(f"{self.alias}._row = {whole}")

    def _cursor_where(self, this: str) -> str:
        return self.dialect.text(f"max(case when {this} then {self._cursor()} end)")

    def _cursor(self) -> str:
        """A row's cursor, not yet as JSON."""
        key = f"{self.alias}.{self.order.column}"
        if self.order.key_type is KeyType.TIMESTAMP:
            key = self.dialect.moment_key(key)
        binder = self.arguments.binder(partial(list_tag, self.page.name, self.order))
        tag = self.compiler.named(f"tag {self.alias}", binder, Type.TEXT)
        between = Literal("~")
        parts = [tag, between, self.scope.organization, between, f"{self.alias}.{self.order.id}", between, key]
        return self.dialect.concat(parts)

    def _joined(self, json_text: str) -> str:
        wanted = f"{self.alias}._row <= {self._size()}" if self.rows.numbered else ""
        return self.dialect.joined_rows(json_text, self.rows.shown_order(f"{self.alias}."), wanted)

    def _matching(self, alias: str, table: str) -> str:
        conditions = [self.page.belongs(self.compiler, alias, self.scope)]
        conditions += self.page.filter(self.compiler, self.arguments, alias, self.scope)
        return f"{table} {alias} where {' and '.join(conditions)}"

    def _size(self) -> str:
        return self.compiler.named(f"size {self.alias}", self.page_size, Type.INTEGER)

    def _guarded(self, page: str) -> str:
        """The page, behind a sign that nothing else in an answer has where a cursor is another organization's."""
        bounds = [bound for bound in (self.after, self.before) if bound is not None]
        if not bounds:
            return page
        same = " and ".join(f"{self.scope.organization} = {bound.scope}" for bound in bounds)
        # before the page rather than around it: what stands around a page takes places on SQLite's parser stack
        return self.dialect.concat([f"case when {same} then '' else {self.dialect.mismatch} end", page])


def columns_match(pairs: Sequence[tuple[str, str]], extra: str = "") -> Callable[[Compiler, str, Scope], str]:
    """A `belongs` that compares columns of the row with columns of the object that has the list."""

    def belongs(compiler: Compiler, alias: str, scope: Scope) -> str:
        conditions = [f"{alias}.{column} = {scope.alias}.{of_parent}" for column, of_parent in pairs]
        return " and ".join([*conditions, extra.format(row=alias)] if extra else conditions)

    return belongs
