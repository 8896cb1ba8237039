"""Operators publish documents, which clients ask for by their ids."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from persistence.column_types import Timestamp, ordered_text

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "trusted_documents",
        sa.Column("id", ordered_text(), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("name", ordered_text(), nullable=False),
        sa.Column("first_published_at", Timestamp, nullable=False),
        sa.Column("published_at", Timestamp, nullable=False),
        sa.Column("used_at", Timestamp),
    )
    if op.get_context().dialect.name == "postgresql":  # the server's own, as 0009 has it for others of its kind
        op.execute("alter table trusted_documents enable row level security")
        op.execute("alter table trusted_documents force row level security")
        op.execute("create policy reach on trusted_documents using ((select current_setting('app.org', true) = '*'))")


def downgrade() -> None:
    op.drop_table("trusted_documents")
