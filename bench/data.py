"""The data that is measured on: organizations with connections as checks leave them, made by the database itself.

Called by the bench before anything is measured. Every connection has a credential, the seven probes of its latest check
and three repositories. One user is a member of every organization: all requests are made in their name.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import Column, make_url

from bench.processors import parent
from persistence.column_types import Timestamp
from persistence.tables import metadata
from tests.postgresql import PostgresqlServer

USER: Final = "bench@tether.example"


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is. Of every `rare` connections of an organization, one has failed."""

    organizations: int
    connections_each: int
    rare: int = 20

    @property
    def connections(self) -> int:
        return self.organizations * self.connections_each

    @property
    def all(self) -> Sequence[int]:
        """The numbers of all organizations."""
        return range(1, self.organizations + 1)

    @property
    def ten(self) -> Sequence[int]:
        """The numbers of ten organizations, from all over the database."""
        return self.all[:: self.organizations // 10]


def slug(organization: int) -> str:
    """The name in addresses of the organization with a number, counted from 1."""
    return f"organization-{organization}"


async def connect(database_url: str) -> Any:
    """An asyncpg.Connection to the database that one of Tether's addresses names. It sees every organization's rows."""
    return await asyncpg.connect(dsn(database_url), server_settings={"TimeZone": "UTC", "app.org": "*"})


def dsn(database_url: str) -> str:
    """The same address as other clients of PostgreSQL read it."""
    return make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)


async def load(database_url: str, size: Size) -> None:
    """Fill a migrated, empty database, and let it take stock. PostgreSQL 18 or later, for its `uuidv7`."""
    connection = await connect(database_url)
    try:
        await connection.execute("set session_replication_role = replica")  # looks up no foreign keys, which are right
        await connection.execute(_USER, USER)
        await connection.execute(ORGANIZATIONS, size.organizations)
        await connection.execute(COUNTERS)
        await connection.execute(_MEMBERSHIPS)
        await connection.execute(_CONNECTIONS, size.connections_each, size.rare)
        await connection.execute(_HEALTH)
        await connection.execute(_CREDENTIALS)
        await connection.execute(_REPOSITORIES)
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


async def connection_ids(database_url: str, most: int) -> list[str]:
    """Ids of connections as clients see them, from all over the organizations."""
    connection = await connect(database_url)
    try:
        rows = await connection.fetch("select 'conn_' || id from service_connections order by md5(id::text)")
    finally:
        await connection.close()
    return [row[0] for row in rows[:most]]


async def database_process(database_url: str) -> int:
    """The parent of all of PostgreSQL's processes."""
    connection = await connect(database_url)
    try:
        return parent(connection.get_server_pid())
    finally:
        await connection.close()


async def copy_to_sqlite(database_url: str, file: str) -> None:
    """Put the same rows into a migrated, empty SQLite database."""
    source, target = await connect(database_url), sqlite3.connect(file)
    try:
        for table in metadata.sorted_tables:
            columns = [column for column in table.columns if column.computed is None]
            names = ", ".join(column.name for column in columns)
            read = ", ".join(map(_as_on_sqlite, columns))
            rows = await source.fetch(f"select {read} from {table.name}")
            places = ", ".join("?" * len(columns))
            target.executemany(
                f"insert into {table.name} ({names}) values ({places})",
                ([str(value) if isinstance(value, UUID) else value for value in row] for row in rows),
            )
        target.execute("analyze")
        target.commit()
    finally:
        target.close()
        await source.close()


def _as_on_sqlite(column: Column[Any]) -> str:
    """An expression for what SQLite keeps of a column; UUIDs aside."""
    if isinstance(column.type, Timestamp):
        return f"to_json({column.name}) #>> '{{}}'"
    return f"to_json({column.name})::text" if column.name == "health_probes" else str(column.name)


def copy_for_peers(postgresql: PostgresqlServer, database_url: str) -> str:
    """The address of a copy in which connections are kept as most servers would: in one row, with probes as JSON.

    Peers would otherwise pay for records, from which they would have to have JSON made in each request, and for the
    row beside a connection's own that every check changes. Nor are they held to policies that they don't know of.
    """
    copy = postgresql.url(postgresql.create_database(template=make_url(database_url).database))
    asyncio.run(_keep_in_one_row(copy))
    return copy


async def _keep_in_one_row(database_url: str) -> None:
    connection = await connect(database_url)
    try:
        await connection.execute(
            "alter table service_connections alter column health_probes type json using to_json(health_probes)"
        )
        for column, type_ in _IN_ROW_BESIDE.items():
            await connection.execute(f"alter table service_connections add column {column} {type_}")
        moved = ", ".join(f"{column} = h.{column.removeprefix('health_')}" for column in _IN_ROW_BESIDE)
        same = "h.organization_id = c.organization_id and h.connection_id = c.id"
        await connection.execute(f"update service_connections c set {moved} from connection_health h where {same}")
        for table in metadata.sorted_tables:
            await connection.execute(f"alter table {table.name} disable row level security")
        await connection.execute("vacuum full analyze service_connections")
    finally:
        await connection.close()


_IN_ROW_BESIDE: Final = {
    "health_checked_at": "timestamptz",
    "health_next_check_at": "timestamptz",
    "health_latency_ms": "integer",
    "rate_limit_limit": "integer",
    "rate_limit_remaining": "integer",
    "rate_limit_reset_at": "timestamptz",
    "rate_limit_blocked_until": "timestamptz",
}

# Moments are whole milliseconds, since that is all that JavaScript's dates keep.
_NOW: Final = "timestamptz '2026-11-02T09:30:00Z'"

_USER: Final = f"""
insert into users (id, name, email, email_key, created_at) values (uuidv7(), 'Bench', $1, $1, {_NOW})
"""

ORGANIZATIONS: Final = f"""
insert into organizations (id, slug, name, created_at, updated_at, version)
select uuidv7(), 'organization-' || i, 'Organization ' || i, {_NOW}, {_NOW}, 1 from generate_series(1, $1::integer) i
"""

COUNTERS: Final = """
insert into event_counters (organization_id, epoch, sequence, pruned_sequence) select id, 1, 0, 0 from organizations
"""

_MEMBERSHIPS: Final = f"""
insert into memberships (organization_id, user_id, role, joined_at)
select o.id, u.id, 'OWNER', {_NOW} from organizations o, users u
"""

PROBES: Final = """'[' ||
'{"name":"credential_opens","outcome":"PASSED","code":"credential_opened",' ||
'"message":"The stored credential opens.","remedy":"NONE","latency_ms":null,"evidence":null},' ||
'{"name":"service_reachable","outcome":"PASSED","code":"reachable",' ||
'"message":"GitHub answers.","remedy":"NONE","latency_ms":' || 40 + i % 100 || ',"evidence":null},' ||
'{"name":"authenticates","outcome":"PASSED","code":"authenticated",' ||
'"message":"GitHub knows the credential as team-' || i || '.","remedy":"NONE","latency_ms":null,"evidence":null},' ||
'{"name":"same_account","outcome":"PASSED","code":"same_account",' ||
'"message":"It is still team-' || i || '.","remedy":"NONE","latency_ms":null,"evidence":null},' ||
'{"name":"scopes_suffice","outcome":"PASSED","code":"scopes_suffice",' ||
'"message":"The credential has the scopes that are needed.","remedy":"NONE","latency_ms":null,"evidence":null},' ||
'{"name":"quota_left","outcome":"PASSED","code":"quota_left",' ||
'"message":"4900 of 5000 calls are left.","remedy":"NONE","latency_ms":null,' ||
'"evidence":{"limit":5000,"remaining":4900,"resetAt":"2026-11-02T10:00:00+00:00"}},' ||
'{"name":"not_about_to_expire","outcome":"PASSED","code":"no_end_known",' ||
'"message":"The credential has no known end.","remedy":"NONE","latency_ms":null,"evidence":null}]'"""

_CONNECTIONS: Final = f"""
insert into service_connections (
    organization_id, id, service, name, name_key,
    status, status_reason_code, status_reason_message, status_reason_remedy, status_changed_at,
    account_id, account_name, account_url, account_avatar_url,
    required_scopes, granted_scopes, missing_scopes,
    health_status, health_message, health_consecutive_failures, health_probes,
    labels, settings, version, created_by, created_at, updated_at
)
select
    o.id, uuidv7(), case when i % 3 = 0 then 'slack' else 'github' end, 'Connection ' || i, 'connection ' || i,
    case when failed then 'ERROR' else 'ACTIVE' end,
    case when failed then 'unreachable' end,
    case when failed then 'The service could not be reached, five times in a row.' end,
    case when failed then 'WAIT' end,
    {_NOW} - i * interval '61.007 minutes',
    '10' || i, 'team-' || i, 'https://github.com/team-' || i,
    'https://avatars.githubusercontent.com/u/' || i || '?v=4',
    '["repo","read:org"]', '["repo","read:org","workflow"]', '[]',
    case when failed then 'UNHEALTHY' else 'HEALTHY' end,
    case when failed then 'GitHub could not be reached.' end,
    case when failed then 5 else 0 end,
    array(select p from json_populate_recordset(null::health_probe, ({PROBES})::json) p),
    json_build_object('team', 'team-' || i % 7, 'tier', i % 3 || ''), '{{}}', 1 + i % 5, u.id,
    {_NOW} - i * interval '73.011 minutes', {_NOW} - i * interval '31.003 seconds'
from organizations o, users u, generate_series(1, $1::integer) i, lateral (select i % $2::integer = 0 as failed) f
order by o.id, i
"""

_HEALTH: Final = f"""
insert into connection_health (
    organization_id, connection_id, service, checked_at, next_check_at, latency_ms,
    rate_limit_limit, rate_limit_remaining, rate_limit_reset_at
)
select
    organization_id, id, service,
    {_NOW} - i * interval '7.013 seconds', {_NOW} + i * interval '5.019 seconds', 40 + i % 100,
    5000, 4900, {_NOW} + interval '30 minutes'
from service_connections, lateral (select substr(name, length('Connection ') + 1)::integer as i) number
"""

_CREDENTIALS: Final = f"""
insert into service_credentials (
    organization_id, id, connection_id, kind, sealed, key_id, fingerprint, scopes, expires_at,
    refreshable, generation, created_at, rotated_at, last_used_at
)
select
    organization_id, uuidv7(), id, 'TOKEN', repeat('x', 160), 'none', 'sha256:' || substr(md5(id::text), 1, 12),
    '["repo","read:org"]', {_NOW} + interval '90 days', false, 1, created_at, created_at, updated_at
from service_connections
"""

_REPOSITORIES: Final = f"""
insert into repositories (
    organization_id, id, connection_id, external_id, full_name, full_name_key, url, default_branch,
    private, archived, selected, synced_at
)
select
    organization_id, uuidv7(), id, version || '0' || j, account_name || '/repository-' || j,
    account_name || '/repository-' || j, account_url || '/repository-' || j, 'main', j = 1, false, true, {_NOW}
from service_connections, generate_series(1, 3) j
"""
