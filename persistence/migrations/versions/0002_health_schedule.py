"""What every check changes moves from the rows of connections into narrow ones, which also say who checks now."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from persistence.column_types import Identifier, Timestamp, ordered_text

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_MOVED = {
    "health_checked_at": "checked_at",
    "health_next_check_at": "next_check_at",
    "health_latency_ms": "latency_ms",
    "rate_limit_limit": "rate_limit_limit",
    "rate_limit_remaining": "rate_limit_remaining",
    "rate_limit_reset_at": "rate_limit_reset_at",
    "rate_limit_blocked_until": "rate_limit_blocked_until",
}
_NEVER_CHECKED = "1970-01-01T00:00:00+00:00"


def upgrade() -> None:
    op.create_table(
        "connection_health",
        sa.Column("organization_id", Identifier, nullable=False),
        sa.Column("connection_id", Identifier, nullable=False),
        sa.Column("service", ordered_text(), nullable=False),
        sa.Column("next_check_at", Timestamp),
        sa.Column("next_trigger", sa.Text, nullable=False, server_default="SCHEDULE"),
        sa.Column("lease", Identifier),
        sa.Column("leased_until", Timestamp),
        sa.Column("checked_at", Timestamp),
        sa.Column("checked_order", Timestamp, sa.Computed(f"coalesce(checked_at, '{_NEVER_CHECKED}')", persisted=True)),
        sa.Column("latency_ms", sa.Integer),
        sa.Column("finding", sa.Text),
        sa.Column("diagnosis_id", Identifier),
        sa.Column("diagnosed_at", Timestamp),
        sa.Column("rate_limit_limit", sa.Integer),
        sa.Column("rate_limit_remaining", sa.Integer),
        sa.Column("rate_limit_reset_at", Timestamp),
        sa.Column("rate_limit_blocked_until", Timestamp),
        sa.PrimaryKeyConstraint("organization_id", "connection_id"),
        sa.ForeignKeyConstraint(
            ["organization_id", "connection_id"], ["service_connections.organization_id", "service_connections.id"]
        ),
        sa.Index("ix_connection_health_by_checked_order", "organization_id", "checked_order", "connection_id"),
        sa.Index(
            "ix_connection_health_due",
            "service",
            "next_check_at",
            postgresql_where=sa.text("next_check_at IS NOT NULL"),
            sqlite_where=sa.text("next_check_at IS NOT NULL"),
        ),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "call_budgets",
        sa.Column("service", ordered_text(), nullable=False),
        sa.Column("host", ordered_text(), nullable=False),
        sa.Column("holder", ordered_text(), nullable=False),
        sa.Column("full_at", Timestamp, nullable=False),
        sa.Column("blocked_until", Timestamp),
        sa.PrimaryKeyConstraint("service", "host", "holder"),
        sa.Index(None, "full_at"),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "service_incidents",
        sa.Column("id", Identifier, primary_key=True),
        sa.Column("service", ordered_text(), nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("started_at", Timestamp, nullable=False),
        sa.Column("next_probe_at", Timestamp, nullable=False),
        sa.Column("ended_at", Timestamp),
        sa.Index(
            "uq_service_incidents_open",
            "service",
            "host",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
            sqlite_where=sa.text("ended_at IS NULL"),
        ),
    )
    op.execute(
        f"INSERT INTO connection_health (organization_id, connection_id, service, {', '.join(_MOVED.values())}) "
        f"SELECT organization_id, id, service, {', '.join(_MOVED)} FROM service_connections"
    )
    op.drop_index("ix_service_connections_by_health_checked_order", "service_connections")
    for column in ("health_checked_order", *_MOVED):
        op.drop_column("service_connections", column)
    op.add_column(
        "organizations", sa.Column("check_interval_seconds", sa.Integer, nullable=False, server_default="300")
    )
    op.add_column("health_checks", sa.Column("diagnosis_id", Identifier))


def downgrade() -> None:
    op.drop_column("health_checks", "diagnosis_id")
    op.drop_column("organizations", "check_interval_seconds")
    with op.batch_alter_table("service_connections", table_args=_checks()) as table:
        for column in ("health_checked_at", "health_next_check_at", "rate_limit_reset_at", "rate_limit_blocked_until"):
            table.add_column(sa.Column(column, Timestamp))
        for column in ("health_latency_ms", "rate_limit_limit", "rate_limit_remaining"):
            table.add_column(sa.Column(column, sa.Integer))
        order = sa.Computed(f"coalesce(health_checked_at, '{_NEVER_CHECKED}')", persisted=True)
        table.add_column(sa.Column("health_checked_order", Timestamp, order))
    moved = ", ".join(
        f"{column} = (SELECT h.{of_health} FROM connection_health h WHERE h.organization_id = "
        f"service_connections.organization_id AND h.connection_id = service_connections.id)"
        for column, of_health in _MOVED.items()
    )
    op.execute(f"UPDATE service_connections SET {moved}")
    op.drop_table("connection_health")
    op.drop_table("service_incidents")
    op.drop_table("call_budgets")
    op.create_index(
        "ix_service_connections_by_health_checked_order",
        "service_connections",
        ["organization_id", "health_checked_order", "id", "name_key"],
        postgresql_where=sa.text("deleted_at IS NULL"),
        sqlite_where=sa.text("deleted_at IS NULL"),
    )


def _checks() -> tuple[sa.CheckConstraint, ...]:
    """SQLite's, which don't come along by themselves where it writes a table anew."""
    if op.get_bind().dialect.name != "sqlite":
        return ()
    columns = ("required_scopes", "granted_scopes", "missing_scopes", "health_probes", "labels", "settings")
    return tuple(
        sa.CheckConstraint(
            f"{column} IS NULL OR json_valid({column})", name=op.f(f"ck_service_connections_{column}_is_json")
        )
        for column in columns
    )
