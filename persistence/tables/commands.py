"""The table of the runs of commands. Read through `persistence/tables`."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from persistence.column_types import Identifier, Timestamp, json_column, ordered_text
from persistence.tables.connections import CONNECTION_KEY
from persistence.tables.metadata import metadata

command_runs = Table(
    "command_runs",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("connection_id", Identifier, nullable=False),
    Column("command", ordered_text(), nullable=False),
    json_column("arguments"),  # as they were given: they may hold what people wrote
    Column("least_role", Text, nullable=False),  # who may see arguments and result
    Column("mutating", Boolean, nullable=False),
    Column("repeatable", Boolean, nullable=False),
    Column("status", ordered_text(), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("actor_user_id", Identifier, ForeignKey("users.id")),
    Column("actor_api_key_id", Identifier, ForeignKey("api_keys.id")),
    Column("address", Text),  # of whoever asked, for the event of its end
    Column("request_id", Text),
    Column("created_at", Timestamp, nullable=False),
    Column("started_at", Timestamp),
    Column("finished_at", Timestamp),
    Column("duration_ms", Integer),
    json_column("result", nullable=True),
    Column("url", Text),
    Column("error_kind", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_remedy", Text),
    Column("error_retry_after_seconds", Integer),
    Column("error_argument", Text),
    Column("lease", Identifier),  # of whoever calls, or called and never told
    Column("leased_until", Timestamp),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "connection_id"], CONNECTION_KEY),
    Index(None, "organization_id", "created_at", "id"),
    Index(None, "organization_id", "connection_id", "created_at", "id"),
    Index(None, "organization_id", "status", "created_at", "id"),
    Index(None, "organization_id", "command", "created_at", "id"),
    Index(None, "created_at"),
)

Index(  # of all organizations: those that somebody calls for now, or should have told of
    "ix_command_runs_leased_until",
    command_runs.c.leased_until,
    unique=False,
    postgresql_where=text("leased_until IS NOT NULL"),
    sqlite_where=text("leased_until IS NOT NULL"),
)
