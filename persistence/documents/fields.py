"""The ways in which a stored field is written as JSON text: columns, embedded objects, links to other rows.

Used by `shapes.py`. Column expressions name the row's alias as `{row}`; a bare name is a column of the row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from domain.entities.identifiers import Kind
from persistence.documents.compiler import Answer, Binder, CatalogueAnswers, Compiler, Scope, Shaped, Written
from persistence.documents.dialects.dialect import Literal, Type, quoted
from persistence.documents.selection import Selected, Selection


@dataclass(frozen=True, slots=True)
class Shape:
    """An object type that is stored: its name and its fields."""

    type_name: str
    fields: Mapping[str, Written]


@dataclass(frozen=True, slots=True)
class TypedId:
    """An id as clients see it."""

    kind: Kind
    column: str = "id"

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        return compiler.dialect.concat([Literal(f'"{self.kind}_'), f"{scope.alias}.{self.column}", Literal('"')])


@dataclass(frozen=True, slots=True)
class Text:
    """Any text, or null."""

    column: str

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        return compiler.dialect.text(f"{scope.alias}.{self.column}")


@dataclass(frozen=True, slots=True)
class Word:
    """An enum value."""

    column: str
    absent: bool = False

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        column = f"{scope.alias}.{self.column}"
        word = compiler.dialect.word(column)
        return compiler.dialect.or_null(word, f"{column} is null") if self.absent else word


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, or null."""

    column: str

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        return compiler.dialect.timestamp(f"{scope.alias}.{self.column}")


@dataclass(frozen=True, slots=True)
class Number:
    """An integer, or null."""

    column: str

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        return compiler.dialect.number(f"{scope.alias}.{self.column}")


@dataclass(frozen=True, slots=True)
class Truth:
    """A boolean that is never null."""

    column: str

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        return compiler.dialect.boolean(f"{scope.alias}.{self.column}")


@dataclass(frozen=True, slots=True)
class Raw:
    """JSON that is stored as it is answered."""

    column: str
    otherwise: str = "null"

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        return compiler.dialect.raw(f"{scope.alias}.{self.column}", self.otherwise)


@dataclass(frozen=True, slots=True)
class Member:
    """A text in the object that is stored in a JSON column, or null. `present`: every such object has it."""

    column: str
    name: str
    present: bool = False

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        return compiler.dialect.text(member(f"{scope.alias}.{self.column}", self.name))


@dataclass(frozen=True, slots=True)
class Embedded:
    """An object in columns of the same row; null where `absent`, a condition on `{row}`, holds.

    `beside` names a table that has just one row for each of these, with their ids in `organization_id` and
    `connection_id`: there are the fields that are `InRowBeside`, and what `absent` calls `{beside}`.
    """

    type_name: str
    fields: Mapping[str, Written]
    absent: str | None = None
    beside: str | None = None

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        if self.beside is None or not self._reads_beside(field):
            return self._object(compiler, field, scope)
        beside = compiler.alias("h")
        written = self._object(compiler, field, replace(scope, beside=beside, columns=None))
        same = f"{beside}.organization_id = {scope.alias}.organization_id and {beside}.connection_id = {scope.alias}.id"
        return f"(select {written} from {self.beside} {beside} where {same})"

    def _object(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        written = compiler.object(self, field.below, scope)
        if self.absent is None:
            return written
        return compiler.dialect.or_null(written, self.absent.format(row=scope.alias, beside=scope.beside))

    def _reads_beside(self, field: Selected) -> bool:
        asked = (self.fields.get(part.name) for part in field.below[self.type_name])
        return "{beside}" in (self.absent or "") or any(isinstance(written, InRowBeside) for written in asked)


@dataclass(frozen=True, slots=True)
class InRowBeside:
    """A field of an `Embedded` that is a column of the row beside."""

    written: Written

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        return self.written.write(compiler, field, replace(scope, alias=scope.beside))


def _same_organization(alias: str, scope: Scope) -> Scope:
    return Scope(alias, scope.organization, scope.role)


@dataclass(frozen=True, slots=True)
class Link:
    """An object in another row. `on` is a condition on `{row}`, the other, and `{parent}`.

    Where there is none, it is null if it may be `absent`; otherwise a foreign key sees to it that there is one.
    """

    shape: Callable[[], Shaped]
    table: str
    on: str
    below: Callable[[str, Scope], Scope] = _same_organization
    absent: bool = False

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        row = compiler.alias("l")
        written = compiler.object(self.shape(), field.below, self.below(row, scope))
        condition = self.on.format(row=row, parent=scope.alias)
        linked = f"(select {written} from {self.table} {row} where {condition})"
        return f"coalesce({linked}, 'null')" if self.absent else linked


@dataclass(frozen=True, slots=True)
class Probes:
    """The probes of a health check, which are kept in one column. `fields` are written from a probe's members.

    `shared` names a column with the id of another check of the table, whose probes they are where it isn't null.
    """

    type_name: str
    column: str
    fields: Mapping[str, Written]
    shared: str | None = None

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        row, dialect = compiler.alias("j"), compiler.dialect
        probe = compiler.object(self, field.below, Scope(row, scope.organization, scope.role))
        rows = dialect.probes(self._kept(compiler, scope), row)
        listed = f"(select {dialect.joined_rows(probe, f'{row}.position')} from {rows})"
        return dialect.concat([Literal("["), listed, Literal("]")])

    def _kept(self, compiler: Compiler, scope: Scope) -> str:
        own = f"{scope.alias}.{self.column}"
        if self.shared is None:
            return own
        other, shared = compiler.alias("d"), f"{scope.alias}.{self.shared}"
        theirs = (
            f"select {other}.{self.column} from health_checks {other} "
            f"where {other}.organization_id = {scope.alias}.organization_id and {other}.id = {shared}"
        )
        return f"case when {shared} is null then {own} else ({theirs}) end"


@dataclass(frozen=True, slots=True)
class Catalogued:
    """A service, which is code and not a row, or its incident: what there is to answer is chosen by the column.

    `member`: or by that member of the object in the column.
    """

    type_name: str
    column: str
    answers: Callable[[CatalogueAnswers, Selection], Mapping[str, Answer]]
    member: str | None = None

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        whens = " ".join(
            f"when {quoted(service)} then {compiler.bind(given(answer), Type.TEXT)}"  # large, so not in the SQL
            for service, answer in self.answers(compiler.catalogue, field.below).items()
        )
        column = f"{scope.alias}.{self.column}"
        service = column if self.member is None else member(column, self.member)
        return f"case {service} {whens} else 'null' end"


@dataclass(frozen=True, slots=True)
class Computed:
    """Whatever SQL can say beyond that."""

    writer: Callable[[Compiler, Selected, Scope], str]

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        return self.writer(compiler, field, scope)


def member(column: str, name: str) -> str:
    """The text of a member of the object in a JSON column, or NULL. Both databases write it so."""
    return f"({column} ->> {quoted(name)})"


def given(answer: Answer) -> Binder:
    """A binder of what the catalogue answers."""
    return lambda call: answer()
