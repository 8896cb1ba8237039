"""Health over time is the same whether its days are counted or not, and reads no checks of days that are."""

import random
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from graphql import parse
from sqlalchemy import delete, insert, text

from domain.entities.health import HealthStatus
from domain.entities.health_day import DAY
from domain.entities.identifiers import new_id
from domain.entities.task import WHOLE_SERVER, Task, TaskKind
from domain.entities.user import Viewer
from domain.health_days import day_of
from domain.health_history import HealthHistory
from persistence.tables import health_checks, health_days, service_connections
from persistence.unit_of_work import SqlUnitsOfWork
from tests.documents.data import World, make_world, store
from tests.documents.reading import Reading, reading
from tests.documents.slow_evaluator import SlowEvaluator
from tests.documents.values import Values
from tests.documents.world_maker import NOW
from tests.every_row import every_row

pytestmark = pytest.mark.anyio

TODAY = day_of(NOW)
DAYS = 40
TASK = Task(new_id(), TaskKind.COMPACT_HEALTH, WHOLE_SERVER, None, NOW)

_ONE = """query ($id: ID!, $t: DateTime!, $bucket: SeriesBucket) {
  node(id: $id) { ... on ServiceConnection { health {
    uptime(since: $t)
    latency(since: $t) { p50Ms p95Ms p99Ms }
    series(since: $t, bucket: $bucket) { start uptime checks failures latency { p50Ms p95Ms p99Ms } }
  } } }
}"""
_PAGE = """query ($t: DateTime!) {
  organization(by: {slug: "acme"}) { connections(first: 100) { nodes { health {
    uptime(since: $t) latency(since: $t) { p95Ms } series(since: $t) { start uptime latency { p95Ms } }
  } } } }
}"""


@pytest.fixture
def viewer(world: World) -> Viewer:
    return Values(world).viewers()[0]


@pytest.fixture
async def watched(database_url: str) -> AsyncIterator[Reading]:
    """A world whose connections have been checked for weeks; nothing is counted."""
    world = make_world()
    chance = random.Random(7)  # noqa: S311 - checks, not a secret
    world.rows.update({"connection_events": [], "health_checks": [], "health_days": []})
    for connection in world.table("service_connections")[:12]:
        moments = sorted(NOW - timedelta(seconds=chance.uniform(0, DAYS * 86_400)) for _ in range(400))
        moments[5] = day_of(moments[5])
        world.rows["health_checks"] += [_check(connection, moment, chance) for moment in moments]
    await store(world, database_url)
    async with reading(database_url) as path:
        yield path


def _check(connection: dict[str, Any], at: datetime, chance: random.Random) -> dict[str, Any]:
    return {
        "organization_id": connection["organization_id"],
        "id": UUID(int=chance.getrandbits(128), version=4),
        "connection_id": connection["id"],
        "status": chance.choice(list(HealthStatus)).value,
        "verdict": "PASSED",
        "message": None,
        "started_at": at,
        "latency_ms": chance.choice([chance.randrange(300), chance.randrange(70_000)]),
        "trigger": "SCHEDULE",
        "probes": [],
    }


async def _connection_ids(path: Reading, viewer: Viewer) -> list[str]:
    found = await path.data('{organization(by: {slug: "acme"}) {connections(first: 100) {nodes {id}}}}', viewer)
    return [node["id"] for node in found["organization"]["connections"]["nodes"]]


def _history(path: Reading, kept_days: int = 7) -> HealthHistory:
    units = SqlUnitsOfWork(path.database, lambda organization_id: None)
    return HealthHistory(units, lambda: NOW, timedelta(days=kept_days))


async def _answers(path: Reading, viewer: Viewer, sinces: list[datetime], bucket: str) -> list[Any]:
    ids = await _connection_ids(path, viewer)
    return [
        (id_, since, (await path.data(_ONE, viewer, {"id": id_, "t": since.isoformat(), "bucket": bucket}))["node"])
        for id_ in ids
        for since in sinces
    ]


def _close(one: Any, other: Any) -> bool:
    """Equal, but for the sixth digit of a share."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < 2e-6
    return bool(one == other)


@pytest.mark.parametrize("bucket", ["DAY", "WEEK"])
async def test_counting_days_changes_no_answer_and_forgetting_checks_none_from_a_midnight_on(
    watched: Reading, viewer: Viewer, bucket: str
) -> None:
    midnights = [TODAY - days * DAY for days in (0, 1, 8, 30, 60)]
    others = [
        NOW - timedelta(hours=1),
        NOW - timedelta(days=2.3),
        NOW - timedelta(days=6.9),
        NOW - timedelta(days=33.3),
    ]
    before = await _answers(watched, viewer, midnights + others, bucket)
    assert sum(node["health"]["uptime"] is not None for _, _, node in before) > 40
    await _history(watched).compact(TASK)
    counted = await _answers(watched, viewer, midnights + others, bucket)
    assert all(map(_close, (node for *_, node in counted), (node for *_, node in before)))
    await _history(watched).forget(TASK)
    after = await _answers(watched, viewer, midnights + others, bucket)
    for (_, since, node), (_, _, expected) in zip(after, before, strict=True):
        if since != others[-1]:
            assert _close(node, expected)
        assert _close(node["health"]["series"], expected["health"]["series"])


async def test_a_day_whose_checks_are_forgotten_counts_in_proportion(watched: Reading, viewer: Viewer) -> None:
    [id_, *_] = await _connection_ids(watched, viewer)
    connection = UUID(id_.removeprefix("conn_"))
    day = TODAY - 20 * DAY
    async with every_row(watched.database) as writing:
        await writing.execute(delete(health_checks).where(health_checks.c.connection_id == connection))
        (row,) = await writing.execute(
            service_connections.select()
            .where(service_connections.c.id == connection)
            .with_only_columns(service_connections.c.organization_id)
        )
        half = {"up_microseconds": 43_200_000_000, "down_microseconds": 43_200_000_000, "latencies": {"100": 3}}
        whole = {"up_microseconds": 86_400_000_000, "down_microseconds": 0, "latencies": {"471": 1}}
        both = {"organization_id": row.organization_id, "connection_id": connection, "degraded_microseconds": 0}
        more = {"checks": 3, "failures": 1, "ended_as": "UNKNOWN"}
        await writing.execute(
            insert(health_days),
            [both | more | half | {"ended_at": day + DAY}, both | more | whole | {"ended_at": day + 2 * DAY}],
        )
    since = day + timedelta(hours=18)
    health = (await watched.data(_ONE, viewer, {"id": id_, "t": since.isoformat(), "bucket": "DAY"}))["node"]["health"]
    assert health["uptime"] == pytest.approx((3 + 24) / (6 + 24), abs=1e-6)
    assert health["latency"] == {"p50Ms": 100, "p95Ms": 471, "p99Ms": 471}
    first, second, *rest = health["series"]
    assert (first["start"], first["uptime"], first["checks"], first["failures"]) == (day.isoformat(), 0.5, 3, 1)
    assert second["uptime"] == 1
    assert rest == [
        {"start": (day + days * DAY).isoformat(), "uptime": None, "checks": 0, "failures": 0, "latency": None}
        for days in range(2, 21)
    ]


async def test_hours_are_answered_as_the_slow_evaluator_does(
    read_path: Reading, evaluator: SlowEvaluator, world: World, viewer: Viewer
) -> None:
    for row in world.table("service_connections"):
        for hours in (-5, 0, 2, 31, 167):
            since = NOW - timedelta(hours=hours)
            given = {"id": f"conn_{row['id']}", "t": since.isoformat(), "bucket": "HOUR"}
            expected = evaluator.answer(parse(_ONE), given, viewer)
            assert expected.errors is None
            assert _close(await read_path.data(_ONE, viewer, given), expected.data)


@pytest.mark.parametrize(
    ("bucket", "since", "most", "count"),
    [
        ("DAY", NOW - timedelta(days=400), 400, 401),
        ("HOUR", NOW - timedelta(hours=169), 169, 170),
        ("WEEK", datetime(1, 1, 1, tzinfo=UTC), 400, 105_707),
        ("DAY", datetime(1, 1, 1, tzinfo=UTC), 400, 739_943),
    ],
)
async def test_too_many_points_are_refused(
    read_path: Reading, viewer: Viewer, bucket: str, since: datetime, most: int, count: int
) -> None:
    [id_, *_] = await _connection_ids(read_path, viewer)
    answer = await read_path.answer(_ONE, viewer, {"id": id_, "t": since.isoformat(), "bucket": bucket})
    assert answer.error == (
        "BAD_USER_INPUT",
        f"A series has at most {most} points by {bucket}; since then there are {count}. "
        "Ask for longer ones, or from a later moment on.",
    )


async def test_as_many_points_as_there_may_be_and_none(read_path: Reading, viewer: Viewer) -> None:
    [id_, *_] = await _connection_ids(read_path, viewer)
    for bucket, since, count in [
        ("DAY", NOW - timedelta(days=399), 400),
        ("HOUR", NOW - timedelta(hours=168), 169),
        ("WEEK", NOW - timedelta(days=399 * 7), 400),
        ("DAY", NOW, 1),
        ("DAY", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), 0),
    ]:
        given = {"id": id_, "t": since.isoformat(), "bucket": bucket}
        points = (await read_path.data(_ONE, viewer, given))["node"]["health"]["series"]
        assert len(points) == count
        assert [point["start"] for point in points] == sorted({point["start"] for point in points})


async def test_points_cost(read_path: Reading, viewer: Viewer) -> None:
    since = (NOW - timedelta(days=300)).isoformat()
    answer = await read_path.answer(_PAGE, viewer, {"t": since})
    assert answer.error[0] == "COST_LIMIT_EXCEEDED"


async def test_the_same_operation_from_another_moment_compiles_nothing(read_path: Reading, viewer: Viewer) -> None:
    await read_path.data(_PAGE, viewer, {"t": NOW.isoformat()})
    before = read_path.documents.compiled
    await read_path.data(_PAGE, viewer, {"t": (NOW - timedelta(days=20.5)).isoformat()})
    assert read_path.documents.compiled == before


async def test_a_page_reads_days_and_checks_of_each_connection_along_their_indexes(
    watched: Reading, viewer: Viewer
) -> None:
    await _history(watched).compact(TASK)
    if watched.database.dialect_name == "postgresql":
        async with watched.database.engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE"))
    given = {"t": (NOW - timedelta(days=30.5)).isoformat()}
    await watched.data(_PAGE, viewer, given)
    before = len(watched.statements)
    await watched.data(_PAGE, viewer, given)
    sql = watched.statements[before]
    if watched.database.dialect_name == "sqlite":
        plan = await watched.database.fetch(f"EXPLAIN QUERY PLAN {sql}")
        steps = [str(row[3]) for row in plan]
        of_health = [step for step in steps if re.match(r"(SEARCH|SCAN) [a-z] ", step) and "VIRTUAL" not in step]
        assert len(of_health) > 10
        for step in of_health:
            # `k` is the newest day: the last entry of the index for a connection
            moment = "" if step.startswith("SEARCH k ") else r" AND (started_at|ended_at)[<>=]"
            assert re.search(rf"\(organization_id=\? AND connection_id=\?{moment}", step), step
    else:
        parameters = max(int(number) for number in re.findall(r"\$(\d+)", sql))
        async with watched.database.driver_connection() as driver:
            await driver.execute("SET plan_cache_mode = force_generic_plan")
            await driver.execute(f"PREPARE page AS {sql}")
            rows = await driver.fetch(f"EXPLAIN EXECUTE page ({', '.join(['null'] * parameters)})")
            await driver.execute("DEALLOCATE page; RESET plan_cache_mode")
        plan_text = "\n".join(row[0] for row in rows)
        assert "Seq Scan on health" not in plan_text
        assert "ix_health_checks_organization_id_connection_id_started_at_id" in plan_text
        assert "pk_health_days" in plan_text
