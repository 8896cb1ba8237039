"""Tables of connections to services: what seldom changes of them, their credentials and their repositories.

Read through `persistence/tables`.
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
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from persistence.column_types import Identifier, Timestamp, json_column, ordered_text
from persistence.probe_column import probe_column
from persistence.tables.metadata import metadata

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

CONNECTION_KEY = ["service_connections.organization_id", "service_connections.id"]
"""What the rows of a connection refer to."""

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
    ForeignKeyConstraint(["organization_id", "connection_id"], CONNECTION_KEY),
    Index(None, "organization_id", "ends_at", "id", "connection_id"),  # the last one so that a filter reads no more
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
    ForeignKeyConstraint(["organization_id", "connection_id"], CONNECTION_KEY),
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
    ForeignKeyConstraint(["organization_id", "connection_id"], CONNECTION_KEY),
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
