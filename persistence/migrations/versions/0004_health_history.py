"""Days of health, which outlive their checks, and when a credential ends for good."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from persistence.column_types import Identifier, Timestamp, json_column, ordered_text

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_CONNECTION_KEY = ["service_connections.organization_id", "service_connections.id"]
_OLD_INDEX = "ix_service_credentials_organization_id_expires_at"
_INDEX = "ix_service_credentials_organization_id_ends_at_id"


def upgrade() -> None:
    op.create_table(
        "health_days",
        sa.Column("organization_id", Identifier, nullable=False),
        sa.Column("connection_id", Identifier, nullable=False),
        sa.Column("ended_at", Timestamp, nullable=False),
        sa.Column("ended_as", sa.Text, nullable=False),
        sa.Column("up_microseconds", sa.BigInteger, nullable=False),
        sa.Column("degraded_microseconds", sa.BigInteger, nullable=False),
        sa.Column("down_microseconds", sa.BigInteger, nullable=False),
        sa.Column("checks", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        json_column("latencies"),
        sa.PrimaryKeyConstraint("organization_id", "connection_id", "ended_at"),
        sa.ForeignKeyConstraint(["organization_id", "connection_id"], _CONNECTION_KEY),
    )
    if op.get_bind().dialect.name == "sqlite":
        _write_credentials_anew([_ends_at()], (_INDEX, ["organization_id", "ends_at", "id"]))
    else:
        op.add_column("service_credentials", _ends_at())
        op.drop_index(_OLD_INDEX, "service_credentials")
        op.create_index(_INDEX, "service_credentials", ["organization_id", "ends_at", "id"])


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _write_credentials_anew([], (_OLD_INDEX, ["organization_id", "expires_at"]))
    else:
        op.drop_index(_INDEX, "service_credentials")
        op.create_index(_OLD_INDEX, "service_credentials", ["organization_id", "expires_at"])
        op.drop_column("service_credentials", "ends_at")
    op.drop_table("health_days")


def _ends_at() -> "sa.Column[object]":
    ends_at = "CASE WHEN refreshable THEN refresh_expires_at ELSE expires_at END"
    return sa.Column("ends_at", Timestamp, sa.Computed(ends_at, persisted=True))


def _write_credentials_anew(further: "Sequence[sa.Column[object]]", index: tuple[str, list[str]]) -> None:
    """SQLite adds no column to a table whose values it has to work out and keep."""
    for name in ("key_id", "fingerprint"):
        op.drop_index(f"ix_service_credentials_{name}", "service_credentials")
    op.drop_index(_INDEX if index[0] == _OLD_INDEX else _OLD_INDEX, "service_credentials")
    op.rename_table("service_credentials", "old_service_credentials")
    columns = _columns()
    names = ", ".join(column.name for column in columns)
    op.create_table(
        "service_credentials",
        *columns,
        *further,
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.UniqueConstraint("organization_id", "connection_id"),
        sa.ForeignKeyConstraint(["organization_id", "connection_id"], _CONNECTION_KEY),
        sa.Index(None, "fingerprint"),
        sa.Index(*index[:1], *index[1]),
    )
    op.execute(f"INSERT INTO service_credentials ({names}) SELECT {names} FROM old_service_credentials")
    op.drop_table("old_service_credentials")


def _columns() -> "list[sa.Column[object]]":
    """Those of 0001."""
    return [
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
        sa.Column("refreshable", sa.Boolean, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("rotated_at", Timestamp, nullable=False),
        sa.Column("last_used_at", Timestamp),
        sa.Column("lease", Identifier),
        sa.Column("leased_until", Timestamp),
    ]
