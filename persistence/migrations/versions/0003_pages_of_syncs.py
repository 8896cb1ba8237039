"""A page of a repository sync is a row of its own. What syncs knew is dropped: the next ones list everything anew."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from persistence.column_types import Identifier, Timestamp, json_column

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.drop_table("repository_syncs")
    _create_syncs(sa.Column("revision", sa.BigInteger, nullable=False), sa.Column("wanted_since", Timestamp))
    op.create_table(
        "repository_sync_pages",
        sa.Column("organization_id", Identifier, nullable=False),
        sa.Column("connection_id", Identifier, nullable=False),
        sa.Column("previous", sa.Boolean, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("at", sa.Text),
        sa.Column("etag", sa.Text),
        sa.Column("next", sa.Text),
        json_column("external_ids"),
        sa.PrimaryKeyConstraint("organization_id", "connection_id", "previous", "position"),
        sa.ForeignKeyConstraint(
            ["organization_id", "connection_id"],
            ["repository_syncs.organization_id", "repository_syncs.connection_id"],
        ),
    )


def downgrade() -> None:
    op.drop_table("repository_sync_pages")
    op.drop_table("repository_syncs")
    _create_syncs(pages=(json_column("pages"), json_column("previous")))


def _create_syncs(*last: sa.Column[object], pages: Sequence[sa.Column[object]] = ()) -> None:
    op.create_table(
        "repository_syncs",
        sa.Column("organization_id", Identifier, nullable=False),
        sa.Column("connection_id", Identifier, nullable=False),
        sa.Column("started_at", Timestamp),
        *pages,
        sa.Column("added", sa.Integer, nullable=False),
        sa.Column("updated", sa.Integer, nullable=False),
        sa.Column("unchanged", sa.Integer, nullable=False),
        sa.Column("completed_at", Timestamp),
        *last,
        sa.PrimaryKeyConstraint("organization_id", "connection_id"),
        sa.ForeignKeyConstraint(
            ["organization_id", "connection_id"], ["service_connections.organization_id", "service_connections.id"]
        ),
    )
