"""What each person may still ask of the server is kept for all processes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from persistence.column_types import Identifier, Timestamp

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "operation_budgets",
        sa.Column("user_id", Identifier, primary_key=True),
        sa.Column("full_at", Timestamp, nullable=False, index=True),
        postgresql_with={"fillfactor": 50},
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute("alter table operation_budgets enable row level security")
        op.execute("alter table operation_budgets force row level security")
        op.execute("create policy reach on operation_budgets using ((select current_setting('app.org', true) = '*'))")


def downgrade() -> None:
    op.drop_table("operation_budgets")
