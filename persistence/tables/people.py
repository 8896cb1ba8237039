"""Tables of organizations, people, their part in organizations, and their keys.

Read through `persistence/tables`.
"""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from persistence.column_types import Identifier, Timestamp, ordered_text
from persistence.tables.metadata import metadata

organizations = Table(
    "organizations",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("slug", ordered_text(), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Column("version", Integer, nullable=False),
    Column("check_interval_seconds", Integer, nullable=False, server_default="300"),
)

users = Table(
    "users",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("email_key", ordered_text(), unique=True),
    Column("avatar_url", Text),
    Column("created_at", Timestamp, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("organization_id", Identifier, ForeignKey("organizations.id"), nullable=False),
    Column("user_id", Identifier, ForeignKey("users.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("joined_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("organization_id", "user_id"),
    Index(None, "user_id", "organization_id"),
    Index(None, "organization_id", "joined_at", "user_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("organization_id", Identifier, ForeignKey("organizations.id"), nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("user_id", Identifier, ForeignKey("users.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp),
    Column("revoked_at", Timestamp),
    Column("last_used_at", Timestamp),
    Column("confined", Boolean, nullable=False, server_default=false()),  # to the organization that issued it
    Column("made_by", Identifier, index=True),  # the key with which it was made
    PrimaryKeyConstraint("organization_id", "id"),
    Index(None, "organization_id", "created_at", "id"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Identifier, ForeignKey("users.id"), nullable=False),
    Column("operation", ordered_text(), nullable=False),
    Column("key", ordered_text(), nullable=False),
    Column("organization_id", Identifier, ForeignKey("organizations.id"), nullable=False),
    Column("input_hash", LargeBinary, nullable=False),
    Column("result_id", Identifier, nullable=False),
    Column("created_at", Timestamp, nullable=False, index=True),
    PrimaryKeyConstraint("user_id", "operation", "key"),
)

user_identities = Table(  # who a user is at which identity provider
    "user_identities",
    metadata,
    Column("issuer", ordered_text(), nullable=False),
    Column("subject", ordered_text(), nullable=False),
    Column("user_id", Identifier, ForeignKey("users.id"), nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("seen_at", Timestamp, nullable=False),
    Column("told_at", Timestamp),  # when the newest token was issued whose claims of membership were taken
    PrimaryKeyConstraint("issuer", "subject"),
    Index(None, "user_id"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("organization_id", Identifier, ForeignKey("organizations.id"), nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("email", Text, nullable=False),
    Column("email_key", ordered_text(), nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("invited_by", Identifier, ForeignKey("users.id")),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False, index=True),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "email_key"),
    Index(None, "organization_id", "created_at", "id"),
)

sign_in_flows = Table(  # browsers that have been sent to an identity provider and aren't back yet
    "sign_in_flows",
    metadata,
    Column("state_hash", LargeBinary, primary_key=True),
    Column("browser_hash", LargeBinary, nullable=False),  # of the cookie that the same browser has to bring back
    Column("issuer", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("sealed_verifier", Text, nullable=False),
    Column("return_to", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False, index=True),
)

operation_budgets = Table(  # what people have asked of this server lately
    "operation_budgets",
    metadata,
    Column("user_id", Identifier, primary_key=True),  # no reference: a row says nothing for longer than an hour
    Column("full_at", Timestamp, nullable=False, index=True),  # when all that they may ask is there again
    postgresql_with={"fillfactor": 50},
)

sessions = Table(  # browsers in which somebody is signed in
    "sessions",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("user_id", Identifier, ForeignKey("users.id"), nullable=False),
    Column("issuer", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("seen_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False, index=True),  # for good, however much it is used
    Index(None, "user_id"),
)
