"""The tables: what is kept, under which keys, and the indexes that reads rely on. Migrations bring databases to this.

Tenant tables have the key (organization_id, id), so that a row is reached only through its organization. Each typed id
also has a unique index of its own, from which `node(id:)` starts.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from persistence.column_types import Identifier, Timestamp, json_column, ordered_text
from persistence.probe_column import probe_column, with_probe_type

metadata = with_probe_type(
    MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
)

NEVER_CHECKED = "1970-01-01T00:00:00+00:00"
"""Where a connection stands in the order of CHECKED_AT before its first check."""

organizations = Table(
    "organizations",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("slug", ordered_text(), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Column("version", Integer, nullable=False),
    Column("check_interval_seconds", Integer, nullable=False, server_default="300"),
)

event_counters = Table(
    "event_counters",
    metadata,
    Column("organization_id", Identifier, ForeignKey("organizations.id"), primary_key=True),
    Column("epoch", Integer, nullable=False),  # rises when the database is restored from a backup
    Column("sequence", BigInteger, nullable=False),  # of the newest event; 0: none yet
    Column("pruned_sequence", BigInteger, nullable=False),  # of the newest event that retention has removed
)

users = Table(
    "users",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("email_key", ordered_text(), unique=True),
    Column("avatar_url", Text),
    Column("created_at", Timestamp, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("organization_id", Identifier, ForeignKey("organizations.id"), nullable=False),
    Column("user_id", Identifier, ForeignKey("users.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("joined_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("organization_id", "user_id"),
    Index(None, "user_id", "organization_id"),
    Index(None, "organization_id", "joined_at", "user_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("organization_id", Identifier, ForeignKey("organizations.id"), nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("user_id", Identifier, ForeignKey("users.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp),
    Column("revoked_at", Timestamp),
    Column("last_used_at", Timestamp),
    PrimaryKeyConstraint("organization_id", "id"),
)

service_connections = Table(
    "service_connections",
    metadata,
    Column("organization_id", Identifier, ForeignKey("organizations.id"), nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("service", ordered_text(), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", ordered_text(), nullable=False),
    Column("status", ordered_text(), nullable=False),
    Column("status_reason_code", Text),
    Column("status_reason_message", Text),
    Column("status_reason_remedy", Text),
    Column("status_changed_at", Timestamp, nullable=False),
    Column("account_id", Text),
    Column("account_name", Text),
    Column("account_url", Text),
    Column("account_avatar_url", Text),
    json_column("required_scopes"),
    json_column("granted_scopes"),
    json_column("missing_scopes"),
    Column("health_status", ordered_text(), nullable=False),
    Column("health_message", Text),
    Column("health_consecutive_failures", Integer, nullable=False),
    probe_column("health_probes"),
    Column("webhook_key", ordered_text()),  # what the service's webhooks call it
    Column("grant_told_at", Timestamp),  # the latest moment of which they have reported on the grant
    json_column("labels"),
    json_column("settings"),
    Column("version", Integer, nullable=False),
    Column("created_by", Identifier, ForeignKey("users.id")),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Column("deleted_at", Timestamp),
    PrimaryKeyConstraint("organization_id", "id"),
)

_alive = text("deleted_at IS NULL")

for _order in ("created_at", "name_key", "status_changed_at"):
    Index(
        f"ix_service_connections_by_{_order}",
        service_connections.c.organization_id,
        service_connections.c[_order],
        service_connections.c.id,
        *([] if _order == "name_key" else [service_connections.c.name_key]),  # so that a search reads indexes only
        unique=False,
        postgresql_where=_alive,
        sqlite_where=_alive,
    )
for _filtered in (
    "status",
    "health_status",
    "service",
):  # so that few among many are found without a walk past the others
    Index(
        f"ix_service_connections_by_{_filtered}",
        service_connections.c.organization_id,
        service_connections.c[_filtered],
        service_connections.c.created_at,
        service_connections.c.id,
        unique=False,
        postgresql_where=_alive,
        sqlite_where=_alive,
    )
Index(  # of all organizations: a webhook doesn't know whose a connection is
    "ix_service_connections_by_webhook_key",
    service_connections.c.service,
    service_connections.c.webhook_key,
    unique=False,
    postgresql_where=text("webhook_key IS NOT NULL AND deleted_at IS NULL"),
    sqlite_where=text("webhook_key IS NOT NULL AND deleted_at IS NULL"),
)
Index(
    "ix_service_connections_deleted_at",
    service_connections.c.deleted_at,
    unique=False,
    postgresql_where=text("deleted_at IS NOT NULL"),
    sqlite_where=text("deleted_at IS NOT NULL"),
)
Index(
    "uq_service_connections_name",
    service_connections.c.organization_id,
    service_connections.c.name_key,
    unique=True,
    postgresql_where=_alive,
    sqlite_where=_alive,
)

_CONNECTION_KEY = ["service_connections.organization_id", "service_connections.id"]

connection_health = Table(  # what changes with every check, apart from all that seldom does and is in many indexes
    "connection_health",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("connection_id", Identifier, nullable=False),
    Column("service", ordered_text(), nullable=False),
    Column("next_check_at", Timestamp),
    Column("next_trigger", Text, nullable=False, server_default="SCHEDULE"),  # why it is then
    Column("lease", Identifier),  # of whoever checks it now
    Column("leased_until", Timestamp),
    Column("checked_at", Timestamp),
    Column("checked_order", Timestamp, Computed(f"coalesce(checked_at, '{NEVER_CHECKED}')", persisted=True)),
    Column("latency_ms", Integer),
    Column("finding", Text),  # what a check has to find for there to be no news
    Column("diagnosis_id", Identifier),  # the check that found it probe by probe
    Column("diagnosed_at", Timestamp),
    Column("rate_limit_limit", Integer),
    Column("rate_limit_remaining", Integer),
    Column("rate_limit_reset_at", Timestamp),
    Column("rate_limit_blocked_until", Timestamp),
    PrimaryKeyConstraint("organization_id", "connection_id"),
    ForeignKeyConstraint(["organization_id", "connection_id"], _CONNECTION_KEY),
    Index("ix_connection_health_by_checked_order", "organization_id", "checked_order", "connection_id"),
    postgresql_with={"fillfactor": 50},  # room for the next version of each row beside it
)

Index(
    "ix_connection_health_due",
    connection_health.c.service,
    connection_health.c.next_check_at,
    unique=False,
    postgresql_where=text("next_check_at IS NOT NULL"),
    sqlite_where=text("next_check_at IS NOT NULL"),
)

call_budgets = Table(
    "call_budgets",
    metadata,
    Column("service", ordered_text(), nullable=False),
    Column("host", ordered_text(), nullable=False),
    Column("holder", ordered_text(), nullable=False),  # the account at the service
    Column("full_at", Timestamp, nullable=False),  # when all calls that may be made at once are there again
    Column("blocked_until", Timestamp),
    PrimaryKeyConstraint("service", "host", "holder"),
    Index(None, "full_at"),
    postgresql_with={"fillfactor": 50},
)

service_incidents = Table(
    "service_incidents",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("service", ordered_text(), nullable=False),
    Column("host", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("started_at", Timestamp, nullable=False),
    Column("next_probe_at", Timestamp, nullable=False),
    Column("ended_at", Timestamp),
)

Index(
    "uq_service_incidents_open",
    service_incidents.c.service,
    service_incidents.c.host,
    unique=True,
    postgresql_where=text("ended_at IS NULL"),
    sqlite_where=text("ended_at IS NULL"),
)

service_credentials = Table(
    "service_credentials",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("connection_id", Identifier, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("key_id", ordered_text(), nullable=False, index=True),
    Column("fingerprint", Text, nullable=False),
    json_column("scopes", nullable=True),  # null: the service doesn't tell
    Column("expires_at", Timestamp),
    Column("refresh_expires_at", Timestamp),
    Column("refreshable", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("rotated_at", Timestamp, nullable=False),
    Column("last_used_at", Timestamp),
    Column("lease", Identifier),  # of whoever refreshes it now
    Column("leased_until", Timestamp),
    Column(  # for good: what can be refreshed outlives `expires_at`
        "ends_at",
        Timestamp,
        Computed("CASE WHEN refreshable THEN refresh_expires_at ELSE expires_at END", persisted=True),
    ),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "connection_id"),
    ForeignKeyConstraint(["organization_id", "connection_id"], _CONNECTION_KEY),
    Index(None, "organization_id", "ends_at", "id"),
    Index(None, "fingerprint"),
)

repositories = Table(
    "repositories",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("connection_id", Identifier, nullable=False),
    Column("external_id", ordered_text(), nullable=False),
    Column("full_name", Text, nullable=False),
    Column("full_name_key", ordered_text(), nullable=False),
    Column("url", Text, nullable=False),
    Column("default_branch", Text),
    Column("private", Boolean, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("selected", Boolean, nullable=False),
    Column("synced_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "connection_id", "external_id"),
    ForeignKeyConstraint(["organization_id", "connection_id"], _CONNECTION_KEY),
    Index(None, "organization_id", "connection_id", "full_name_key", "id"),
    Index(None, "organization_id", "full_name_key", "id"),
)

repository_syncs = Table(
    "repository_syncs",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("connection_id", Identifier, nullable=False),
    Column("started_at", Timestamp),
    Column("added", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("completed_at", Timestamp),
    Column("revision", BigInteger, nullable=False),
    Column("wanted_since", Timestamp),  # somebody needs a listing that begins then or later
    PrimaryKeyConstraint("organization_id", "connection_id"),
    ForeignKeyConstraint(["organization_id", "connection_id"], _CONNECTION_KEY),
)

repository_sync_pages = Table(
    "repository_sync_pages",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("connection_id", Identifier, nullable=False),
    Column("previous", Boolean, nullable=False),  # of the last complete listing, rather than of the running one
    Column("position", Integer, nullable=False),
    Column("at", Text),
    Column("etag", Text),
    Column("next", Text),
    json_column("external_ids"),
    PrimaryKeyConstraint("organization_id", "connection_id", "previous", "position"),
    ForeignKeyConstraint(
        ["organization_id", "connection_id"], ["repository_syncs.organization_id", "repository_syncs.connection_id"]
    ),
)

health_checks = Table(
    "health_checks",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("connection_id", Identifier, nullable=False),
    Column("status", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("message", Text),
    Column("started_at", Timestamp, nullable=False),
    Column("latency_ms", Integer, nullable=False),
    Column("trigger", Text, nullable=False),
    probe_column("probes"),
    Column("diagnosis_id", Identifier),  # the earlier check whose probes are this one's, too; null where it has its own
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "connection_id"], _CONNECTION_KEY),
    Index(None, "organization_id", "connection_id", "started_at", "id"),
)

health_days = Table(  # days in UTC; those of a connection are without gaps, up to the last one that is counted
    "health_days",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("connection_id", Identifier, nullable=False),
    Column("ended_at", Timestamp, nullable=False),  # the midnight with which the next day begins
    Column("ended_as", Text, nullable=False),  # what was found last, which is carried into the next day
    Column("up_microseconds", BigInteger, nullable=False),
    Column("degraded_microseconds", BigInteger, nullable=False),  # a part of those up
    Column("down_microseconds", BigInteger, nullable=False),
    Column("checks", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    json_column("latencies"),  # how many checks of each mark, by its milliseconds
    PrimaryKeyConstraint("organization_id", "connection_id", "ended_at"),
    ForeignKeyConstraint(["organization_id", "connection_id"], _CONNECTION_KEY),
)

connection_events = Table(
    "connection_events",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("epoch", Integer, nullable=False),
    Column("connection_id", Identifier, nullable=False),
    Column("type", Text, nullable=False),
    Column("occurred_at", Timestamp, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("actor_user_id", Identifier, ForeignKey("users.id")),
    Column("actor_api_key_id", Identifier, ForeignKey("api_keys.id")),
    Column("status_from", Text),
    Column("status_to", Text),
    Column("status_reason_code", Text),
    Column("status_reason_message", Text),
    Column("status_reason_remedy", Text),
    Column("health_check_id", Identifier),
    json_column("data"),
    PrimaryKeyConstraint("organization_id", "sequence"),
    ForeignKeyConstraint(["organization_id", "connection_id"], _CONNECTION_KEY),
    Index(None, "organization_id", "connection_id", "sequence"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Identifier, ForeignKey("users.id"), nullable=False),
    Column("operation", ordered_text(), nullable=False),
    Column("key", ordered_text(), nullable=False),
    Column("organization_id", Identifier, ForeignKey("organizations.id"), nullable=False),
    Column("input_hash", LargeBinary, nullable=False),
    Column("result_id", Identifier, nullable=False),
    Column("created_at", Timestamp, nullable=False, index=True),
    PrimaryKeyConstraint("user_id", "operation", "key"),
)

authorization_flows = Table(
    "authorization_flows",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("organization_id", Identifier, ForeignKey("organizations.id"), nullable=False),
    Column("user_id", Identifier, ForeignKey("users.id"), nullable=False),
    Column("api_key_id", Identifier),
    Column("service", ordered_text(), nullable=False),
    Column("method", Text, nullable=False),
    Column("connection_id", Identifier),
    Column("name", Text),
    json_column("labels"),
    json_column("settings"),
    json_column("scopes"),
    Column("return_to", Text),
    Column("popup", Boolean, nullable=False),
    Column("allow_account_change", Boolean, nullable=False),
    Column("stage", Text, nullable=False),
    Column("start_hash", LargeBinary, nullable=False, unique=True),
    Column("state_hash", LargeBinary, unique=True),
    Column("cookie_hash", LargeBinary),
    Column("code_hash", LargeBinary, unique=True),
    Column("sealed_verifier", Text),
    Column("sealed_grant", Text),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False, index=True),
    Column("grant_fingerprint", Text),
    Column("grant_webhook_key", Text),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("kind", ordered_text(), nullable=False),
    Column("subject_id", Identifier, nullable=False),
    Column("organization_id", Identifier, ForeignKey("organizations.id")),  # null: of the whole server
    Column("due_at", Timestamp, nullable=False),
    Column("attempts", Integer, nullable=False),
    json_column("payload"),
    Column("lease", Identifier),
    Column("leased_until", Timestamp),
    Column("put_again_at", Timestamp),  # wanted once more while it was running: due then
    UniqueConstraint("subject_id", "kind"),
    Index(None, "kind", "due_at", "id"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("service", ordered_text(), nullable=False),
    Column("delivery_id", ordered_text(), nullable=False),
    Column("event", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Timestamp, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("processed_at", Timestamp),
    UniqueConstraint("service", "delivery_id"),
)

data_keys = Table(
    "data_keys",
    metadata,
    Column("id", ordered_text(), primary_key=True),
    Column("wrapped", Text, nullable=False),
    Column("provider_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
)

Index(  # so that two processes that set up an empty database agree on one key
    "uq_data_keys_primary",
    data_keys.c.state,
    unique=True,
    postgresql_where=text("state = 'PRIMARY'"),
    sqlite_where=text("state = 'PRIMARY'"),
)
