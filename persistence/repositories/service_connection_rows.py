"""ServiceConnection to its two rows and back, column by column: what seldom changes, and what every check changes.

Called by the repository of service connections alone.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, select

from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import StatusReason
from domain.entities.health import (
    ConnectionHealth,
    ExternalAccount,
    HealthCheckTrigger,
    HealthStatus,
    Remedy,
    ServiceRateLimit,
)
from domain.entities.service_connection import ServiceConnection
from domain.entities.text import search_key
from persistence.repositories.health_probes import probes_from_json, probes_to_json
from persistence.tables import connection_health, organizations, service_connections

_h = connection_health.c
_OF_HEALTH = ("checked_at", "next_check_at", "next_trigger", "latency_ms", "finding", "diagnosis_id", "diagnosed_at")
_OF_RATE_LIMIT = ("rate_limit_limit", "rate_limit_remaining", "rate_limit_reset_at", "rate_limit_blocked_until")


def both_rows() -> Select[Any]:
    """Connections with what checks have found, for `entity`."""
    of_connection = and_(
        _h.organization_id == service_connections.c.organization_id, _h.connection_id == service_connections.c.id
    )
    columns = [_h[name].label(f"health_{name}") for name in _OF_HEALTH] + [_h[name] for name in _OF_RATE_LIMIT]
    return (
        select(service_connections, *columns, organizations.c.check_interval_seconds)
        .join_from(service_connections, connection_health, of_connection)
        .join(organizations, organizations.c.id == service_connections.c.organization_id)
    )


def values(connection: ServiceConnection) -> dict[str, Any]:
    """What is written of a connection into its own row."""
    reason, account, health = connection.status_reason, connection.external_account, connection.health
    return {
        "organization_id": connection.organization_id,
        "id": connection.id,
        "service": connection.service,
        "name": connection.name,
        "name_key": search_key(connection.name),
        "status": connection.status.value,
        "status_reason_code": reason and reason.code,
        "status_reason_message": reason and reason.message,
        "status_reason_remedy": reason and reason.remedy and reason.remedy.value,
        "status_changed_at": connection.status_changed_at,
        "account_id": account and account.id,
        "account_name": account and account.name,
        "account_url": account and account.url,
        "account_avatar_url": account and account.avatar_url,
        "required_scopes": connection.required_scopes,
        "granted_scopes": connection.granted_scopes,
        "missing_scopes": connection.missing_scopes,
        "health_status": health.status.value,
        "health_message": health.message,
        "health_consecutive_failures": health.consecutive_failures,
        "health_probes": probes_to_json(health.probes),
        "grant_told_at": connection.grant_told_at,
        "webhook_key": connection.webhook_key,
        "labels": connection.labels,
        "settings": connection.settings,
        "version": connection.version,
        "created_by": connection.created_by,
        "created_at": connection.created_at,
        "updated_at": connection.updated_at,
        "deleted_at": connection.deleted_at,
    }


def health_values(connection: ServiceConnection) -> dict[str, Any]:
    """What is written into the row that every check changes. `checked_order` isn't: the database derives it."""
    health = connection.health
    return {
        "organization_id": connection.organization_id,
        "connection_id": connection.id,
        "service": connection.service,
        **{name: getattr(health, name) for name in _OF_HEALTH},
        **rate_limit_values(connection.rate_limit),
    }


def rate_limit_values(limit: ServiceRateLimit | None) -> dict[str, Any]:
    """What a service has said of the quota, as columns."""
    return {
        "rate_limit_limit": limit and limit.limit,
        "rate_limit_remaining": limit and limit.remaining,
        "rate_limit_reset_at": limit and limit.reset_at,
        "rate_limit_blocked_until": limit and limit.blocked_until,
    }


def entity(row: Row[Any]) -> ServiceConnection:
    """The connection that a row of `both_rows` holds."""
    return ServiceConnection(
        id=row.id,
        organization_id=row.organization_id,
        service=row.service,
        name=row.name,
        status=ConnectionStatus(row.status),
        status_changed_at=row.status_changed_at,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        status_reason=_status_reason(row),
        external_account=_external_account(row),
        required_scopes=tuple(row.required_scopes),
        granted_scopes=tuple(row.granted_scopes),
        missing_scopes=tuple(row.missing_scopes),
        health=ConnectionHealth(
            status=HealthStatus(row.health_status),
            message=row.health_message,
            checked_at=row.health_checked_at,
            next_check_at=row.health_next_check_at,
            latency_ms=row.health_latency_ms,
            consecutive_failures=row.health_consecutive_failures,
            probes=probes_from_json(row.health_probes),
            finding=row.health_finding,
            diagnosis_id=row.health_diagnosis_id,
            diagnosed_at=row.health_diagnosed_at,
            interval=timedelta(seconds=row.check_interval_seconds),
            next_trigger=HealthCheckTrigger(row.health_next_trigger),
        ),
        rate_limit=rate_limit(row),
        grant_told_at=row.grant_told_at,
        labels=row.labels,
        settings=row.settings,
        version=row.version,
        deleted_at=row.deleted_at,
        webhook_key=row.webhook_key,
    )


def _status_reason(row: Row[Any]) -> StatusReason | None:
    if row.status_reason_code is None:
        return None
    remedy = row.status_reason_remedy
    return StatusReason(row.status_reason_code, row.status_reason_message, remedy and Remedy(remedy))


def _external_account(row: Row[Any]) -> ExternalAccount | None:
    if row.account_id is None:
        return None
    return ExternalAccount(row.account_id, row.account_name, row.account_url, row.account_avatar_url)


def rate_limit(row: Row[Any]) -> ServiceRateLimit | None:
    """None where the service has said nothing, also if that was kept as a limit without any figure."""
    said = ServiceRateLimit(
        row.rate_limit_limit, row.rate_limit_remaining, row.rate_limit_reset_at, row.rate_limit_blocked_until
    )
    return None if said == ServiceRateLimit() else said
