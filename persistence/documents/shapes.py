"""Shapes: which field of the schema is which column, link or list. A test holds them against the schema, both ways.

Read by the compiler. To store and answer a new field, add its column, its line here and its line in `gql/types/`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain.entities.event import ConnectionEventType
from domain.entities.identifiers import Kind
from domain.entities.user import Action
from persistence.documents.acquaintance import email_of_acquaintance
from persistence.documents.compiler import Compiler, Scope, Written
from persistence.documents.computed import (
    available_statuses,
    connection_summary,
    cursor_of_event,
    event_cursor,
    key_hint,
    viewer_role,
)
from persistence.documents.cursors import KeyType
from persistence.documents.expiring import within_filter
from persistence.documents.fields import (
    Catalogued,
    Computed,
    Embedded,
    InRowBeside,
    Link,
    Member,
    Moment,
    Number,
    Probes,
    Raw,
    Shape,
    Text,
    Truth,
    TypedId,
    Word,
)
from persistence.documents.filters import (
    api_key_filter,
    audit_filter,
    command_run_filter,
    connection_filter,
    event_filter,
    repository_filter,
    since_filter,
)
from persistence.documents.gaps import LeftOpen
from persistence.documents.health_series import Series
from persistence.documents.impact import connection_impact
from persistence.documents.latency_percentiles import Latency
from persistence.documents.membership import viewers_own
from persistence.documents.page_arguments import Order
from persistence.documents.pages import Page, columns_match
from persistence.documents.roles import ForRole, ForRoleOfRow, may
from persistence.documents.uptime import uptime

ALIVE = "{row}.deleted_at is null"
"""The condition on a connection that hasn't been deleted."""

CONNECTION_ALIVE = (
    "exists (select 1 from service_connections a where a.organization_id = {row}.organization_id "
    "and a.id = {row}.connection_id and a.deleted_at is null)"
)
"""The same of the connection that a row belongs to."""

OF_NO_WEBHOOK = f"{{row}}.type <> '{ConnectionEventType.WEBHOOK_RECEIVED}'"
"""The condition on an event that has no standardized form."""

_BY_CHECK = (
    "(select c.*, h.checked_order, h.connection_id as checked_id from connection_health h "
    "join service_connections c on c.organization_id = h.organization_id and c.id = h.connection_id)"
)
"""Connections that are read along the index of when they were checked."""

_CONNECTION_ORDERS = {
    "CREATED_AT": Order("created_at", KeyType.TIMESTAMP),
    "NAME": Order("name_key", KeyType.TEXT),
    "STATUS_CHANGED_AT": Order("status_changed_at", KeyType.TIMESTAMP),
    "CHECKED_AT": Order("checked_order", KeyType.TIMESTAMP, id="checked_id", table=_BY_CHECK),
}


def _connection_order(arguments: Mapping[str, Any]) -> Order:
    order = arguments.get("orderBy") or {"field": "CREATED_AT", "direction": "DESC"}
    return replace(_CONNECTION_ORDERS[order["field"]], descending=order["direction"] == "DESC")


def _into_organization(row: str, scope: Scope) -> Scope:
    return Scope(row, f"{row}.id", scope.role)


def _own_memberships(compiler: Compiler, alias: str, scope: Scope) -> str:
    return viewers_own(compiler, alias)


def key_seen(compiler: Compiler, alias: str, scope: Scope) -> str:
    """That a member sees a key: their own, or anyone's by their role."""
    return f"({alias}.user_id = {compiler.viewer_id()} or ({may(compiler, scope, Action.READ_ALL_KEYS)}))"


def _keys_seen(compiler: Compiler, alias: str, scope: Scope) -> str:
    return f"{alias}.organization_id = {scope.organization} and {key_seen(compiler, alias, scope)}"


_STATUS_REASON: dict[str, Written] = {
    "code": Text("status_reason_code"),
    "message": Text("status_reason_message"),
    "remedy": Word("status_reason_remedy", absent=True),
}
_NO_REASON = "{row}.status_reason_code is null"

USER: Shape = Shape(
    "User",
    {
        "id": TypedId(Kind.USER),
        "name": Text("name"),
        "email": Computed(email_of_acquaintance),
        "avatarUrl": Text("avatar_url"),
        "createdAt": Moment("created_at"),
    },
)

API_KEY: Shape = Shape(
    "ApiKey",
    {
        "id": TypedId(Kind.API_KEY),
        "name": Text("name"),
        "hint": Computed(key_hint),
        "role": Word("role"),
        "confined": Truth("confined"),
        "user": Link(lambda: USER, "users", "{row}.id = {parent}.user_id"),
        "createdAt": Moment("created_at"),
        "expiresAt": Moment("expires_at"),
        "revokedAt": Moment("revoked_at"),
        "lastUsedAt": Moment("last_used_at"),
    },
)

INVITATION: Shape = Shape(
    "Invitation",
    {
        "id": TypedId(Kind.INVITATION),
        "email": Text("email"),
        "role": Word("role"),
        "invitedBy": Link(lambda: USER, "users", "{row}.id = {parent}.invited_by", absent=True),
        "createdAt": Moment("created_at"),
        "expiresAt": Moment("expires_at"),
    },
)

_ORGANIZATION = Link(lambda: ORGANIZATION, "organizations", "{row}.id = {parent}.organization_id", _into_organization)

MEMBERSHIP: Shape = Shape(
    "Membership",
    {
        "organization": _ORGANIZATION,
        "user": Link(lambda: USER, "users", "{row}.id = {parent}.user_id"),
        "role": Word("role"),
        "joinedAt": Moment("joined_at"),
    },
)

VIEWER: Shape = Shape(
    "Viewer",
    {
        "user": Link(lambda: USER, "users", "{row}.id = {parent}.user_id"),
        "apiKey": Link(lambda: API_KEY, "api_keys", "{row}.id = {parent}.api_key_id", absent=True),
        "memberships": Page(
            "Membership",
            "memberships",
            lambda: MEMBERSHIP,
            _own_memberships,
            lambda arguments: Order("joined_at", KeyType.TIMESTAMP, id="organization_id"),
            below=lambda row, scope: Scope(row, f"{row}.organization_id", f"{row}.role"),
        ),
    },
)

_PROBE: dict[str, Written] = {
    "name": Text("name"),
    "outcome": Word("outcome"),
    "code": Text("code"),
    "message": Text("message"),
    "remedy": Word("remedy"),
    "latencyMs": Number("latency_ms"),
    "evidence": Raw("evidence"),
}

HEALTH_CHECK: Shape = Shape(
    "HealthCheck",
    {
        "id": TypedId(Kind.HEALTH_CHECK),
        "status": Word("status"),
        "message": Text("message"),
        "startedAt": Moment("started_at"),
        "latencyMs": Number("latency_ms"),
        "trigger": Word("trigger"),
        "probes": Probes("HealthProbe", "probes", _PROBE, shared="diagnosis_id"),
    },
)

_CONNECTION = Link(
    lambda: CONNECTION,
    "service_connections",
    "{row}.organization_id = {parent}.organization_id and {row}.id = {parent}.connection_id",
)

CREDENTIAL: Shape = Shape(
    "ServiceCredential",
    {
        "id": TypedId(Kind.CREDENTIAL),
        "connection": _CONNECTION,
        "kind": Word("kind"),
        "fingerprint": Text("fingerprint"),
        "scopes": Raw("scopes", otherwise="[]"),
        "expiresAt": Moment("expires_at"),
        "refreshExpiresAt": Moment("refresh_expires_at"),
        "endsAt": Moment("ends_at"),
        "generation": Number("generation"),
        "rotatedAt": Moment("rotated_at"),
        "lastUsedAt": Moment("last_used_at"),
    },
)

REPOSITORY: Shape = Shape(
    "Repository",
    {
        "id": TypedId(Kind.REPOSITORY),
        "connection": _CONNECTION,
        "externalId": Text("external_id"),
        "fullName": Text("full_name"),
        "url": Text("url"),
        "defaultBranch": Text("default_branch"),
        "private": Truth("private"),
        "archived": Truth("archived"),
        "selected": Truth("selected"),
        "syncedAt": Moment("synced_at"),
    },
)


def _repository_order(arguments: Mapping[str, Any]) -> Order:
    return Order("full_name_key", KeyType.TEXT)


def _newest_first(arguments: Mapping[str, Any]) -> Order:
    return Order("created_at", KeyType.TIMESTAMP, descending=True)


def _newest_event_first(arguments: Mapping[str, Any]) -> Order:
    return Order("sequence", KeyType.INTEGER, descending=True)


_OF_CONNECTION = [("organization_id", "organization_id"), ("connection_id", "id")]

_HEALTH: dict[str, Written] = {
    "status": Word("health_status"),
    "message": Text("health_message"),
    "checkedAt": InRowBeside(Moment("checked_at")),
    "nextCheckAt": InRowBeside(Moment("next_check_at")),
    "latencyMs": InRowBeside(Number("latency_ms")),
    "consecutiveFailures": Number("health_consecutive_failures"),
    "probes": Probes("HealthProbe", "health_probes", _PROBE),
    "checks": Page(
        "HealthCheck",
        "health_checks",
        lambda: HEALTH_CHECK,
        columns_match(_OF_CONNECTION),
        lambda arguments: Order("started_at", KeyType.TIMESTAMP, descending=True),
        since_filter,
    ),
    "uptime": Computed(uptime),
    "incident": Catalogued("ServiceIncident", "service", lambda catalogue, selection: catalogue.incidents(selection)),
    "latency": Latency(),
    "series": Series(),
}

CONNECTION: Shape = Shape(
    "ServiceConnection",
    {
        "id": TypedId(Kind.CONNECTION),
        "organization": _ORGANIZATION,
        "service": Catalogued("Service", "service", lambda catalogue, selection: catalogue.services(selection)),
        "name": Text("name"),
        "status": Word("status"),
        "statusReason": Embedded("StatusReason", _STATUS_REASON, _NO_REASON),
        "statusChangedAt": Moment("status_changed_at"),
        "availableStatuses": Computed(available_statuses),
        "externalAccount": Embedded(
            "ExternalAccount",
            {
                "id": Text("account_id"),
                "name": Text("account_name"),
                "url": Text("account_url"),
                "avatarUrl": Text("account_avatar_url"),
            },
            "{row}.account_id is null",
        ),
        "health": Embedded("ConnectionHealth", _HEALTH, beside="connection_health"),
        "credential": Link(
            lambda: CREDENTIAL,
            "service_credentials",
            "{row}.organization_id = {parent}.organization_id and {row}.connection_id = {parent}.id",
            absent=True,
        ),
        "grantedScopes": Raw("granted_scopes"),
        "requiredScopes": Raw("required_scopes"),
        "missingScopes": Raw("missing_scopes"),
        "rateLimit": Embedded(
            "ServiceRateLimit",
            {
                "limit": InRowBeside(Number("rate_limit_limit")),
                "remaining": InRowBeside(Number("rate_limit_remaining")),
                "resetAt": InRowBeside(Moment("rate_limit_reset_at")),
                "blockedUntil": InRowBeside(Moment("rate_limit_blocked_until")),
            },
            "{beside}.rate_limit_limit is null and {beside}.rate_limit_remaining is null "
            "and {beside}.rate_limit_reset_at is null and {beside}.rate_limit_blocked_until is null",
            "connection_health",
        ),
        "repositories": Page(
            "Repository",
            "repositories",
            lambda: REPOSITORY,
            columns_match(_OF_CONNECTION),
            _repository_order,
            repository_filter,
        ),
        "events": Page(
            "ConnectionEvent",
            "connection_events",
            lambda: EVENT,
            columns_match(_OF_CONNECTION),
            _newest_event_first,
            event_filter,
        ),
        "commandRuns": Page(
            "CommandRun", "command_runs", lambda: COMMAND_RUN, columns_match(_OF_CONNECTION), _newest_first
        ),
        "impact": Computed(connection_impact),
        "labels": Raw("labels"),
        "settings": Raw("settings"),
        "version": Number("version"),
        "createdBy": Link(lambda: USER, "users", "{row}.id = {parent}.created_by", absent=True),
        "createdAt": Moment("created_at"),
        "updatedAt": Moment("updated_at"),
    },
)

_ACTOR: dict[str, Written] = {
    "kind": Word("actor_kind"),
    "name": Text("actor_name"),
    "user": Link(lambda: USER, "users", "{row}.id = {parent}.actor_user_id", absent=True),
    "apiKey": Link(
        lambda: API_KEY,
        "api_keys",
        "{row}.organization_id = {parent}.organization_id and {row}.id = {parent}.actor_api_key_id",
        absent=True,
    ),
}

_STATUS_CHANGE: dict[str, Written] = {
    "from": Word("status_from"),
    "to": Word("status_to"),
    "reason": Embedded("StatusReason", _STATUS_REASON, _NO_REASON),
}

_NAMED_REPOSITORY = (
    "{row}.id = (select n.id from repositories n where n.organization_id = {parent}.organization_id "
    "and n.connection_id = {parent}.connection_id and n.full_name_key = lower({parent}.data ->> 'repository') "
    f"and {CONNECTION_ALIVE.replace('{row}', 'n')} order by n.synced_at desc, n.id limit 1)"
)
"""Full names are of ASCII at every service. While one is renamed, two may have the name: the one seen last has it."""

SERVICE_EVENT: Shape = Shape(
    "StandardizedEvent",
    {
        "eventId": TypedId(Kind.EVENT),
        "cursor": Computed(cursor_of_event),
        "occurredAt": Moment("occurred_at"),
        "connection": _CONNECTION,
        "service": Catalogued("Service", "data", lambda catalogue, asked: catalogue.services(asked), member="service"),
        "type": Member("data", "type", present=True),
        "action": Member("data", "action"),
        "actor": Member("data", "actor"),
        "subject": Member("data", "subject"),
        "text": Member("data", "text"),
        "url": Member("data", "url"),
        "repositoryName": Member("data", "repository"),
        "repository": Link(lambda: REPOSITORY, "repositories", _NAMED_REPOSITORY, absent=True),
        "channel": Member("data", "channel"),
        "thread": Member("data", "thread"),
        "deliveryId": Member("data", "deliveryId", present=True),
    },
)
"""In the rows of the events that are of webhooks, whose `data` it is."""

EVENT: Shape = Shape(
    "ConnectionEvent",
    {
        "id": TypedId(Kind.EVENT),
        "cursor": Computed(cursor_of_event),
        "sequence": Number("sequence"),
        "type": Word("type"),
        "occurredAt": Moment("occurred_at"),
        "connection": _CONNECTION,
        "actor": Embedded("Actor", _ACTOR),
        "status": Embedded("StatusChange", _STATUS_CHANGE, "{row}.status_to is null"),
        "health": Link(
            lambda: HEALTH_CHECK,
            "health_checks",
            "{row}.organization_id = {parent}.organization_id and {row}.id = {parent}.health_check_id",
            absent=True,
        ),
        "data": Raw("data"),
        "serviceEvent": Embedded(SERVICE_EVENT.type_name, SERVICE_EVENT.fields, OF_NO_WEBHOOK),
    },
)

COMMAND_RUN: Shape = Shape(
    "CommandRun",
    {
        "id": TypedId(Kind.COMMAND_RUN),
        "organization": _ORGANIZATION,
        "connection": _CONNECTION,
        "commandId": Text("command"),
        "command": Catalogued("Command", "command", lambda catalogue, selection: catalogue.commands(selection)),
        "arguments": ForRoleOfRow("least_role", Raw("arguments")),
        "status": Word("status"),
        "attempts": Number("attempts"),
        "createdAt": Moment("created_at"),
        "startedAt": Moment("started_at"),
        "finishedAt": Moment("finished_at"),
        "durationMs": Number("duration_ms"),
        "result": ForRoleOfRow("least_role", Raw("result")),
        "url": Text("url"),
        "error": Embedded(
            "CommandRunError",
            {
                "code": Text("error_code"),
                "message": Text("error_message"),
                "remedy": Word("error_remedy"),
                "retryAfterSeconds": Number("error_retry_after_seconds"),
                "argument": Text("error_argument"),
            },
            "{row}.error_code is null",
        ),
        "actor": Embedded("Actor", _ACTOR),
    },
)

AUDIT_RECORD: Shape = Shape(
    "AuditRecord",
    {
        "id": TypedId(Kind.AUDIT_RECORD),
        "occurredAt": Moment("occurred_at"),
        "action": Word("action"),
        "actor": Embedded("Actor", _ACTOR),
        "address": Text("address"),
        "requestId": Text("request_id"),
        "subjectId": Text("subject_id"),
        "subjectName": Text("subject_name"),
        "data": Raw("data"),
    },
)

ORGANIZATION: Shape = Shape(
    "Organization",
    {
        "id": TypedId(Kind.ORGANIZATION),
        "slug": Text("slug"),
        "name": Text("name"),
        "createdAt": Moment("created_at"),
        "checkIntervalSeconds": Number("check_interval_seconds"),
        "version": Number("version"),
        "viewerRole": Computed(viewer_role),
        "commands": LeftOpen(),
        "commandSelection": LeftOpen(),
        "connections": Page(
            "ServiceConnection",
            "service_connections",
            lambda: CONNECTION,
            columns_match([("organization_id", "id")], ALIVE),
            _connection_order,
            connection_filter,
            value_indexes={
                "status": ("status", "created_at"),
                "health": ("health_status", "created_at"),
                "service": ("service", "created_at"),
            },
            in_every_index=("search",),
        ),
        "connectionSummary": Computed(connection_summary),
        "expiringCredentials": Page(
            "ServiceCredential",
            "service_credentials",
            lambda: CREDENTIAL,
            columns_match([("organization_id", "id")]),
            lambda arguments: Order("ends_at", KeyType.TIMESTAMP),
            within_filter,
        ),
        "repositories": Page(
            "Repository",
            "repositories",
            lambda: REPOSITORY,
            columns_match([("organization_id", "id")], CONNECTION_ALIVE),
            _repository_order,
            repository_filter,
        ),
        "members": Page(
            "Membership",
            "memberships",
            lambda: MEMBERSHIP,
            columns_match([("organization_id", "id")]),
            lambda arguments: Order("joined_at", KeyType.TIMESTAMP, id="user_id"),
        ),
        "invitations": ForRole(
            Action.MANAGE_PEOPLE,
            Page(
                "Invitation",
                "invitations",
                lambda: INVITATION,
                columns_match([("organization_id", "id")]),
                _newest_first,
            ),
        ),
        "apiKeys": Page("ApiKey", "api_keys", lambda: API_KEY, _keys_seen, _newest_first, api_key_filter),
        "events": Page(
            "ConnectionEvent",
            "connection_events",
            lambda: EVENT,
            columns_match([("organization_id", "id")]),
            _newest_event_first,
            event_filter,
        ),
        "eventCursor": Computed(event_cursor),
        "commandRuns": Page(
            "CommandRun",
            "command_runs",
            lambda: COMMAND_RUN,
            columns_match([("organization_id", "id")]),
            _newest_first,
            command_run_filter,
            value_indexes={
                "statuses": ("status", "created_at"),
                "commandIds": ("command", "created_at"),
            },
        ),
        "auditLog": ForRole(
            Action.READ_AUDIT_LOG,
            Page(
                "AuditRecord",
                "audit_records",
                lambda: AUDIT_RECORD,
                columns_match([("organization_id", "id")]),
                lambda arguments: Order("occurred_at", KeyType.TIMESTAMP, descending=True),
                audit_filter,
                value_indexes={"actions": ("action", "occurred_at")},
            ),
        ),
    },
)
