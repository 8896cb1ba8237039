"""Tables of health: when connections are checked, what was found, and how their services are.

Read through `persistence/tables`.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from persistence.column_types import Identifier, Timestamp, json_column, ordered_text
from persistence.probe_column import probe_column
from persistence.tables.connections import CONNECTION_KEY
from persistence.tables.metadata import metadata

NEVER_CHECKED = "1970-01-01T00:00:00+00:00"
"""Where a connection stands in the order of CHECKED_AT before its first check."""

connection_health = Table(  # what changes with every check, apart from all that seldom does and is in many indexes
    "connection_health",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("connection_id", Identifier, nullable=False),
    Column("service", ordered_text(), nullable=False),
    Column("next_check_at", Timestamp),
    Column("next_trigger", Text, nullable=False, server_default="SCHEDULE"),  # why it is then
    Column("lease", Identifier),  # of whoever checks it now
    Column("leased_until", Timestamp),
    Column("checked_at", Timestamp),
    Column("checked_order", Timestamp, Computed(f"coalesce(checked_at, '{NEVER_CHECKED}')", persisted=True)),
    Column("latency_ms", Integer),
    Column("finding", Text),  # what a check has to find for there to be no news
    Column("diagnosis_id", Identifier),  # the check that found it probe by probe
    Column("diagnosed_at", Timestamp),
    Column("rate_limit_limit", Integer),
    Column("rate_limit_remaining", Integer),
    Column("rate_limit_reset_at", Timestamp),
    Column("rate_limit_blocked_until", Timestamp),
    PrimaryKeyConstraint("organization_id", "connection_id"),
    ForeignKeyConstraint(["organization_id", "connection_id"], CONNECTION_KEY),
    Index("ix_connection_health_by_checked_order", "organization_id", "checked_order", "connection_id"),
    postgresql_with={"fillfactor": 50},  # room for the next version of each row beside it
)

Index(
    "ix_connection_health_due",
    connection_health.c.service,
    connection_health.c.next_check_at,
    unique=False,
    postgresql_where=text("next_check_at IS NOT NULL"),
    sqlite_where=text("next_check_at IS NOT NULL"),
)

call_budgets = Table(
    "call_budgets",
    metadata,
    Column("service", ordered_text(), nullable=False),
    Column("host", ordered_text(), nullable=False),
    Column("holder", ordered_text(), nullable=False),  # the account at the service
    Column("full_at", Timestamp, nullable=False),  # when all calls that may be made at once are there again
    Column("blocked_until", Timestamp),
    PrimaryKeyConstraint("service", "host", "holder"),
    Index(None, "full_at"),
    postgresql_with={"fillfactor": 50},
)

service_incidents = Table(
    "service_incidents",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("service", ordered_text(), nullable=False),
    Column("host", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("started_at", Timestamp, nullable=False),
    Column("next_probe_at", Timestamp, nullable=False),
    Column("ended_at", Timestamp),
)

Index(
    "uq_service_incidents_open",
    service_incidents.c.service,
    service_incidents.c.host,
    unique=True,
    postgresql_where=text("ended_at IS NULL"),
    sqlite_where=text("ended_at IS NULL"),
)

health_checks = Table(
    "health_checks",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("id", Identifier, nullable=False, unique=True),
    Column("connection_id", Identifier, nullable=False),
    Column("status", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("message", Text),
    Column("started_at", Timestamp, nullable=False),
    Column("latency_ms", Integer, nullable=False),
    Column("trigger", Text, nullable=False),
    probe_column("probes"),
    Column("diagnosis_id", Identifier),  # the earlier check whose probes are this one's, too; null where it has its own
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "connection_id"], CONNECTION_KEY),
    Index(None, "organization_id", "connection_id", "started_at", "id"),
)

health_days = Table(  # days in UTC; those of a connection are without gaps, up to the last one that is counted
    "health_days",
    metadata,
    Column("organization_id", Identifier, nullable=False),
    Column("connection_id", Identifier, nullable=False),
    Column("ended_at", Timestamp, nullable=False),  # the midnight with which the next day begins
    Column("ended_as", Text, nullable=False),  # what was found last, which is carried into the next day
    Column("up_microseconds", BigInteger, nullable=False),
    Column("degraded_microseconds", BigInteger, nullable=False),  # a part of those up
    Column("down_microseconds", BigInteger, nullable=False),
    Column("checks", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    json_column("latencies"),  # how many checks of each mark, by its milliseconds
    PrimaryKeyConstraint("organization_id", "connection_id", "ended_at"),
    ForeignKeyConstraint(["organization_id", "connection_id"], CONNECTION_KEY),
)
