"""Fields that no column holds: what a viewer may do, totals by status.

Used by `shapes.py`. Each is an expression of the same statement.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.entities.connection_status import ConnectionStatus, allowed_for_members
from domain.entities.health import HealthStatus
from domain.entities.user import Action
from persistence.documents.compiler import Call, Compiler, Scope
from persistence.documents.dialects.dialect import Literal, Type, cases, json_object, quoted
from persistence.documents.expiring import SOON_DAYS, ends_between
from persistence.documents.roles import acting_role, may
from persistence.documents.selection import Selected


def viewer_role(compiler: Compiler, field: Selected, scope: Scope) -> str:
    """The role in which the viewer acts: their membership's, capped by their key's."""
    return compiler.dialect.word(acting_role(compiler, scope))


def available_statuses(compiler: Compiler, field: Selected, scope: Scope) -> str:
    """The statuses that this viewer may set now; none without the role for it."""
    allowed = {status.value: _array(allowed_for_members(status)) for status in ConnectionStatus}
    choice = cases(f"{scope.alias}.status", allowed, "'[]'")
    return f"case when {may(compiler, scope, Action.MANAGE_CONNECTIONS)} then {choice} else '[]' end"


def key_hint(compiler: Compiler, field: Selected, scope: Scope) -> str:
    """How the key's token begins: enough to find it where it is used, and nothing of its secret."""
    id_ = f"cast({scope.alias}.id as text)"
    return compiler.dialect.concat([Literal('"tether_'), f"substr({id_}, 1, 8)", f"substr({id_}, 10, 4)", Literal('"')])


def event_cursor(compiler: Compiler, field: Selected, scope: Scope) -> str:
    """The head of the organization's feed, in the snapshot of the statement."""
    row = compiler.alias("h")
    written = _feed_cursor(compiler, row, "epoch", "sequence")
    return f"(select {written} from event_counters {row} where {row}.organization_id = {scope.alias}.id)"


def cursor_of_event(compiler: Compiler, field: Selected, scope: Scope) -> str:
    """An event's own place in the feed."""
    return _feed_cursor(compiler, scope.alias, "epoch", "sequence")


def connection_summary(compiler: Compiler, field: Selected, scope: Scope) -> str:
    """Totals over the organization's connections, in one pass over them."""
    row, dialect = compiler.alias("s"), compiler.dialect

    def value(part: Selected) -> list[str]:
        match part.name:
            case "total":
                return ["count(*)"]
            case "byStatus":
                return _counts(part, "StatusCount", list(ConnectionStatus), f"{row}.status")
            case "byHealth":
                return _counts(part, "HealthCount", list(HealthStatus), f"{row}.health_status")
            case "byService":
                return _service_counts(compiler, part, row)
            case "expiringCredentials":
                return [_expiring(compiler, scope)]
        return [Literal('"ConnectionSummary"')]

    written = dialect.concat(json_object((part.key, value(part)) for part in field.below["ConnectionSummary"]))
    if not any(map(_counts_rows, field.below["ConnectionSummary"])):
        return written  # without an aggregate, each connection would be an answer
    return (
        f"(select {written} from service_connections {row} "
        f"where {row}.organization_id = {scope.alias}.id and {row}.deleted_at is null)"
    )


def _counts_rows(part: Selected) -> bool:
    return part.name == "total" or any(one.name == "count" for below in part.below.values() for one in below)


def _array(statuses: tuple[ConnectionStatus, ...]) -> str:
    return "[" + ",".join(_word(status) for status in statuses) + "]"


def _word(value: str) -> str:
    return f'"{value}"'


def _feed_cursor(compiler: Compiler, row: str, epoch: str, sequence: str) -> str:
    parts = [
        Literal('"evt~'),
        f"{row}.organization_id",
        Literal("~"),
        f"{row}.{epoch}",
        Literal("~"),
        f"{row}.{sequence}",
    ]
    return compiler.dialect.concat([*parts, Literal('"')])


def _counts(field: Selected, type_name: str, values: Sequence[str], column: str) -> list[str]:
    """One object for each possible value, also where it counts nothing: charts need the zeros."""

    def value(part: Selected, counted: str) -> str:
        if part.name == "count":
            return f"count(*) filter (where {column} = {quoted(counted)})"
        return Literal(_word(type_name if part.name == "__typename" else counted))

    return _listed([json_object((part.key, [value(part, one)]) for part in field.below[type_name]) for one in values])


def _service_counts(compiler: Compiler, field: Selected, row: str) -> list[str]:
    asked = {
        part.key: compiler.catalogue.services(part.below)
        for part in field.below["ServiceCount"]
        if part.name == "service"
    }

    def value(part: Selected, service: str) -> str:
        if part.name == "count":
            return f"count(*) filter (where {row}.service = {quoted(service)})"
        if part.name == "service":
            return compiler.bind(lambda call: asked[part.key][service](), Type.TEXT)
        return Literal('"ServiceCount"')

    services, selected = compiler.catalogue.services({"Service": ()}), field.below["ServiceCount"]
    return _listed([json_object((part.key, [value(part, service)]) for part in selected) for service in services])


def _listed(objects: list[list[str]]) -> list[str]:
    """The parts of an array's JSON text."""
    parts = [part for number, one in enumerate(objects) for part in [Literal("," if number else ""), *one]]
    return [Literal("["), *parts, Literal("]")]


def _expiring(compiler: Compiler, scope: Scope) -> str:
    row, now = compiler.alias("x"), compiler.now()
    soon = compiler.named("soon", _soon, Type.TIMESTAMP)
    return (
        f"(select count(*) from service_credentials {row} where {row}.organization_id = {scope.alias}.id "
        f"and {ends_between(row, now, soon)})"
    )


def _soon(call: Call) -> datetime:
    return call.now + timedelta(days=SOON_DAYS)
