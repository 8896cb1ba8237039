"""People sign in by identity providers, are invited and keep sessions; what they do is recorded."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from persistence.column_types import Identifier, Timestamp, json_column, ordered_text

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("confined", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("api_keys", sa.Column("made_by", Identifier))
    op.create_index("ix_api_keys_made_by", "api_keys", ["made_by"])
    op.create_index("ix_api_keys_organization_id_created_at_id", "api_keys", ["organization_id", "created_at", "id"])
    op.create_table(
        "user_identities",
        sa.Column("issuer", ordered_text(), nullable=False),
        sa.Column("subject", ordered_text(), nullable=False),
        sa.Column("user_id", Identifier, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("seen_at", Timestamp, nullable=False),
        sa.Column("told_at", Timestamp),
        sa.PrimaryKeyConstraint("issuer", "subject"),
        sa.Index(None, "user_id"),
    )
    op.create_table(
        "invitations",
        sa.Column("organization_id", Identifier, sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("id", Identifier, nullable=False, unique=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", ordered_text(), nullable=False, index=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("invited_by", Identifier, sa.ForeignKey("users.id")),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("expires_at", Timestamp, nullable=False, index=True),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.UniqueConstraint("organization_id", "email_key"),
        sa.Index(None, "organization_id", "created_at", "id"),
    )
    op.create_table(
        "sign_in_flows",
        sa.Column("state_hash", sa.LargeBinary, primary_key=True),
        sa.Column("browser_hash", sa.LargeBinary, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("sealed_verifier", sa.Text, nullable=False),
        sa.Column("return_to", sa.Text, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("expires_at", Timestamp, nullable=False, index=True),
    )
    op.create_table(
        "sessions",
        sa.Column("id", Identifier, primary_key=True),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("user_id", Identifier, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("seen_at", Timestamp, nullable=False),
        sa.Column("expires_at", Timestamp, nullable=False, index=True),
        sa.Index(None, "user_id"),
    )
    op.create_table(
        "audit_records",
        sa.Column("organization_id", Identifier, sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("id", Identifier, nullable=False, unique=True),
        sa.Column("occurred_at", Timestamp, nullable=False),
        sa.Column("action", ordered_text(), nullable=False),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("actor_user_id", Identifier, sa.ForeignKey("users.id")),
        sa.Column("actor_api_key_id", Identifier, sa.ForeignKey("api_keys.id")),
        sa.Column("address", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("subject_id", sa.Text),
        sa.Column("subject_name", sa.Text),
        json_column("data"),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.Index(None, "organization_id", "occurred_at", "id"),
        sa.Index(None, "organization_id", "action", "occurred_at", "id"),
        sa.Index(None, "organization_id", "actor_user_id", "occurred_at", "id"),
        sa.Index(None, "occurred_at"),
    )
    op.add_column("connection_events", sa.Column("address", sa.Text))
    op.add_column("connection_events", sa.Column("request_id", sa.Text))


def downgrade() -> None:
    op.drop_column("connection_events", "request_id")
    op.drop_column("connection_events", "address")
    for table in ("audit_records", "sessions", "sign_in_flows", "invitations", "user_identities"):
        op.drop_table(table)
    op.drop_index("ix_api_keys_organization_id_created_at_id", "api_keys")
    op.drop_index("ix_api_keys_made_by", "api_keys")
    op.drop_column("api_keys", "made_by")
    op.drop_column("api_keys", "confined")
