"""ConnectionImpact: what stops working without a connection, counted as it stands. Used by `shapes.py` and `roots.py`.

It can be asked of a connection that has just been deleted, too: what it had is forgotten later.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import ConnectionEventType
from persistence.documents.compiler import Call, Compiler, Scope
from persistence.documents.dialects.dialect import Literal, Type, json_object, quoted
from persistence.documents.selection import Selected, Selection

IMPACT_DAYS: Final = 30
MOST_COUNTED: Final = 10_000
"""Of what happens often. Who sees so many knows enough, and no count takes long."""


def connection_impact(compiler: Compiler, field: Selected, scope: Scope) -> str:
    """As a field of a connection."""
    return written_impact(compiler, field.below, scope)


def written_impact(compiler: Compiler, selection: Selection, scope: Scope) -> str:
    """What is selected of it, of the connection in the scope. Its repositories are counted in one pass."""
    row, dialect = compiler.alias("s"), compiler.dialect
    counted = {"repositories": "count(*)", "selectedRepositories": f"count(*) filter (where {row}.selected)"}

    def value(part: Selected) -> list[str]:
        match part.name:
            case "commands":
                return [_commands(compiler, scope)]
            case "hasAlternative":
                return [dialect.boolean(_alternative(compiler, scope))]
            case "commandRuns":
                return [_recent(compiler, scope, "command_runs", "created_at")]
            case "webhooksReceived":
                reported = f"{{row}}.type = {quoted(ConnectionEventType.WEBHOOK_RECEIVED)}"
                return [_recent(compiler, scope, "connection_events", "occurred_at", reported)]
        return [counted.get(part.name, Literal('"ConnectionImpact"'))]

    selected = selection["ConnectionImpact"]
    written = dialect.concat(json_object((part.key, value(part)) for part in selected))
    if all(part.name not in counted for part in selected):
        return written  # without an aggregate, each repository would be an answer
    return f"(select {written} from repositories {row} where {_of_connection(row, scope)})"


def _of_connection(row: str, scope: Scope) -> str:
    return f"{row}.organization_id = {scope.alias}.organization_id and {row}.connection_id = {scope.alias}.id"


def _commands(compiler: Compiler, scope: Scope) -> str:
    ids = compiler.catalogue.commands({"Command": ()})
    numbers = Counter(id_.partition(".")[0] for id_ in ids)
    whens = " ".join(f"when {quoted(service)} then {number}" for service, number in numbers.items())
    chosen = f"case {scope.alias}.service {whens} else 0 end" if whens else "0"
    return f"case when {_alternative(compiler, scope)} then 0 else {chosen} end"


def _alternative(compiler: Compiler, scope: Scope) -> str:
    other = compiler.alias("t")
    return (
        f"exists (select 1 from service_connections {other} where {other}.organization_id = "
        f"{scope.alias}.organization_id and {other}.service = {scope.alias}.service and {other}.id <> {scope.alias}.id "
        f"and {other}.status = {quoted(ConnectionStatus.ACTIVE)} and {other}.deleted_at is null)"
    )


def _recent(compiler: Compiler, scope: Scope, table: str, moment: str, condition: str = "true") -> str:
    """How many rows of a connection there are of the latest days, as far as they are counted."""
    row, since = compiler.alias("r"), compiler.named("impact since", _since, Type.TIMESTAMP)
    return (
        f"(select count(*) from (select 1 from {table} {row} where {_of_connection(row, scope)} "
        f"and {condition.format(row=row)} and {row}.{moment} >= {since} limit {MOST_COUNTED}) {compiler.alias('n')})"
    )


def _since(call: Call) -> datetime:
    return call.now - timedelta(days=IMPACT_DAYS)
