"""Plans: a second equal operation compiles and validates nothing, and each root field is one statement; on PostgreSQL
each order of connections reads its own index."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, text

from domain.entities.user import Role, Viewer
from persistence.database import Database
from persistence.tables import audit_records, command_runs, connection_events, connection_health, service_connections
from tests.documents.data import World, make_world, store
from tests.documents.reading import Reading, reading
from tests.documents.values import Values
from tests.every_row import every_row
from tests.postgresql import PostgresqlServer

pytestmark = pytest.mark.anyio

_PAGE = """query (
  $by: OrganizationBy!, $first: Int, $after: String, $filter: ServiceConnectionFilter, $order: OrderDirection!,
  $events: ConnectionEventFilter, $since: DateTime!, $with: Boolean!
) {
  organization(by: $by) {
    connections(first: $first, after: $after, filter: $filter, orderBy: {field: NAME, direction: $order}) {
      totalCount
      edges {
        cursor
        node { name health { uptime(since: $since) } events(first: $first, filter: $events) { nodes { id } } }
      }
      pageInfo { hasNextPage endCursor }
    }
    name @include(if: $with)
  }
}"""
_VARIABLES: dict[str, Any] = {
    "by": {"slug": "acme"},
    "first": 3,
    "after": None,
    "filter": {"status": ["ACTIVE", "ERROR"], "search": "a", "labels": {"team": "platform"}},
    "order": "ASC",
    "events": {"types": ["CREATED"], "connectionIds": []},
    "since": "2026-01-01T00:00:00Z",
    "with": True,
}


@pytest.fixture
def viewer(world: World) -> Viewer:
    return Values(world).viewers()[0]


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"by": {"slug": "globex"}},
        {"by": {"slug": "nowhere"}},
        {"first": 100},
        {"filter": {"status": ["ACTIVE"], "search": "", "labels": {}}},
        {"filter": {"status": [], "search": "x'\"", "labels": {"a": "b", "ü": "🚀"}}},
        {"events": {"types": ["DELETED", "CREATED"], "connectionIds": ["conn_00000000-0000-4000-8000-000000000000"]}},
        {"since": "0001-01-01T00:00:00Z"},
    ],
    ids=str,
)
async def test_an_operation_of_the_same_shape_compiles_and_validates_nothing(
    read_path: Reading, viewer: Viewer, other: dict[str, Any]
) -> None:
    await read_path.data(_PAGE, viewer, _VARIABLES)
    before = read_path.documents.compiled, read_path.schema.operations.validated
    await read_path.data(_PAGE, viewer, _VARIABLES | other)
    await read_path.data(_PAGE, Viewer(UUID(int=7), "", viewer.role_cap), _VARIABLES | other)
    assert (read_path.documents.compiled, read_path.schema.operations.validated) == before


async def test_going_on_needs_one_more_plan_for_all_cursors(read_path: Reading, viewer: Viewer) -> None:
    variables = _VARIABLES | {"filter": None, "first": 4}
    page = (await read_path.data(_PAGE, viewer, variables))["organization"]["connections"]
    await read_path.data(_PAGE, viewer, variables | {"after": page["edges"][0]["cursor"]})
    before = read_path.documents.compiled
    for edge in page["edges"]:
        await read_path.data(_PAGE, viewer, variables | {"after": edge["cursor"]})
    assert read_path.documents.compiled == before


@pytest.mark.parametrize(
    "other",
    [
        {"order": "DESC"},
        {"with": False},
        {"filter": None},
        {"filter": {"status": ["ACTIVE"]}},
        {"by": {"id": "org_00000000-0000-4000-8000-000000000000"}},
    ],
    ids=str,
)
async def test_another_shape_is_another_plan_of_the_same_operation(
    read_path: Reading, viewer: Viewer, other: dict[str, Any]
) -> None:
    await read_path.data(_PAGE, viewer, _VARIABLES)
    read_path.documents._plans.clear()
    await read_path.data(_PAGE, viewer, _VARIABLES)
    before = read_path.documents.compiled, read_path.schema.operations.validated
    await read_path.data(_PAGE, viewer, _VARIABLES | other)
    assert (read_path.documents.compiled, read_path.schema.operations.validated) == (before[0] + 1, before[1])


_DEEPEST = """{
  organization(by: {slug: "acme"}) {
    members(first: 2) { nodes { organization { connections(first: 2) { nodes { organization { repositories(first: 2) {
      nodes { connection { credential { id } } }
    } } } } } } }
  }
  viewer { memberships { nodes { organization { connections { nodes { repositories { totalCount } } } } } } }
  again: organization(by: {slug: "globex"}) { connectionSummary { byStatus { count } expiringCredentials } eventCursor }
  services { id }
}"""


async def test_a_root_field_is_one_statement(read_path: Reading, world: World, viewer: Viewer) -> None:
    ids = [f"conn_{row['id']}" for row in world.table("service_connections")[:5]]
    one = "id ... on ServiceConnection { events { nodes { actor { user { name } } } } }"
    for query, count in [
        (_DEEPEST, 3),
        ("{services {id}}", 0),
        (f"{{node(id: {json.dumps(ids[0])}) {{{one}}}}}", 1),
        (f"{{nodes(ids: {json.dumps(ids)}) {{{one}}}}}", 1),
        ('{node(id: "nothing") {id}}', 0),
    ]:
        await read_path.data(query, viewer)  # the first time, the driver may ask about types
        assert len(await _sent(read_path, query, viewer)) == count


async def test_commands_are_one_statement_for_the_state_of_all_connections_and_one_for_those_shown(
    read_path: Reading, viewer: Viewer
) -> None:
    shown = "connections(first: 50) { usable reasons { code } connection { id name health { status } } }"
    chosen = "command { id } connection { id name } runnersUp { connection { id name } } refused { connection { id } }"
    for fields, count in [
        ("commands { usable reasons { code } connectionCount }", 1),
        ("commands { connections(first: 50) { usable reasons { code } } }", 1),
        (f"commands {{ command {{ id }} {shown} }}", 2),
        (f'commands(eventType: "issues") {{ {shown} }} again: commands {{ {shown} }}', 4),
        ('commandSelection(input: {commandId: "github.read_file"}) { explanation confidence }', 1),
        (f'commandSelection(input: {{text: "read a file"}}) {{ {chosen} }}', 2),  # nothing can be run there
    ]:
        query = f'{{ organization(by: {{slug: "acme"}}) {{ name {fields} }} }}'
        await read_path.data(query, viewer)
        assert len(await _sent(read_path, query, viewer)) == 1 + count, fields


async def _sent(path: Reading, query: str, viewer: Viewer, variables: dict[str, Any] | None = None) -> list[str]:
    """The statements that a query sends to the database."""
    await asyncio.sleep(0)  # asyncpg tells its loggers in the loop's next turn
    before = len(path.statements)
    await path.data(query, viewer, variables)
    await asyncio.sleep(0)
    return path.statements[before:]


_ORDERS = {
    "CREATED_AT": "ix_service_connections_by_created_at",
    "NAME": "ix_service_connections_by_name_key",
    "STATUS_CHANGED_AT": "ix_service_connections_by_status_changed_at",
    "CHECKED_AT": "ix_connection_health_by_checked_order",
}
_ORDERED = """query ($order: ServiceConnectionOrder!, $first: Int, $after: String, $last: Int, $before: String) {
  organization(by: {slug: "acme"}) {
    connections(orderBy: $order, first: $first, after: $after, last: $last, before: $before) {
      edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage }
    }
  }
}"""


@pytest.fixture(scope="module")
def large_url(postgresql_server: PostgresqlServer, postgresql_template: str) -> Iterator[str]:
    name = postgresql_server.create_database(template=postgresql_template)
    yield postgresql_server.url(name)
    postgresql_server.drop_database(name)


@pytest.fixture(scope="module")
async def large_reading(large_url: str) -> AsyncIterator[Reading]:
    """A database with some thousands of connections in one organization, and its statistics."""
    url, world = large_url, make_world()
    await store(world, url)
    row = next(row for row in world.table("service_connections") if row["deleted_at"] is None)
    rows = [
        row | {"id": UUID(int=number + 1), "name": f"More {number}", "name_key": f"more {number}"}
        for number in range(4_000)
    ]
    async with Database(url) as database:
        async with every_row(database) as connection:
            await connection.execute(insert(service_connections), rows)
            health = [
                {"organization_id": row["organization_id"], "connection_id": row["id"], "service": row["service"]}
                | {"checked_at": row["created_at"] + timedelta(seconds=number)}
                for number, row in enumerate(rows)
            ]
            await connection.execute(insert(connection_health), health)
            records = [
                row for row in world.table("audit_records") if row["organization_id"] == rows[0]["organization_id"]
            ]
            more = [records[number % len(records)] | {"id": UUID(int=number + 1)} for number in range(4_000)]
            await connection.execute(insert(audit_records), more)
            runs = [run for run in world.table("command_runs") if run["organization_id"] == rows[0]["organization_id"]]
            more = [runs[number % len(runs)] | {"id": UUID(int=number + 1)} for number in range(4_000)]
            await connection.execute(insert(command_runs), more)
            told = [one for one in world.table("connection_events") if one["organization_id"] == row["organization_id"]]
            more = [
                told[number % len(told)] | {"id": UUID(int=number + 1), "sequence": 10_000 + number}
                for number in range(4_000)
            ]
            await connection.execute(insert(connection_events), more)
        async with database.engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE"))
    async with reading(url) as path:
        yield path


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("order", _ORDERS)
async def test_each_order_reads_its_own_index(
    large_reading: Reading, viewer: Viewer, order: str, direction: str
) -> None:
    ordered = {"order": {"field": order, "direction": direction}}
    first = (await large_reading.data(_ORDERED, viewer, ordered | {"first": 20}))["organization"]["connections"]
    cursor = first["edges"][10]["cursor"]
    for given in ({"first": 20}, {"first": 20, "after": cursor}, {"last": 20}, {"last": 20, "before": cursor}):
        await large_reading.data(_ORDERED, viewer, ordered | given)
        (sql,) = await _sent(large_reading, _ORDERED, viewer, ordered | given)
        plan = await _generic_plan(large_reading.database, sql)
        assert _ORDERS[order] in plan
        assert "Seq Scan on service_connections" not in plan


_SEARCHED = """query ($order: ServiceConnectionOrder!, $text: String!) {
  organization(by: {slug: "acme"}) {
    connections(orderBy: $order, filter: {search: $text}) { nodes { name } }
  }
}"""


@pytest.mark.parametrize("order", _ORDERS)
async def test_a_search_reads_no_row_that_does_not_match(large_reading: Reading, viewer: Viewer, order: str) -> None:
    variables = {"order": {"field": order, "direction": "DESC"}, "text": "more 399"}
    found = (await large_reading.data(_SEARCHED, viewer, variables))["organization"]["connections"]
    assert len(found["nodes"]) == 11
    (sql,) = await _sent(large_reading, _SEARCHED, viewer, variables)
    plan = await _generic_plan(large_reading.database, sql)
    if order == "CHECKED_AT":  # when they were checked is read of those that match
        assert re.search(r"pk_connection_health .*\n +Index Cond: .*connection_id = ANY", plan)
        return
    assert re.search(f"Index Only Scan (Backward )?using {_ORDERS[order]} ", plan)
    assert "Seq Scan on service_connections" not in plan


_AUDIT = """query ($filter: AuditLogFilter, $after: String) { organization(by: {slug: "acme"}) {
  auditLog(first: 20, after: $after, filter: $filter) { nodes { action } pageInfo { hasNextPage endCursor } }
} }"""


@pytest.mark.parametrize("by", ["occurred_at", "action", "actor_user_id"])
async def test_the_audit_log_reads_the_index_of_what_is_asked_for(
    large_reading: Reading, world: World, by: str
) -> None:
    user = world.table("users")[1]
    filters: dict[str, Any] = {"action": {"actions": ["SIGNED_IN"]}, "actor_user_id": {"userId": f"user_{user['id']}"}}
    owner, variables = Viewer(user["id"], user["name"], Role.OWNER), {"filter": filters.get(by)}
    page = (await large_reading.data(_AUDIT, owner, variables))["organization"]["auditLog"]
    assert len(page["nodes"]) == 20
    for after in (None, page["pageInfo"]["endCursor"]):
        (sql,) = await _sent(large_reading, _AUDIT, owner, variables | {"after": after})
        plan = await _generic_plan(large_reading.database, sql)
        column = "" if by == "occurred_at" else f"{by}_"
        assert f"ix_audit_records_organization_id_{column}occurred_at_id" in plan
        assert "Seq Scan on audit_records" not in plan


_RUNS = """query ($filter: CommandRunFilter, $after: String) { organization(by: {slug: "acme"}) {
  commandRuns(first: 20, after: $after, filter: $filter) {
    nodes { id connection { id } }
    pageInfo { hasNextPage endCursor }
  }
} }"""
_RUNS_OF_CONNECTION = """query ($id: ID!, $after: String) { node(id: $id) { ... on ServiceConnection {
  commandRuns(first: 2, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } }
} } }"""


@pytest.mark.parametrize("by", ["created_at", "status", "command"])
async def test_runs_of_commands_read_the_index_of_what_is_asked_for(
    large_reading: Reading, viewer: Viewer, by: str
) -> None:
    filters: dict[str, Any] = {
        "status": {"statuses": ["UNKNOWN"]},
        "command": {"commandIds": ["github.create_issue", "slack.post_message"]},
    }
    variables = {"filter": filters.get(by)}
    page = (await large_reading.data(_RUNS, viewer, variables))["organization"]["commandRuns"]
    assert len(page["nodes"]) == 20
    for after in (None, page["pageInfo"]["endCursor"]):
        (sql,) = await _sent(large_reading, _RUNS, viewer, variables | {"after": after})
        plan = await _generic_plan(large_reading.database, sql)
        column = "" if by == "created_at" else f"{by}_"
        assert f"ix_command_runs_organization_id_{column}created_at_id" in plan
        assert "Seq Scan on command_runs" not in plan


async def test_runs_through_a_connection_read_their_own_index(large_reading: Reading, viewer: Viewer) -> None:
    runs = (await large_reading.data(_RUNS, viewer, {"filter": None}))["organization"]["commandRuns"]["nodes"]
    variables = {"id": runs[0]["connection"]["id"], "after": None}
    (sql,) = await _sent(large_reading, _RUNS_OF_CONNECTION, viewer, variables)
    plan = await _generic_plan(large_reading.database, sql)
    assert "ix_command_runs_organization_id_connection_id_created_at_id" in plan
    assert "Seq Scan on command_runs" not in plan


_IMPACT = """query ($id: ID!) { node(id: $id) { ... on ServiceConnection {
  impact { repositories selectedRepositories hasAlternative commands commandRuns webhooksReceived }
} } }"""


async def test_an_impact_counts_along_indexes(large_reading: Reading, world: World, viewer: Viewer) -> None:
    told = next(row for row in world.table("connection_events") if row["type"] == "WEBHOOK_RECEIVED")
    variables = {"id": f"conn_{told['connection_id']}"}
    (sql,) = await _sent(large_reading, _IMPACT, viewer, variables)
    plan = await _generic_plan(large_reading.database, sql)
    assert "Index Only Scan using ix_connection_events_of_webhooks" in plan
    assert "ix_command_runs_organization_id_connection_id_created_at_id" in plan
    for table in ("connection_events", "command_runs", "service_connections"):
        assert f"Seq Scan on {table}" not in plan


async def _generic_plan(database: Database, sql: str) -> str:
    """How PostgreSQL reads it after some calls, when it no longer looks at the values."""
    parameters = max(int(number) for number in re.findall(r"\$(\d+)", sql))
    async with database.driver_connection() as connection:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE page AS {sql}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE page ({', '.join(['null'] * parameters)})")
        await connection.execute("DEALLOCATE page; RESET plan_cache_mode")
    return "\n".join(row[0] for row in rows)
