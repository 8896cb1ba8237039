"""Runs of commands are kept: what was asked, what came of it, and who has the call in hand."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from persistence.column_types import Identifier, Timestamp, json_column, ordered_text

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "command_runs",
        sa.Column("organization_id", Identifier, nullable=False),
        sa.Column("id", Identifier, nullable=False, unique=True),
        sa.Column("connection_id", Identifier, nullable=False),
        sa.Column("command", ordered_text(), nullable=False),
        json_column("arguments"),
        sa.Column("least_role", sa.Text, nullable=False),
        sa.Column("mutating", sa.Boolean, nullable=False),
        sa.Column("repeatable", sa.Boolean, nullable=False),
        sa.Column("status", ordered_text(), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("actor_user_id", Identifier, sa.ForeignKey("users.id")),
        sa.Column("actor_api_key_id", Identifier, sa.ForeignKey("api_keys.id")),
        sa.Column("address", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("started_at", Timestamp),
        sa.Column("finished_at", Timestamp),
        sa.Column("duration_ms", sa.Integer),
        json_column("result", nullable=True),
        sa.Column("url", sa.Text),
        sa.Column("error_kind", sa.Text),
        sa.Column("error_code", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("error_remedy", sa.Text),
        sa.Column("error_retry_after_seconds", sa.Integer),
        sa.Column("error_argument", sa.Text),
        sa.Column("lease", Identifier),
        sa.Column("leased_until", Timestamp),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.ForeignKeyConstraint(
            ["organization_id", "connection_id"], ["service_connections.organization_id", "service_connections.id"]
        ),
        sa.Index(None, "organization_id", "created_at", "id"),
        sa.Index(None, "organization_id", "connection_id", "created_at", "id"),
        sa.Index(None, "organization_id", "status", "created_at", "id"),
        sa.Index(None, "organization_id", "command", "created_at", "id"),
        sa.Index(None, "created_at"),
    )
    leased = sa.text("leased_until IS NOT NULL")
    op.create_index(
        "ix_command_runs_leased_until",
        "command_runs",
        ["leased_until"],
        postgresql_where=leased,
        sqlite_where=leased,
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute("alter table command_runs enable row level security")
        op.execute("alter table command_runs force row level security")
        op.execute(f"create policy reach on command_runs using ({_EVERYWHERE} or organization_id = any({_REACHED}))")


def downgrade() -> None:
    op.drop_table("command_runs")


_EVERYWHERE = "(select current_setting('app.org', true) = '*')"
_REACHED = "(select string_to_array(nullif(current_setting('app.org', true), '*'), ',')::uuid[])::uuid[]"
