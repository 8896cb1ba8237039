"""Roots: where a document begins, and that the viewer may see it. Membership is part of every statement.

A `Reference` says which root to read, with which values; resolvers return one, and the executor has it read. The kinds
that `node(id:)` knows are the table `NODES`.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.entities.identifiers import Kind
from domain.entities.user import Action
from persistence.documents import shapes
from persistence.documents.acquaintance import knows
from persistence.documents.compiler import Compiler, Scope, Shaped
from persistence.documents.dialects.dialect import Literal, Type
from persistence.documents.impact import written_impact
from persistence.documents.membership import join_member
from persistence.documents.roles import may
from persistence.documents.selection import Selection

Writer = Callable[[Compiler, Selection], str]
"""Writes a select of one column, the document."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A document to be read. `structure` is what its SQL depends on besides the selection; `values` are bound."""

    structure: Hashable
    writer: Writer
    values: Mapping[str, Any] = field(default_factory=dict)


def organization_by_id(organization_id: UUID) -> Reference:
    """An organization that the viewer is a member of."""
    return Reference(("organization", "id"), _organization("id", Type.UUID), {"organization": organization_id})


def organization_by_slug(slug: str) -> Reference:
    """The same, by its name in addresses."""
    return Reference(("organization", "slug"), _organization("slug", Type.TEXT), {"organization": slug})


def viewer(api_key_id: UUID | None) -> Reference:
    """Who is asking."""
    return Reference("viewer", _viewer, {"api_key": api_key_id})


def node(kind: Kind, id_: UUID) -> Reference:
    """An object by its id; null where it is missing or not the viewer's to see."""

    def write(compiler: Compiler, selection: Selection) -> str:
        id_, found_as = compiler.root("id", Type.UUID), NODES[kind]
        if isinstance(found_as, _NodeKind):
            compiler.reach(found_as.table, found_as.organization, f"{{row}}.id = {id_}")
        return found_as.written(compiler, selection, id_)

    return Reference(("node", kind), write, {"id": id_})


def nodes(ids: Sequence[tuple[Kind, UUID] | None]) -> Reference:
    """A list of objects by their ids, in their order, with null where `node` would answer null."""
    values = [["", None] if id_ is None else [id_[0].value, str(id_[1])] for id_ in ids]
    return Reference("nodes", _nodes, {"ids": values})


def connections(ids: Sequence[UUID]) -> Reference:
    """A list of pairs, each a bare id and the connection with it, for those ids that `node` would find."""
    return Reference("connections", _connections, {"ids": list(ids)})


def membership(organization_id: UUID, user_id: UUID) -> Reference:
    """Somebody's membership, for a member."""
    return Reference("membership", _membership, {"organization": organization_id, "user": user_id})


def event(organization_id: UUID, sequence: int) -> Reference:
    """An event of a feed, for a member."""
    return Reference("event", _event(shapes.EVENT), {"organization": organization_id, "sequence": sequence})


def service_event(organization_id: UUID, sequence: int) -> Reference:
    """The same in its standardized form, which those have that services' webhooks have brought."""
    values = {"organization": organization_id, "sequence": sequence}
    return Reference("service event", _event(shapes.SERVICE_EVENT, f"not {shapes.OF_NO_WEBHOOK}"), values)


def connection_impact(connection_id: UUID) -> Reference:
    """What stops working without a connection of the viewer's; of one that has been deleted, what did."""
    return Reference("impact", _impact, {"id": connection_id})


@dataclass(frozen=True, slots=True)
class _NodeKind:
    """How an object is found by its id. `visible` is a condition on `{row}` besides the viewer's membership.

    `action`: what their role has to reach for. `seen` writes another condition, on the row and its scope.
    """

    shape: Shaped
    table: str
    organization: str = "organization_id"
    visible: str = ""
    action: Action = Action.READ
    seen: Callable[[Compiler, str, Scope], str] | None = None

    def written(self, compiler: Compiler, selection: Selection, id_: str) -> str:
        """A select of the object with that id as JSON text."""
        row, member = compiler.alias("o"), compiler.alias("m")
        scope = Scope(row, f"{row}.{self.organization}", f"{member}.role")
        written = compiler.object(self.shape, selection, scope)
        condition = f" and {self.visible.format(row=row)}" if self.visible else ""
        if self.action is not Action.READ:
            condition += f" and {may(compiler, scope, self.action)}"
        if self.seen is not None:
            condition += f" and {self.seen(compiler, row, scope)}"
        return (
            f"select {written} from {self.table} {row} {join_member(compiler, member, scope.organization)} "
            f"where {row}.id = {id_}{condition}"
        )


@dataclass(frozen=True, slots=True)
class _Person:
    """A user is visible to themselves and to the members of every organization that they belong to."""

    def written(self, compiler: Compiler, selection: Selection, id_: str) -> str:
        row = compiler.alias("o")
        written = compiler.object(shapes.USER, selection, Scope(row, f"{row}.id"))
        return f"select {written} from users {row} where {row}.id = {id_} and {knows(compiler, row)}"


NODES: dict[Kind, _NodeKind | _Person] = {
    Kind.CONNECTION: _NodeKind(shapes.CONNECTION, "service_connections", visible=shapes.ALIVE),
    Kind.ORGANIZATION: _NodeKind(shapes.ORGANIZATION, "organizations", organization="id"),
    Kind.REPOSITORY: _NodeKind(shapes.REPOSITORY, "repositories", visible=shapes.CONNECTION_ALIVE),
    Kind.CREDENTIAL: _NodeKind(shapes.CREDENTIAL, "service_credentials"),
    Kind.HEALTH_CHECK: _NodeKind(shapes.HEALTH_CHECK, "health_checks"),
    Kind.EVENT: _NodeKind(shapes.EVENT, "connection_events"),
    Kind.API_KEY: _NodeKind(shapes.API_KEY, "api_keys", seen=shapes.key_seen),
    Kind.INVITATION: _NodeKind(shapes.INVITATION, "invitations", action=Action.MANAGE_PEOPLE),
    Kind.COMMAND_RUN: _NodeKind(shapes.COMMAND_RUN, "command_runs"),
    Kind.USER: _Person(),
    Kind.AUDIT_RECORD: _NodeKind(shapes.AUDIT_RECORD, "audit_records", action=Action.READ_AUDIT_LOG),
}
"""What `node` and `nodes` find, by the prefix of the id."""


def _organization(column: str, type_: Type) -> Writer:
    def write(compiler: Compiler, selection: Selection) -> str:
        compiler.reach("organizations", "id", f"{{row}}.{column} = {compiler.root('organization', type_)}")
        row, member = compiler.alias("o"), compiler.alias("m")
        written = compiler.object(shapes.ORGANIZATION, selection, Scope(row, f"{row}.id", f"{member}.role"))
        return (
            f"select {written} from organizations {row} {join_member(compiler, member, f'{row}.id')} "
            f"where {row}.{column} = {compiler.root('organization', type_)}"
        )

    return write


def _viewer(compiler: Compiler, selection: Selection) -> str:
    row, me = compiler.alias("v"), compiler.viewer_id()
    written = compiler.object(shapes.VIEWER, selection, Scope(row, me))
    key = compiler.root("api_key", Type.UUID)
    return f"select {written} from (select {me} as user_id, {key} as api_key_id) {row}"


def _nodes(compiler: Compiler, selection: Selection) -> str:
    asked, found, dialect = compiler.alias("w"), compiler.alias("f"), compiler.dialect
    rows = dialect.references(compiler.root("ids", Type.JSON), asked)
    # A column for each kind, null for the others' ids: one CASE of them all takes too much of SQLite's parser stack.
    columns = []
    for kind in NODES:
        id_ = f"case {asked}.kind when '{kind}' then {asked}.id end"
        columns.append(f"({NODES[kind].written(compiler, selection, id_)}) as {kind}_")
    one = f"coalesce({', '.join(f'{found}.{kind}_' for kind in NODES)}, 'null')"
    listed = dialect.concat([Literal("["), dialect.joined_rows(one, f"{found}.position"), Literal("]")])
    return f"select {listed} from (select {asked}.position, {', '.join(columns)} from {rows}) {found}"


def _connections(compiler: Compiler, selection: Selection) -> str:
    row, member, dialect = compiler.alias("o"), compiler.alias("m"), compiler.dialect
    scope = Scope(row, f"{row}.organization_id", f"{member}.role")
    written = compiler.object(shapes.CONNECTION, selection, scope)
    pair = dialect.concat([Literal('["'), f"{row}.id", Literal('",'), written, Literal("]")])
    listed = dialect.concat([Literal("["), dialect.joined_rows(pair, f"{row}.id"), Literal("]")])
    return (
        f"select {listed} from service_connections {row} {join_member(compiler, member, scope.organization)} "
        f"where {dialect.one_of(f'{row}.id', compiler.root('ids', Type.UUIDS))} and {shapes.ALIVE.format(row=row)}"
    )


def _event(shape: Shaped, visible: str = "true") -> Writer:
    def write(compiler: Compiler, selection: Selection) -> str:
        compiler.reach("organizations", "id", f"{{row}}.id = {compiler.root('organization', Type.UUID)}")
        row, member = compiler.alias("o"), compiler.alias("m")
        scope = Scope(row, f"{row}.organization_id", f"{member}.role")
        written = compiler.object(shape, selection, scope)
        return (
            f"select {written} from connection_events {row} {join_member(compiler, member, scope.organization)} "
            f"where {row}.organization_id = {compiler.root('organization', Type.UUID)} "
            f"and {row}.sequence = {compiler.root('sequence', Type.INTEGER)} and {visible.format(row=row)}"
        )

    return write


def _impact(compiler: Compiler, selection: Selection) -> str:
    id_ = compiler.root("id", Type.UUID)
    compiler.reach("service_connections", "organization_id", f"{{row}}.id = {id_}")
    row, member = compiler.alias("o"), compiler.alias("m")
    scope = Scope(row, f"{row}.organization_id", f"{member}.role")
    written = written_impact(compiler, selection, scope)
    return (
        f"select {written} from service_connections {row} {join_member(compiler, member, scope.organization)} "
        f"where {row}.id = {id_}"
    )


def _membership(compiler: Compiler, selection: Selection) -> str:
    row, member = compiler.alias("o"), compiler.alias("m")
    scope = Scope(row, f"{row}.organization_id", f"{member}.role")
    written = compiler.object(shapes.MEMBERSHIP, selection, scope)
    return (
        f"select {written} from memberships {row} {join_member(compiler, member, scope.organization)} "
        f"where {row}.organization_id = {compiler.root('organization', Type.UUID)} "
        f"and {row}.user_id = {compiler.root('user', Type.UUID)}"
    )
