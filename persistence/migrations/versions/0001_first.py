"""The first tables: people, organizations, connections with their credentials, health and events."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from persistence.column_types import Identifier, Timestamp, json_column, ordered_text
from persistence.probe_column import create_probe_type, drop_probe_type, probe_column

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    create_probe_type(op.get_bind())
    op.create_table(
        "organizations",
        sa.Column("id", Identifier, primary_key=True),
        sa.Column("slug", ordered_text(), nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("updated_at", Timestamp, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "event_counters",
        sa.Column("organization_id", Identifier, sa.ForeignKey("organizations.id"), primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("pruned_sequence", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("id", Identifier, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("email_key", ordered_text(), unique=True),
        sa.Column("avatar_url", sa.Text),
        sa.Column("created_at", Timestamp, nullable=False),
    )
    op.create_table(
        "memberships",
        sa.Column("organization_id", Identifier, sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("user_id", Identifier, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("joined_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "user_id"),
        sa.Index(None, "user_id", "organization_id"),
        sa.Index(None, "organization_id", "joined_at", "user_id"),
    )
    op.create_table(
        "api_keys",
        sa.Column("organization_id", Identifier, sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("id", Identifier, nullable=False, unique=True),
        sa.Column("user_id", Identifier, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("expires_at", Timestamp),
        sa.Column("revoked_at", Timestamp),
        sa.Column("last_used_at", Timestamp),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_table(
        "service_connections",
        sa.Column("organization_id", Identifier, sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("id", Identifier, nullable=False, unique=True),
        sa.Column("service", ordered_text(), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_key", ordered_text(), nullable=False),
        sa.Column("status", ordered_text(), nullable=False),
        sa.Column("status_reason_code", sa.Text),
        sa.Column("status_reason_message", sa.Text),
        sa.Column("status_reason_remedy", sa.Text),
        sa.Column("status_changed_at", Timestamp, nullable=False),
        sa.Column("account_id", sa.Text),
        sa.Column("account_name", sa.Text),
        sa.Column("account_url", sa.Text),
        sa.Column("account_avatar_url", sa.Text),
        json_column("required_scopes"),
        json_column("granted_scopes"),
        json_column("missing_scopes"),
        sa.Column("health_status", ordered_text(), nullable=False),
        sa.Column("health_message", sa.Text),
        sa.Column("health_checked_at", Timestamp),
        sa.Column(
            "health_checked_order",
            Timestamp,
            sa.Computed("coalesce(health_checked_at, '1970-01-01T00:00:00+00:00')", persisted=True),
        ),
        sa.Column("health_next_check_at", Timestamp),
        sa.Column("health_latency_ms", sa.Integer),
        sa.Column("health_consecutive_failures", sa.Integer, nullable=False),
        probe_column("health_probes"),
        sa.Column("rate_limit_limit", sa.Integer),
        sa.Column("rate_limit_remaining", sa.Integer),
        sa.Column("rate_limit_reset_at", Timestamp),
        sa.Column("rate_limit_blocked_until", Timestamp),
        json_column("labels"),
        json_column("settings"),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_by", Identifier, sa.ForeignKey("users.id")),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("updated_at", Timestamp, nullable=False),
        sa.Column("deleted_at", Timestamp),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.Index(
            "ix_service_connections_by_created_at",
            "organization_id",
            "created_at",
            "id",
            "name_key",
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        ),
        sa.Index(
            "ix_service_connections_by_name_key",
            "organization_id",
            "name_key",
            "id",
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        ),
        sa.Index(
            "ix_service_connections_by_status_changed_at",
            "organization_id",
            "status_changed_at",
            "id",
            "name_key",
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        ),
        sa.Index(
            "ix_service_connections_by_health_checked_order",
            "organization_id",
            "health_checked_order",
            "id",
            "name_key",
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        ),
        sa.Index(
            "ix_service_connections_by_status",
            "organization_id",
            "status",
            "created_at",
            "id",
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        ),
        sa.Index(
            "ix_service_connections_by_health_status",
            "organization_id",
            "health_status",
            "created_at",
            "id",
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        ),
        sa.Index(
            "ix_service_connections_by_service",
            "organization_id",
            "service",
            "created_at",
            "id",
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        ),
        sa.Index(
            "uq_service_connections_name",
            "organization_id",
            "name_key",
            unique=True,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        ),
    )
    op.create_table(
        "service_credentials",
        sa.Column("organization_id", Identifier, nullable=False),
        sa.Column("id", Identifier, nullable=False, unique=True),
        sa.Column("connection_id", Identifier, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("key_id", ordered_text(), nullable=False, index=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        json_column("scopes", nullable=True),
        sa.Column("expires_at", Timestamp),
        sa.Column("refresh_expires_at", Timestamp),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("rotated_at", Timestamp, nullable=False),
        sa.Column("last_used_at", Timestamp),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.UniqueConstraint("organization_id", "connection_id"),
        sa.ForeignKeyConstraint(
            ["organization_id", "connection_id"], ["service_connections.organization_id", "service_connections.id"]
        ),
        sa.Index(None, "organization_id", "expires_at"),
    )
    op.create_table(
        "repositories",
        sa.Column("organization_id", Identifier, nullable=False),
        sa.Column("id", Identifier, nullable=False, unique=True),
        sa.Column("connection_id", Identifier, nullable=False),
        sa.Column("external_id", ordered_text(), nullable=False),
        sa.Column("full_name", sa.Text, nullable=False),
        sa.Column("full_name_key", ordered_text(), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("default_branch", sa.Text),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("selected", sa.Boolean, nullable=False),
        sa.Column("synced_at", Timestamp, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.UniqueConstraint("organization_id", "connection_id", "external_id"),
        sa.ForeignKeyConstraint(
            ["organization_id", "connection_id"], ["service_connections.organization_id", "service_connections.id"]
        ),
        sa.Index(None, "organization_id", "connection_id", "full_name_key", "id"),
        sa.Index(None, "organization_id", "full_name_key", "id"),
    )
    op.create_table(
        "health_checks",
        sa.Column("organization_id", Identifier, nullable=False),
        sa.Column("id", Identifier, nullable=False, unique=True),
        sa.Column("connection_id", Identifier, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("message", sa.Text),
        sa.Column("started_at", Timestamp, nullable=False),
        sa.Column("latency_ms", sa.Integer, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        probe_column("probes"),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.ForeignKeyConstraint(
            ["organization_id", "connection_id"], ["service_connections.organization_id", "service_connections.id"]
        ),
        sa.Index(None, "organization_id", "connection_id", "started_at", "id"),
    )
    op.create_table(
        "connection_events",
        sa.Column("organization_id", Identifier, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("id", Identifier, nullable=False, unique=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("connection_id", Identifier, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("occurred_at", Timestamp, nullable=False),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("actor_user_id", Identifier, sa.ForeignKey("users.id")),
        sa.Column("actor_api_key_id", Identifier, sa.ForeignKey("api_keys.id")),
        sa.Column("status_from", sa.Text),
        sa.Column("status_to", sa.Text),
        sa.Column("status_reason_code", sa.Text),
        sa.Column("status_reason_message", sa.Text),
        sa.Column("status_reason_remedy", sa.Text),
        sa.Column("health_check_id", Identifier),
        json_column("data"),
        sa.PrimaryKeyConstraint("organization_id", "sequence"),
        sa.ForeignKeyConstraint(
            ["organization_id", "connection_id"], ["service_connections.organization_id", "service_connections.id"]
        ),
        sa.Index(None, "organization_id", "connection_id", "sequence"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", Identifier, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("operation", ordered_text(), nullable=False),
        sa.Column("key", ordered_text(), nullable=False),
        sa.Column("organization_id", Identifier, sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("input_hash", sa.LargeBinary, nullable=False),
        sa.Column("result_id", Identifier, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False, index=True),
        sa.PrimaryKeyConstraint("user_id", "operation", "key"),
    )
    op.create_table(
        "data_keys",
        sa.Column("id", ordered_text(), primary_key=True),
        sa.Column("wrapped", sa.Text, nullable=False),
        sa.Column("provider_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Index(
            "uq_data_keys_primary",
            "state",
            unique=True,
            postgresql_where=sa.text("state = 'PRIMARY'"),
            sqlite_where=sa.text("state = 'PRIMARY'"),
        ),
    )


def downgrade() -> None:
    for table in (
        "data_keys",
        "idempotency_keys",
        "connection_events",
        "health_checks",
        "repositories",
        "service_credentials",
        "service_connections",
        "api_keys",
        "memberships",
        "users",
        "event_counters",
        "organizations",
    ):
        op.drop_table(table)
    drop_probe_type(op.get_bind())
