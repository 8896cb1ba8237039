"""Pages: Relay connections by keyset. A page is one subselect that answers what is asked of it.

Used by `shapes.py`, where each list says what it holds, how it is ordered and how it is filtered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.errors import BadUserInput
from persistence.documents.compiler import ArgumentsOf, Binder, Compiler, Scope, Shaped
from persistence.documents.cursors import Cursor, KeyType, page_tag, parse_cursor
from persistence.documents.dialects import Literal, Type, json_object
from persistence.documents.selection import Selected

DEFAULT_PAGE = 25
LARGEST_PAGE = 100

_PARAMETER = {KeyType.TEXT: Type.TEXT, KeyType.TIMESTAMP: Type.TIMESTAMP, KeyType.INTEGER: Type.INTEGER}


@dataclass(frozen=True, slots=True)
class Order:
    """By which column a list is ordered, and which way; `id` breaks ties."""

    column: str
    key_type: KeyType
    descending: bool = False
    id: str = "id"

    @property
    def name(self) -> str:
        return f"{self.column} {'desc' if self.descending else 'asc'}"


Filter = Callable[[Compiler, ArgumentsOf, str], list[str]]
"""Writes the conditions that a field's arguments ask for, on the rows of an alias."""


@dataclass(frozen=True, slots=True)
class Page:
    """A list field. `belongs` writes the condition that ties a row (by its alias) to the object with the list."""

    name: str
    table: str
    shape: Callable[[], Shaped]
    belongs: Callable[[Compiler, str, Scope], str]
    order: Callable[[Mapping[str, Any]], Order]
    filter: Filter = lambda compiler, arguments, alias: []
    below: Callable[[str, Scope], Scope] = lambda alias, scope: Scope(alias, scope.organization, scope.role)

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        """JSON text of the page."""
        return _PageWriter(self, compiler, field, scope).written()


class _PageWriter:
    """The writing of one page. Rows are numbered from where it starts; one too many shows whether there are more."""

    def __init__(self, page: Page, compiler: Compiler, field: Selected, scope: Scope) -> None:
        self.page, self.compiler, self.field, self.scope = page, compiler, field, scope
        self.dialect = compiler.dialect
        self.arguments = compiler.arguments(field)
        self.order = page.order(self.arguments.shape)
        self.backward = self.arguments.given("last") is not None
        self.alias = compiler.alias("p")
        compiler.check(self.arguments.binder(page_size))
        self.columns: list[str] = []
        self.cursor_scopes: list[str] = []
        self.after = self._bound("after")
        self.before = self._bound("before")

    def written(self) -> str:
        selected = self.field.below[f"{self.page.name}Connection"]
        page = self.dialect.concat(json_object((field.key, self._part(field)) for field in selected))
        if any(map(self._needs_rows, selected)):
            page = f"(select {page} from {self._rows()} {self.alias})"
        return self._guarded(page)

    def _needs_rows(self, field: Selected) -> bool:
        """Whether a part of the page is an aggregate over its rows. Without one, each row would be an answer."""
        if field.name == "pageInfo":
            extra = "hasPreviousPage" if self.backward else "hasNextPage"
            return any(part.name in {"startCursor", "endCursor", extra} for part in field.below["PageInfo"])
        return field.name in {"nodes", "edges"}

    def _part(self, field: Selected) -> list[str]:
        if field.name == "nodes":
            return [Literal("["), self._joined(self._node(field)), Literal("]")]
        if field.name == "edges":
            return [Literal("["), self._joined(self._edge(field)), Literal("]")]
        if field.name == "pageInfo":
            return json_object((part.key, [self._of_page_info(part)]) for part in field.below["PageInfo"])
        if field.name == "totalCount":
            return [f"(select count(*) from {self._matching(counted := self.compiler.alias('t'), counted)})"]
        return [Literal(f'"{self.page.name}Connection"')]

    def _node(self, field: Selected) -> str:
        below = replace(self.page.below(self.alias, self.scope), columns=self.columns)
        with self.compiler.cost.rows(self.arguments.binder(page_size)):
            return self.compiler.object(self.page.shape(), field.below, below)

    def _edge(self, field: Selected) -> str:
        type_name = f"{self.page.name}Edge"

        def value(part: Selected) -> str:
            if part.name == "node":
                return self._node(part)
            return self._cursor() if part.name == "cursor" else Literal(f'"{type_name}"')

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
        matching = f"{self._matching(alias, alias)} and {row} {comparison} {place.row()}"
        return f"(select 1 from {matching} {nearest}) is not null"

    def _near_cursor(self) -> str:
        """The cursor of the row with which reading began; a page of size 0 has none, though its extra row is read."""
        return self._cursor_where(f"{self.alias}._row = 1 and {self._size()} > 0")

    def _far_cursor(self) -> str:
        """The cursor of the row with which reading ended, before the extra one."""
        whole = f"case when {self.alias}._all > {self._size()} then {self._size()} else {self.alias}._all end"
        return self._cursor_where(f"{self.alias}._row = {whole}")

    def _cursor_where(self, this: str) -> str:
        return f"coalesce(max(case when {this} then {self._cursor()} end), 'null')"

    def _cursor(self) -> str:
        key = f"{self.alias}.{self.order.column}"
        if self.order.key_type is KeyType.TIMESTAMP:
            key = self.dialect.moment_key(key)
        tag = self.compiler.named(f"tag {self.alias}", self._tag(), Type.TEXT)
        between = Literal("~")
        parts = [tag, between, self.scope.organization, between, f"{self.alias}.{self.order.id}", between, key]
        return self.dialect.text(self.dialect.concat(parts))

    def _joined(self, json_text: str) -> str:
        return self.dialect.joined_rows(json_text, self._reading_order(), f"{self.alias}._row <= {self._size()}")

    def _reading_order(self) -> str:
        return f"{self.alias}._row desc" if self.backward else f"{self.alias}._row"

    def _rows(self) -> str:
        """The page's rows, numbered, with what is read for each. One more is counted in `_all`."""
        inner, numbered = self.compiler.alias("r"), self.compiler.alias("n")
        conditions = self._matching(inner, inner)
        row = f"({inner}.{self.order.column}, {inner}.{self.order.id})"
        after, before = ("<", ">") if self.order.descending else (">", "<")
        if self.after is not None:
            conditions += f" and {row} {after} {self.after.row()}"
        if self.before is not None:
            conditions += f" and {row} {before} {self.before.row()}"
        way = "desc" if self.order.descending is not self.backward else "asc"
        limited = (
            f"select {inner}.* from {conditions} "
            f"order by {inner}.{self.order.column} {way}, {inner}.{self.order.id} {way} limit {self._size()} + 1"
        )
        rows = (
            f"select {numbered}.*, row_number() over (order by {numbered}.{self.order.column} {way}, "
            f"{numbered}.{self.order.id} {way}) as _row, count(*) over () as _all from ({limited}) {numbered}"
        )
        if self.columns:
            alias = self.alias  # the same within, so that columns can be written for either place
            columns = ", ".join(f"{column} as _{number}" for number, column in enumerate(self.columns))
            shown = f"{alias}._row <= {self._size()} or {alias}._row = 1"  # not the extra one, but one to tell `_all`
            rows = f"select {alias}.*, {columns} from ({rows}) {alias} where {shown}"
        return self.dialect.in_order(rows, "_row desc" if self.backward else "_row")

    def _matching(self, alias: str, filtered: str) -> str:
        conditions = [self.page.belongs(self.compiler, alias, self.scope)]
        conditions += self.page.filter(self.compiler, self.arguments, filtered)
        return f"{self.page.table} {alias} where {' and '.join(conditions)}"

    def _size(self) -> str:
        return self.compiler.named(f"size {self.alias}", self.arguments.binder(page_size), Type.INTEGER)

    def _tag(self) -> Binder:
        name, order = self.page.name, self.order.name

        def tag(arguments: Mapping[str, Any]) -> str:
            return page_tag(name, order, _filters(arguments))

        return self.arguments.binder(tag)

    def _bound(self, name: str) -> "_Bound | None":
        """The place given as `after` or `before`."""
        if self.arguments.given(name) is None:
            return None
        self.compiler.checks_cursors = True
        kind, order = self.page.name, self.order

        def cursor(arguments: Mapping[str, Any]) -> Cursor:
            return parse_cursor(arguments[name], page_tag(kind, order.name, _filters(arguments)), order.key_type)

        binder = self.arguments.binder
        self.cursor_scopes.append(self.compiler.bind(binder(lambda given: cursor(given).scope), Type.UUID))
        return _Bound(
            self.compiler,
            f"{name} {self.alias}",
            _PARAMETER[order.key_type],
            binder(lambda given: cursor(given).key),
            binder(lambda given: cursor(given).id),
        )

    def _guarded(self, page: str) -> str:
        """The page, behind a sign that nothing else in an answer has where a cursor is another organization's."""
        if not self.cursor_scopes:
            return page
        same = " and ".join(f"{self.scope.organization} = {scope}" for scope in self.cursor_scopes)
        # before the page rather than around it: what stands around a page takes places on SQLite's parser stack
        return self.dialect.concat([f"case when {same} then '' else {self.dialect.mismatch} end", page])


@dataclass(frozen=True, slots=True)
class _Bound:
    """A place in a list; its key and id become parameters only where a comparison needs them."""

    compiler: Compiler
    name: str
    key_type: Type
    key: Binder
    id: Binder

    def row(self) -> str:
        """The row value to compare with."""
        key = self.compiler.named(f"{self.name} key", self.key, self.key_type)
        return f"({key}, {self.compiler.named(f'{self.name} id', self.id, Type.UUID)})"


def page_size(arguments: Mapping[str, Any]) -> int:
    """How many rows a page holds. Raises BadUserInput for sizes out of bounds, or two of them."""
    first, last = arguments.get("first"), arguments.get("last")
    if first is not None and last is not None:
        raise BadUserInput("Give either first or last, not both.")
    size = DEFAULT_PAGE if first is None and last is None else last if first is None else first
    name = "first" if last is None else "last"
    if not isinstance(size, int) or not 0 <= size <= LARGEST_PAGE:
        raise BadUserInput(f"{name} is at least 0 and at most {LARGEST_PAGE}; it is {size}. Ask for further pages.")
    return size


_PAGING = frozenset({"first", "after", "last", "before", "orderBy"})


def _filters(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in _PAGING and value is not None}


def columns_match(pairs: Sequence[tuple[str, str]], extra: str = "") -> Callable[[Compiler, str, Scope], str]:
    """A `belongs` that compares columns of the row with columns of the object that has the list."""

    def belongs(compiler: Compiler, alias: str, scope: Scope) -> str:
        conditions = [f"{alias}.{column} = {scope.alias}.{of_parent}" for column, of_parent in pairs]
        return " and ".join([*conditions, extra.format(row=alias)] if extra else conditions)

    return belongs
