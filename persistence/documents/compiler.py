"""Compiler: a selection and a root become a Plan, which is one statement and the binders of its parameters.

Called by `reader.py` where no plan is cached. What stands in the SQL depends on the shape of an operation's arguments
only; their values are bound each time, so that one plan serves every page, id and filter value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import orjson

from domain.entities.user import Viewer
from persistence.documents.dialects.dialect import Dialect, Literal, Type, json_object
from persistence.documents.selection import Arguments, Selected, Selection
from persistence.row_security import own_organization_of, own_organizations, within


@dataclass(frozen=True, slots=True)
class Call:
    """What a plan's parameters are taken from: who asks, when, for which root, with which arguments."""

    viewer: Viewer
    now: datetime
    root: Mapping[str, Any]
    arguments: Sequence[Mapping[str, Any]]


Binder = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """One statement of one text column, and how to bind it.

    `checks_cursors`: its text may tell of a foreign cursor. `may_refuse`: it may tell that a field is for other roles.
    `leaves_gaps`: it may have gaps for what SQL can't say.
    """

    sql: str
    arguments: tuple[Arguments, ...]
    binders: tuple[Binder, ...]
    checks: tuple[Binder, ...]
    dialect: Dialect
    checks_cursors: bool
    may_refuse: bool
    leaves_gaps: bool

    def bind(self, viewer: Viewer, now: datetime, root: Mapping[str, Any], variables: Any) -> list[Any]:
        """The parameters' values. Raises BadUserInput for a size or cursor that can't be used."""
        call = Call(viewer, now, root, [evaluate(variables) for evaluate in self.arguments])
        for check in self.checks:
            check(call)
        return [self.dialect.value(binder(call)) for binder in self.binders]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where in the statement an object is written: its row's alias, its organization, and the viewer's role there.

    In a scope outside any organization, such as a person's, `organization` is the person's id. What a field reads from
    other rows is put into `columns`, if there are any, to be selected beside the row's own as `_0`, `_1` and so on: on
    SQLite's parser stack, which holds a hundred things, a subselect takes less there than amid the text of an answer.
    `beside` is the alias of the row beside this one, where there is one.
    """

    alias: str
    organization: str
    role: str = "''"
    columns: list[str] | None = None
    beside: str = ""


Answer = Callable[[], str]
"""Gives a JSON text for each call anew."""


class CatalogueAnswers(Protocol):
    """What is code or known to the process, and not in the database: services, each answer by the service's id."""

    def services(self, selection: Selection) -> Mapping[str, Answer]:
        """What is selected of each service."""

    def incidents(self, selection: Selection) -> Mapping[str, Answer]:
        """What is selected of each service's incident; `null` where it isn't down."""

    def commands(self, selection: Selection) -> Mapping[str, Answer]:
        """What is selected of each command, by its id."""


class Written(Protocol):
    """A field of a shape: it writes itself as JSON text."""

    def write(self, compiler: "Compiler", field: Selected, scope: Scope) -> str: ...


class Shaped(Protocol):
    """An object type: which field is written how."""

    @property
    def type_name(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Written]: ...


@dataclass(frozen=True, slots=True)
class ArgumentsOf:
    """A field's arguments while its plan is compiled: `shape` holds the first call's values, to see what is given."""

    index: int
    shape: Mapping[str, Any]

    def given(self, name: str) -> Any:
        """The value in the first call. Only whether it is None, or which enum it is, may steer the SQL."""
        return self.shape.get(name)

    def binder(self, read: Callable[[Mapping[str, Any]], Any]) -> Binder:
        """A binder that reads the value from each call's arguments of this field."""
        index = self.index
        return lambda call: read(call.arguments[index])

    def binder_at(self, read: Callable[[Mapping[str, Any], datetime], Any]) -> Binder:
        """The same for a value that depends on the moment of the call, too."""
        index = self.index
        return lambda call: read(call.arguments[index], call.now)


class Compiler:
    """Writes one statement. It lives for one compilation."""

    def __init__(self, dialect: Dialect, variables: Any, catalogue: CatalogueAnswers, largest_page: int) -> None:
        self.dialect = dialect
        self.largest_page = largest_page
        self.catalogue = catalogue
        self.checks_cursors = False
        self.may_refuse = False
        self.leaves_gaps = False
        self._variables = variables
        self._arguments: list[Arguments] = []
        self._binders: list[Binder] = []
        self._checks: list[Binder] = []
        self._named: dict[str, str] = {}
        self._aliases = 0
        self._reach = ""
        self._reaches_all = False

    def plan(self, statement: str) -> Plan:
        """The finished statement, which answers with what the viewer may see, by itself and by its reach.

        This is where each document is bound. Raises RuntimeError for one that doesn't ask who the viewer is.
        """
        if "viewer" not in self._named:
            raise RuntimeError("this document isn't bound to a viewer")
        if self.dialect.has_row_security:
            everywhere = own_organizations(self.viewer_id(), self.confined_to())
            statement = within(everywhere if self._reaches_all else self._reach or everywhere, statement)
        return Plan(
            statement,
            tuple(self._arguments),
            tuple(self._binders),
            tuple(self._checks),
            self.dialect,
            self.checks_cursors,
            self.may_refuse,
            self.leaves_gaps,
        )

    def reach(self, table: str, organization: str, condition: str) -> None:
        """Have the document see that one organization only which a row of a table is of, in the column `organization`.

        Without it, all of the viewer's. `{row}` stands for the row in its condition.
        """
        if self.dialect.has_row_security:
            self._reach = own_organization_of(table, organization, condition, self.viewer_id(), self.confined_to())

    def reach_all(self) -> None:
        """Have it see all of the viewer's organizations, whatever its root is: for what depends on the others, too."""
        self._reaches_all = True

    def alias(self, letter: str) -> str:
        """A table alias that the statement doesn't have yet."""
        self._aliases += 1
        return f"{letter}{self._aliases}"

    def bind(self, binder: Binder, type_: Type) -> str:
        """A new parameter."""
        self._binders.append((lambda call: orjson.dumps(binder(call)).decode()) if type_ is Type.JSON else binder)
        return self.dialect.parameter(len(self._binders), type_)

    def check(self, binder: Binder) -> None:
        """Have a value read in each call, also where the statement doesn't need it: it may be one to refuse."""
        self._checks.append(binder)

    def named(self, name: str, binder: Binder, type_: Type) -> str:
        """A parameter that the whole statement shares."""
        if name not in self._named:
            self._named[name] = self.bind(binder, type_)
        return self._named[name]

    def root(self, name: str, type_: Type) -> str:
        """A value of the root that is read."""
        return self.named(f"root.{name}", lambda call: call.root[name], type_)

    def viewer_id(self) -> str:
        """The id of the user who asks."""
        return self.named("viewer", _viewer_id, Type.UUID)

    def confined_to(self) -> str:
        """The one organization in which they may ask; null: in all that they belong to."""
        return self.named("confined to", _confined_to, Type.UUID)

    def now(self) -> str:
        """The moment of the question."""
        return self.named("now", lambda call: call.now, Type.TIMESTAMP)

    def arguments(self, field: Selected) -> ArgumentsOf:
        """A field's arguments, to be evaluated once in each call."""
        if field.arguments is None:
            return ArgumentsOf(-1, {})
        self._arguments.append(field.arguments)
        return ArgumentsOf(len(self._arguments) - 1, field.arguments(self._variables))

    def object(self, shape: Shaped, selection: Selection, scope: Scope) -> str:
        """JSON text of an object, with the fields that are selected from it."""
        type_name, fields = shape.type_name, shape.fields

        def value(field: Selected) -> str:
            if field.name == "__typename":
                return Literal(f'"{type_name}"')
            text = fields[field.name].write(self, field, scope)
            if scope.columns is None or "(select " not in text:
                return text
            scope.columns.append(text)
            return f"{scope.alias}._{len(scope.columns) - 1}"

        return self.dialect.concat(json_object((field.key, [value(field)]) for field in selection[type_name]))


def _viewer_id(call: Call) -> UUID:
    return call.viewer.user_id


def _confined_to(call: Call) -> UUID | None:
    return call.viewer.confined_to
