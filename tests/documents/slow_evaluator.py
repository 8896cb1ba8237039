"""The slow evaluator: a query's answer by plain graphql-core, with resolvers over rows in Python.

The tests hold the document read path against it. It shares no code with `persistence/documents`: what it knows is
restated from the schema's descriptions.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    execute_sync,
)

from domain.entities.user import Viewer
from domain.services.catalogue import ServiceCatalogue
from tests.documents import slow_health
from tests.documents.asked import Asked
from tests.documents.data import World
from tests.documents.slow_lists import (
    api_keys_page,
    audit_page,
    command_runs_page,
    connections_page,
    ends_at,
    events_page,
    expiring,
    invitations_page,
    key_seen,
    repositories_page,
)
from tests.documents.slow_pages import moment_text, page_of
from tests.documents.world_maker import HEALTH, NOW, ROLES, STATUSES, Row


class SlowEvaluator:
    """Evaluates queries of one world. `schema` is the schema with nothing of Strawberry in it."""

    def __init__(self, sdl: str, world: World, catalogue: ServiceCatalogue) -> None:
        self.schema = plain_schema(sdl)
        self._world, self._catalogue = world, catalogue

    def answer(self, document: DocumentNode, variables: Mapping[str, Any], viewer: Viewer) -> ExecutionResult:
        """Data and errors."""
        return execute_sync(
            self.schema,
            document,
            context_value=Asked(self._world, self._catalogue, viewer),
            variable_values=dict(variables),
            field_resolver=_resolve,
        )


def plain_schema(sdl: str) -> GraphQLSchema:
    """The schema, with a DateTime that reads and writes moments."""
    schema = build_schema(sdl)
    moment = schema.type_map["DateTime"]
    assert isinstance(moment, GraphQLScalarType)
    moment.coerce_input_value = lambda value: datetime.fromisoformat(value).astimezone(UTC)
    moment.coerce_output_value = moment_text
    return schema


def _resolve(source: Any, info: GraphQLResolveInfo[Asked], **arguments: Any) -> Any:
    """A resolver of its own if the field has one, else the column of its name."""
    resolver = _RESOLVERS.get(f"{info.parent_type.name}.{info.field_name}")
    if resolver is not None:
        return resolver(info.context, source, **arguments)
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in info.field_name)
    return source[name] if isinstance(source, dict) else getattr(source, name)


def _of(table: str, column: str) -> Callable[[Asked, Row], Row | None]:
    return lambda asked, row: asked.world.by_id(table, row[column])


def _shown(row: Row | None, type_name: str) -> Row | None:
    return row and {**row, "__typename": type_name}


_NODES = {
    "conn": ("service_connections", "ServiceConnection"),
    "org": ("organizations", "Organization"),
    "repo": ("repositories", "Repository"),
    "cred": ("service_credentials", "ServiceCredential"),
    "chk": ("health_checks", "HealthCheck"),
    "evt": ("connection_events", "ConnectionEvent"),
    "run": ("command_runs", "CommandRun"),
    "user": ("users", "User"),
    "key": ("api_keys", "ApiKey"),
    "inv": ("invitations", "Invitation"),
    "aud": ("audit_records", "AuditRecord"),
}
_PREFIXES = {type_name: prefix for prefix, (_, type_name) in _NODES.items()}


def _node(asked: Asked, _: None, id: str) -> Row | None:  # noqa: A002 - the argument's name
    prefix, _separator, rest = id.partition("_")
    table, type_name = _NODES.get(prefix, ("", ""))
    row = next((row for row in asked.world.table(table) if str(row["id"]) == rest), None) if table else None
    if row is None or not _visible(asked, prefix, row):
        return None
    return _shown(row, type_name)


def _visible(asked: Asked, prefix: str, row: Row) -> bool:
    if prefix == "user":
        theirs = asked.rows("memberships", user_id=row["id"])
        return row["id"] == asked.viewer.user_id or any(asked.role(one["organization_id"]) for one in theirs)
    if prefix == "repo":
        connection = asked.world.by_id("service_connections", row["connection_id"])
        if connection is None or connection["deleted_at"] is not None:
            return False
    if asked.role(row["id" if prefix == "org" else "organization_id"]) is None:
        return False
    if prefix == "key":
        return key_seen(asked, row)
    if prefix in ("aud", "inv") and asked.effective_role(row["organization_id"]) != "OWNER":
        return False
    return prefix != "conn" or row["deleted_at"] is None


def _organization(asked: Asked, _: None, by: Mapping[str, str]) -> Row | None:
    for row in asked.world.table("organizations"):
        if row["slug"] == by.get("slug") or f"org_{row['id']}" == by.get("id"):
            return row if asked.role(row["id"]) else None
    return None


def _summary(asked: Asked, organization: Row) -> Row:
    rows = asked.rows("service_connections", organization_id=organization["id"], deleted_at=None)
    return {
        "total": len(rows),
        "by_status": [{"status": one, "count": sum(row["status"] == one for row in rows)} for one in STATUSES],
        "by_health": [{"health": one, "count": sum(row["health_status"] == one for row in rows)} for one in HEALTH],
        "by_service": [
            {"service": one, "count": sum(row["service"] == one.id for row in rows)} for one in asked.catalogue
        ],
        "expiring_credentials": len(expiring(asked, organization, 7)),
    }


def _health(asked: Asked, row: Row) -> Row:
    seldom = {name: row[f"health_{name}"] for name in ("status", "message", "consecutive_failures", "probes")}
    return {**(asked.one("connection_health", connection_id=row["id"]) or {}), **seldom, "connection": row}


def _checks(asked: Asked, health: Row, since: datetime | None = None, **given: Any) -> Row:
    rows = asked.rows("health_checks", connection_id=health["connection"]["id"])
    rows = [row for row in rows if since is None or row["started_at"] >= since]
    return page_of(health["connection"]["organization_id"], rows, "started_at", given, descending=True)


def _part(prefix: str, present: Iterable[str]) -> Callable[[Asked, Row], Row | None]:
    """The columns with a prefix as an object; null where all of those named are null."""

    def resolve(asked: Asked, row: Row) -> Row | None:
        if all(row[f"{prefix}{name}"] is None for name in present):
            return None
        return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}

    return resolve


def _rate_limit(asked: Asked, row: Row) -> Row | None:
    names = ["limit", "remaining", "reset_at", "blocked_until"]
    return _part("rate_limit_", names)(asked, asked.one("connection_health", connection_id=row["id"]) or {})


def _probes_of_check(asked: Asked, check: Row) -> list[Row]:
    shared = check["diagnosis_id"]
    found: list[Row] = (check if shared is None else asked.world.by_id("health_checks", shared) or {"probes": []})[
        "probes"
    ]
    return found


def _status_change(asked: Asked, event: Row) -> Row | None:
    if event["status_to"] is None:
        return None
    reason = _part("status_reason_", ["code"])(asked, event)
    return {"from": event["status_from"], "to": event["status_to"], "reason": reason}


def _service_event(asked: Asked, event: Row) -> Row | None:
    if event["type"] != "WEBHOOK_RECEIVED":
        return None
    nothing = dict.fromkeys(("action", "actor", "subject", "text", "url", "channel", "thread"))
    return {**nothing, **event["data"], "event": event}


def _named_repository(asked: Asked, told: Row) -> Row | None:
    connection = asked.world.by_id("service_connections", told["event"]["connection_id"])
    if "repository" not in told or connection is None or connection["deleted_at"] is not None:
        return None
    named = asked.rows("repositories", connection_id=connection["id"], full_name_key=str(told["repository"]).lower())
    return min(sorted(named, key=lambda row: row["id"]), key=lambda row: NOW - row["synced_at"], default=None)


_MAY_SET = {"PENDING": ["INACTIVE"], "ACTIVE": ["INACTIVE"], "INACTIVE": ["ACTIVE"], "ERROR": ["INACTIVE"]}


def _available_statuses(asked: Asked, connection: Row) -> list[str]:
    able = asked.effective_role(connection["organization_id"]) in ("OWNER", "ADMIN")
    return _MAY_SET.get(connection["status"], []) if able else []


def _impact(asked: Asked, connection: Row) -> Row:
    rows = asked.rows("repositories", connection_id=connection["id"])
    same = {"organization_id": connection["organization_id"], "service": connection["service"]}
    others = asked.rows("service_connections", **same, status="ACTIVE", deleted_at=None)
    alternative = any(other["id"] != connection["id"] for other in others)
    service = asked.catalogue.find(connection["service"])
    reported = asked.rows("connection_events", connection_id=connection["id"], type="WEBHOOK_RECEIVED")
    runs, since = asked.rows("command_runs", connection_id=connection["id"]), NOW - timedelta(days=30)
    return {
        "repositories": len(rows),
        "selected_repositories": sum(row["selected"] for row in rows),
        "has_alternative": alternative,
        "commands": 0 if alternative or service is None else sum(1 for _ in service.commands or ()),
        "webhooks_received": sum(row["occurred_at"] >= since for row in reported),
        "command_runs": sum(row["created_at"] >= since for row in runs),
    }


def _event_cursor(asked: Asked, organization: Row) -> Any:
    counter = asked.one("event_counters", organization_id=organization["id"])
    return counter and f"evt~{organization['id']}~{counter['epoch']}~{counter['sequence']}"


def _cursor_of(event: Row) -> str:
    return f"evt~{event['organization_id']}~{event['epoch']}~{event['sequence']}"


def _org_repositories(asked: Asked, organization: Row, **given: Any) -> Row:
    alive = {row["id"] for row in asked.world.table("service_connections") if row["deleted_at"] is None}
    rows = asked.rows("repositories", organization_id=organization["id"])
    return repositories_page(asked, organization["id"], [row for row in rows if row["connection_id"] in alive], given)


def _reaches(asked: Asked, run: Row) -> bool:
    acting = asked.effective_role(run["organization_id"])
    return ROLES.index(acting) <= ROLES.index(run["least_role"])


def _command(asked: Asked, command_id: str) -> Any:
    return next((each for one in asked.catalogue for each in one.commands or () if each.id == command_id), None)


def _typed_id(type_name: str) -> Callable[[Asked, Row], str]:
    return lambda asked, row: f"{_PREFIXES[type_name]}_{row['id']}"


_RESOLVERS: dict[str, Callable[..., Any]] = {
    "Query.node": _node,
    "Query.nodes": lambda asked, _, ids: [_node(asked, None, id_) for id_ in ids],
    "Query.viewer": lambda asked, _: {},
    "Query.organization": _organization,
    "Query.services": lambda asked, _: list(asked.catalogue),
    "Viewer.user": lambda asked, _: asked.world.by_id("users", asked.viewer.user_id),
    "Viewer.apiKey": lambda asked, _: asked.world.by_id("api_keys", asked.viewer.api_key_id),
    "Viewer.memberships": lambda asked, _, **given: page_of(
        asked.viewer.user_id,
        [row for row in asked.rows("memberships", user_id=asked.viewer.user_id) if asked.role(row["organization_id"])],
        "joined_at",
        given,
        id_="organization_id",
    ),
    "Organization.viewerRole": lambda asked, row: asked.effective_role(row["id"]),
    "Organization.connections": connections_page,
    "Organization.connectionSummary": _summary,
    "Organization.repositories": _org_repositories,
    "Organization.members": lambda asked, row, **given: page_of(
        row["id"], asked.rows("memberships", organization_id=row["id"]), "joined_at", given, id_="user_id"
    ),
    "Organization.events": lambda asked, row, **given: events_page(
        asked, row["id"], asked.rows("connection_events", organization_id=row["id"]), given
    ),
    "Organization.invitations": invitations_page,
    "Organization.apiKeys": api_keys_page,
    "Organization.eventCursor": _event_cursor,
    "ApiKey.hint": lambda asked, row: f"tether_{row['id'].hex[:12]}",
    "ApiKey.user": _of("users", "user_id"),
    "Invitation.invitedBy": _of("users", "invited_by"),
    "Organization.auditLog": audit_page,
    "Membership.organization": _of("organizations", "organization_id"),
    "Membership.user": _of("users", "user_id"),
    "ServiceConnection.organization": _of("organizations", "organization_id"),
    "ServiceConnection.service": lambda asked, row: asked.catalogue.find(row["service"]),
    "ServiceConnection.statusReason": _part("status_reason_", ["code"]),
    "ServiceConnection.availableStatuses": _available_statuses,
    "ServiceConnection.externalAccount": _part("account_", ["id"]),
    "ServiceConnection.health": _health,
    "ServiceConnection.credential": lambda asked, row: asked.one("service_credentials", connection_id=row["id"]),
    "ServiceConnection.rateLimit": _rate_limit,
    "ServiceConnection.repositories": lambda asked, row, **given: repositories_page(
        asked, row["organization_id"], asked.rows("repositories", connection_id=row["id"]), given
    ),
    "ServiceConnection.events": lambda asked, row, **given: events_page(
        asked, row["organization_id"], asked.rows("connection_events", connection_id=row["id"]), given
    ),
    "ServiceConnection.impact": _impact,
    "ServiceConnection.createdBy": _of("users", "created_by"),
    "ConnectionHealth.checks": _checks,
    "HealthCheck.probes": _probes_of_check,
    "ConnectionHealth.uptime": slow_health.uptime,
    "ConnectionHealth.latency": slow_health.latency,
    "ConnectionHealth.series": slow_health.series,
    "Organization.expiringCredentials": lambda asked, row, within, **given: page_of(
        row["id"], expiring(asked, row, within), "ends_at", given
    ),
    "ServiceCredential.connection": _of("service_connections", "connection_id"),
    "ServiceCredential.endsAt": lambda asked, row: ends_at(row),
    "ServiceCredential.scopes": lambda asked, row: row["scopes"] or [],
    "Repository.connection": _of("service_connections", "connection_id"),
    "ConnectionEvent.cursor": lambda asked, row: _cursor_of(row),
    "ConnectionEvent.connection": _of("service_connections", "connection_id"),
    "ConnectionEvent.actor": lambda asked, row: row,
    "ConnectionEvent.status": _status_change,
    "ConnectionEvent.health": _of("health_checks", "health_check_id"),
    "Organization.commandRuns": lambda asked, row, **given: command_runs_page(
        asked, row["id"], asked.rows("command_runs", organization_id=row["id"]), given
    ),
    "ServiceConnection.commandRuns": lambda asked, row, **given: command_runs_page(
        asked, row["organization_id"], asked.rows("command_runs", connection_id=row["id"]), given
    ),
    "CommandRun.organization": _of("organizations", "organization_id"),
    "CommandRun.connection": _of("service_connections", "connection_id"),
    "CommandRun.commandId": lambda asked, row: row["command"],
    "CommandRun.command": lambda asked, row: _command(asked, row["command"]),
    "CommandRun.arguments": lambda asked, row: row["arguments"] if _reaches(asked, row) else None,
    "CommandRun.result": lambda asked, row: row["result"] if _reaches(asked, row) else None,
    "CommandRun.error": _part("error_", ["code"]),
    "CommandRun.actor": lambda asked, row: row,
    "Service.commands": lambda asked, service: list(service.commands or ()),
    "Command.argumentsSchema": lambda asked, command: command.arguments.schema(),
    "Command.resultSchema": lambda asked, command: command.result.schema(),
    "Command.service": lambda asked, command: asked.catalogue.find(command.service),
    "ConnectionEvent.serviceEvent": _service_event,
    "StandardizedEvent.eventId": lambda asked, told: f"evt_{told['event']['id']}",
    "StandardizedEvent.cursor": lambda asked, told: _cursor_of(told["event"]),
    "StandardizedEvent.occurredAt": lambda asked, told: told["event"]["occurred_at"],
    "StandardizedEvent.connection": lambda asked, told: _of("service_connections", "connection_id")(
        asked, told["event"]
    ),
    "StandardizedEvent.service": lambda asked, told: asked.catalogue.find(told["service"]),
    "StandardizedEvent.repositoryName": lambda asked, told: told.get("repository"),
    "StandardizedEvent.repository": _named_repository,
    "StandardizedEvent.deliveryId": lambda asked, told: told["deliveryId"],
    "AuditRecord.actor": lambda asked, row: row,
    "User.email": lambda asked, row: row["email"] if _visible(asked, "user", row) else None,
    "Actor.kind": lambda asked, row: row["actor_kind"],
    "Actor.name": lambda asked, row: row["actor_name"],
    "Actor.user": _of("users", "actor_user_id"),
    "Actor.apiKey": lambda asked, row: asked.one(
        "api_keys", id=row["actor_api_key_id"], organization_id=row["organization_id"]
    ),
    "Service.status": lambda asked, service: "OPERATIONAL",
    "Service.incident": lambda asked, service: None,
    "ConnectionHealth.incident": lambda asked, health: None,
    "Service.webhookUrl": lambda asked, service: None,
}
_RESOLVERS.update((f"{type_name}.id", _typed_id(type_name)) for type_name in _PREFIXES)
