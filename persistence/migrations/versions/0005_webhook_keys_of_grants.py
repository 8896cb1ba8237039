"""Slack's webhooks no longer mean connections that live by a token: it may be of another app, which sees less."""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute(
        "UPDATE service_connections SET webhook_key = NULL WHERE service = 'slack' AND webhook_key IS NOT NULL "
        "AND EXISTS (SELECT 1 FROM service_credentials c WHERE c.organization_id = service_connections.organization_id "
        "AND c.connection_id = service_connections.id AND c.kind = 'TOKEN')"
    )


def downgrade() -> None:
    """Nothing: the earlier version learns the keys anew, with each connection's next check."""
