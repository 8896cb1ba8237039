"""The tables: what is kept, under which keys, and the indexes that reads rely on. Migrations bring databases to this.

Tenant tables have the key (organization_id, id), so that a row is reached only through its organization. Each typed id
also has a unique index of its own, from which `node(id:)` starts.
"""

from persistence.tables.commands import command_runs
from persistence.tables.connections import (
    authorization_flows,
    repositories,
    repository_sync_pages,
    repository_syncs,
    service_connections,
    service_credentials,
)
from persistence.tables.events import (
    audit_records,
    connection_events,
    data_keys,
    event_counters,
    tasks,
    webhook_deliveries,
)
from persistence.tables.health import (
    NEVER_CHECKED,
    call_budgets,
    connection_health,
    health_checks,
    health_days,
    service_incidents,
)
from persistence.tables.metadata import metadata
from persistence.tables.operations import trusted_documents
from persistence.tables.people import (
    api_keys,
    idempotency_keys,
    invitations,
    memberships,
    operation_budgets,
    organizations,
    sessions,
    sign_in_flows,
    user_identities,
    users,
)

__all__ = [
    "NEVER_CHECKED",
    "api_keys",
    "audit_records",
    "authorization_flows",
    "call_budgets",
    "command_runs",
    "connection_events",
    "connection_health",
    "data_keys",
    "event_counters",
    "health_checks",
    "health_days",
    "idempotency_keys",
    "invitations",
    "memberships",
    "metadata",
    "operation_budgets",
    "organizations",
    "repositories",
    "repository_sync_pages",
    "repository_syncs",
    "service_connections",
    "service_credentials",
    "service_incidents",
    "sessions",
    "sign_in_flows",
    "tasks",
    "trusted_documents",
    "user_identities",
    "users",
    "webhook_deliveries",
]
