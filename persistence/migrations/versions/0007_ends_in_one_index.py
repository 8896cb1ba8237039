"""The index of credentials' ends says whose they are, so that looking for those that end reads nothing else."""

from collections.abc import Sequence

from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_OLD = "ix_service_credentials_organization_id_ends_at_id"
_NEW = "ix_service_credentials_organization_id_ends_at_id_connection_id"


def upgrade() -> None:
    op.drop_index(_OLD, "service_credentials")
    op.create_index(_NEW, "service_credentials", ["organization_id", "ends_at", "id", "connection_id"])


def downgrade() -> None:
    op.drop_index(_NEW, "service_credentials")
    op.create_index(_OLD, "service_credentials", ["organization_id", "ends_at", "id"])
