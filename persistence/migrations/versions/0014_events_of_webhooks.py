"""What services have reported lately is counted along an index of its own."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_INDEX = "ix_connection_events_of_webhooks"


def upgrade() -> None:
    condition = sa.text("type = 'WEBHOOK_RECEIVED'")
    op.create_index(
        _INDEX,
        "connection_events",
        ["organization_id", "connection_id", "occurred_at"],
        postgresql_where=condition,
        sqlite_where=condition,
    )


def downgrade() -> None:
    op.drop_index(_INDEX, "connection_events")
