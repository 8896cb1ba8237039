"""Tables of what happens and of what is to be done: the feed, the audit, background tasks, webhooks; and the data keys.

Read through `persistence/tables`.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from persistence.column_types import Identifier, Timestamp, json_column, ordered_text
from persistence.tables.connections import CONNECTION_KEY
from persistence.tables.metadata import metadata

event_counters = Table(
    "event_counters",
    metadata,
    Column("organization_id", Identifier, ForeignKey("organizations.id"), primary_key=True),
    Column("epoch", Integer, nullable=False),  # rises when the database is restored from a backup
    Column("sequence", BigInteger, nullable=False),  # of the newest event; 0: none yet
    Column("pruned_sequence", BigInteger, nullable=False),  # of the newest event that retention has removed
)

connection_events = Table(
    "connection_events",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("epoch", Integer, nullable=False),
    Column("connection_id", Identifier, nullable=False),
    Column("type", Text, nullable=False),
    Column("occurred_at", Timestamp, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("actor_user_id", Identifier, ForeignKey("users.id")),
    Column("actor_api_key_id", Identifier, ForeignKey("api_keys.id")),
    Column("status_from", Text),
    Column("status_to", Text),
    Column("status_reason_code", Text),
    Column("status_reason_message", Text),
    Column("status_reason_remedy", Text),
    Column("health_check_id", Identifier),
    json_column("data"),
    Column("address", Text),  # of whoever asked, as the server saw it: not for all who may read events
    Column("request_id", Text),
    PrimaryKeyConstraint("organization_id", "sequence"),
    ForeignKeyConstraint(["organization_id", "connection_id"], CONNECTION_KEY),
    Index(None, "organization_id", "connection_id", "sequence"),
)

_of_webhooks = text("type = 'WEBHOOK_RECEIVED'")

Index(  # so that what a service has reported lately is counted without a walk past all else
    "ix_connection_events_of_webhooks",
    connection_events.c.organization_id,
    connection_events.c.connection_id,
    connection_events.c.occurred_at,
    unique=False,
    postgresql_where=_of_webhooks,
    sqlite_where=_of_webhooks,
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("kind", ordered_text(), nullable=False),
    Column("subject_id", Identifier, nullable=False),
    Column("organization_id", Identifier, ForeignKey("organizations.id")),  # null: of the whole server
    Column("due_at", Timestamp, nullable=False),
    Column("attempts", Integer, nullable=False),
    json_column("payload"),
    Column("lease", Identifier),
    Column("leased_until", Timestamp),
    Column("put_again_at", Timestamp),  # wanted once more while it was running: due then
    UniqueConstraint("subject_id", "kind"),
    Index(None, "kind", "due_at", "id"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("service", ordered_text(), nullable=False),
    Column("delivery_id", ordered_text(), nullable=False),
    Column("event", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Timestamp, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("processed_at", Timestamp),
    UniqueConstraint("service", "delivery_id"),
)

data_keys = Table(
    "data_keys",
    metadata,
    Column("id", ordered_text(), primary_key=True),
    Column("wrapped", Text, nullable=False),
    Column("provider_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
)

Index(  # so that two processes that set up an empty database agree on one key
    "uq_data_keys_primary",
    data_keys.c.state,
    unique=True,
    postgresql_where=text("state = 'PRIMARY'"),
    sqlite_where=text("state = 'PRIMARY'"),
)

audit_records = Table(
    "audit_records",
    metadata,
    Column("organization_id", Identifier, ForeignKey("organizations.id"), nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("occurred_at", Timestamp, nullable=False),
    Column("action", ordered_text(), nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("actor_user_id", Identifier, ForeignKey("users.id")),
    Column("actor_api_key_id", Identifier, ForeignKey("api_keys.id")),
    Column("address", Text),  # of whoever asked, as the server saw it
    Column("request_id", Text),
    Column("subject_id", Text),  # the typed id of what it was done to
    Column("subject_name", Text),  # as it was called then
    json_column("data"),
    PrimaryKeyConstraint("organization_id", "id"),
    Index(None, "organization_id", "occurred_at", "id"),
    Index(None, "organization_id", "action", "occurred_at", "id"),
    Index(None, "organization_id", "actor_user_id", "occurred_at", "id"),
    Index(None, "occurred_at"),
)
