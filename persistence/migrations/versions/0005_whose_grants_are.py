"""Flows say whose grant waits in them, and Slack's webhooks no longer mean connections that live by a token.

Such a token may be of another app, which sees less than the operator's. What waits at this moment stays nameless.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("authorization_flows", sa.Column("grant_fingerprint", sa.Text))
    op.add_column("authorization_flows", sa.Column("grant_webhook_key", sa.Text))
    op.execute(
        "UPDATE service_connections SET webhook_key = NULL WHERE service = 'slack' AND webhook_key IS NOT NULL "
        "AND EXISTS (SELECT 1 FROM service_credentials c WHERE c.organization_id = service_connections.organization_id "
        "AND c.connection_id = service_connections.id AND c.kind = 'TOKEN')"
    )


def downgrade() -> None:
    """The earlier version learns the keys of tokens anew, with each connection's next check."""
    op.drop_column("authorization_flows", "grant_webhook_key")
    op.drop_column("authorization_flows", "grant_fingerprint")
