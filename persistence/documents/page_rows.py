"""The rows of a page: read along an index from where the page starts, as far as it goes.

Used by `pages.py`, which says what is written of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from persistence.documents.compiler import ArgumentsOf, Compiler
from persistence.documents.dialects.dialect import Type
from persistence.documents.page_arguments import Bound, Order


@dataclass(frozen=True, slots=True)
class PageRows:
    """How to read them. `matching` writes conditions on an alias of a table, behind it; `size` is the page's parameter.

    Where something is asked about the page's ends, rows are `numbered` from where it starts, and one too many shows
    whether there are more. `value_indexes` and `in_every_index`: see `Page`.
    """

    compiler: Compiler
    alias: str
    arguments: ArgumentsOf
    order: Order
    backward: bool
    numbered: bool
    size: Callable[[], str]
    matching: Callable[[str, str], str]
    table: str
    value_indexes: Mapping[str, tuple[str, str]]
    in_every_index: Sequence[str]
    after: Bound | None
    before: Bound | None

    def written(self, columns: Sequence[str]) -> str:
        """The rows for a FROM, with their own columns and these expressions as `_0`, `_1` and so on."""
        alias = self.alias  # the same within, so that columns can be written for either place
        rows, shown = self._numbered() if self.numbered else (self._limited(self.size()), "")
        if columns:
            read = ", ".join(f"{column} as _{number}" for number, column in enumerate(columns))
            rows = f"select {alias}.*, {read} from ({rows}) {alias}{shown}"
        elif not self.numbered:
            if not self.backward:
                return f"({rows})"
            rows = f"select {alias}.* from ({rows}) {alias}"
        return self.compiler.dialect.in_order(rows, self.shown_order())

    def shown_order(self, of: str = "") -> str:
        """The order of the answer, which for a page that is read backward is the reverse of how it is read."""
        if self.numbered:
            return f"{of}_row desc" if self.backward else f"{of}_row"
        return self._order(of, "desc" if self.order.descending else "asc")

    def _numbered(self) -> tuple[str, str]:
        """Rows with their number in `_row`, and how many there are in `_all`: one more than asked for, if there is one.

        The condition drops that one where columns are read, but leaves one row to tell `_all`.
        """
        numbered = self.compiler.alias("n")
        rows = (
            f"select {numbered}.*, row_number() over (order by {self._order(f'{numbered}.', self._way())}) as _row, "
            f"count(*) over () as _all from ({self._limited(f'{self.size()} + 1')}) {numbered}"
        )
        return rows, f" where {self.alias}._row <= {self.size()} or {self.alias}._row = 1"

    def _limited(self, most: str) -> str:
        """The first rows from where the page starts, in the order in which it is read."""
        inner, ordered = self.compiler.alias("r"), self.order.table or self.table
        conditions = self.matching(inner, ordered) + self._bounds(inner)
        end = f"order by {self._order(f'{inner}.', self._way())} limit {most}"
        if (indexed := self._indexed_values()) is not None:
            column, values = indexed
            value = self.compiler.alias("e")
            of_one = f"select {inner}.* from {conditions} and {inner}.{column} = {value}.value {end}"
            each = self.compiler.dialect.each(values, value)
            return f"select {inner}.* from {each} cross join lateral ({of_one}) {inner} {end}"
        filter_ = self.arguments.given("filter") or {}
        if any(filter_.get(name) is not None for name in self.in_every_index):
            found = self.compiler.alias("k")
            if self.order.table is not None:  # which has no index with what is looked for
                matching = f"select {found}.id from {self.matching(found, self.table)}"
                conditions += f" and {self.compiler.dialect.one_of_few(f'{inner}.{self.order.id}', matching)}"
                return f"select {inner}.* from {conditions} {end}"
            keys = f"select {inner}.organization_id, {inner}.id from {conditions} {end}"
            same = f"{inner}.organization_id = {found}.organization_id and {inner}.id = {found}.id"
            return f"select {inner}.* from ({keys}) {found} join {self.table} {inner} on {same} {end}"
        return f"select {inner}.* from {conditions} {end}"

    def _bounds(self, alias: str) -> str:
        """That a row lies between the places which are given."""
        row = f"({alias}.{self.order.column}, {alias}.{self.order.id})"
        after, before = ("<", ">") if self.order.descending else (">", "<")
        written = ""
        if self.after is not None:
            written += f" and {row} {after} {self.after.row()}"
        if self.before is not None:
            written += f" and {row} {before} {self.before.row()}"
        return written

    def _indexed_values(self) -> tuple[str, str] | None:
        """A column and a parameter with the values of it that the filter lists; None without an index in this order."""
        given = self.arguments.given("filter") or {}
        for name, (column, order) in self.value_indexes.items():
            if self.compiler.dialect.has_lateral and order == self.order.column and given.get(name) is not None:
                distinct = self.arguments.binder(partial(_distinct_of_filter, name))
                return column, self.compiler.bind(distinct, Type.TEXTS)
        return None

    def _order(self, of: str, way: str) -> str:
        """The list's order one way or the other; `of` is an alias with its dot, or nothing."""
        return f"{of}{self.order.column} {way}, {of}{self.order.id} {way}"

    def _way(self) -> str:
        """Which way rows are read."""
        return "desc" if self.order.descending is not self.backward else "asc"


def _distinct_of_filter(name: str, arguments: Mapping[str, Any]) -> list[Any]:
    return list(dict.fromkeys(arguments["filter"][name]))
