"""Days are counted once, without gaps, whoever is killed meanwhile; checks are forgotten only after that."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from domain import health_history
from domain.entities.event import SCHEDULER
from domain.entities.health import HealthStatus
from domain.entities.health_day import DAY
from domain.entities.identifiers import new_id
from domain.entities.organization import Organization
from domain.entities.task import WHOLE_SERVER, Task, TaskKind
from domain.event_retention import EventRetention
from domain.health_days import CheckFound, DayCounter, day_of
from domain.health_history import REFERRED_TO, HealthHistory
from domain.latency_marks import latency_mark
from domain.ports import UnitOfWork
from domain.retention import BATCH
from persistence.database import Database
from persistence.row_security import Reach
from persistence.tables import health_checks, metadata
from persistence.unit_of_work import SqlUnitsOfWork
from tests.every_row import every_row
from tests.persistence.entities import draft, service_connection

pytestmark = pytest.mark.anyio

TODAY = datetime(2026, 11, 23, tzinfo=UTC)
MORNING = TODAY + timedelta(hours=7, minutes=30)
TASK = Task(new_id(), TaskKind.COMPACT_HEALTH, WHOLE_SERVER, None, MORNING)
NO_PROBES: list[Any] = []


class Killed(BaseException):
    """The process ends."""


class Units(SqlUnitsOfWork):
    """Units of work of a process that is killed when `left` of them have begun."""

    left = 1_000_000
    began = 0

    def begin(
        self, reach: Reach, organization_id: UUID | None, *, writes: bool
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        unit = super().begin(reach, organization_id, writes=writes)
        return self._killed_within(unit) if writes else unit

    @asynccontextmanager
    async def _killed_within(self, begun: AbstractAsyncContextManager[UnitOfWork]) -> AsyncIterator[UnitOfWork]:
        async with begun as unit:
            self.began += 1
            if self.began > self.left:
                raise Killed
            yield unit
            if self.began == self.left:
                raise Killed


@dataclass
class History:
    """A database with an organization, and its connections' checks as they are stored."""

    database: Database
    organization_id: UUID
    now: datetime = MORNING

    def work(self, units: SqlUnitsOfWork | None = None, kept_days: int = 7) -> HealthHistory:
        return HealthHistory(units or self.units, lambda: self.now, timedelta(days=kept_days))

    @property
    def units(self) -> Units:
        return Units(self.database, lambda organization_id: None)

    async def connection(self, *checks: CheckFound, name: str = "") -> UUID:
        made = service_connection(self.organization_id, name or f"Connection {new_id()}")
        async with self.units.writing(self.organization_id) as unit:
            await unit.connections.add(made)
            await unit.commit()
        await self.store(made.id, *checks)
        return made.id

    async def store(self, connection_id: UUID, *checks: CheckFound) -> None:
        rows = [
            {
                "organization_id": self.organization_id,
                "id": check.id,
                "connection_id": connection_id,
                "status": check.status,
                "verdict": "PASSED",
                "started_at": check.started_at,
                "latency_ms": check.latency_ms,
                "trigger": "SCHEDULE",
                "probes": NO_PROBES,
            }
            for check in checks
        ]
        if rows:
            async with every_row(self.database) as connection:
                await connection.execute(insert(health_checks), rows)

    async def rows(self, table: str, connection_id: UUID | None = None) -> list[dict[str, Any]]:
        of = metadata.tables[table]
        async with every_row(self.database) as connection:
            rows = [dict(row) for row in (await connection.execute(select(of))).mappings()]
        return [row for row in rows if connection_id is None or row["connection_id"] == connection_id]

    async def days(self, connection_id: UUID) -> list[dict[str, Any]]:
        return sorted(await self.rows("health_days", connection_id), key=lambda row: row["ended_at"])


@pytest.fixture
async def history(database_url: str) -> AsyncIterator[History]:
    async with Database(database_url) as database:
        organization = Organization.create(id=new_id(), slug="acme", name="Acme", now=MORNING)
        units = SqlUnitsOfWork(database, lambda organization_id: None)
        async with units.writing_everywhere() as unit:
            await unit.organizations.add(organization)
            await unit.commit()
        yield History(database, organization.id)


def check(at: datetime, status: HealthStatus = HealthStatus.HEALTHY, latency_ms: int = 100) -> CheckFound:
    return CheckFound(new_id(), at, status, latency_ms)


def made_up(seed: int, days: int, many: int) -> list[CheckFound]:
    chance = random.Random(seed)  # noqa: S311 - checks, not a secret
    at = sorted(MORNING - timedelta(seconds=chance.uniform(0, days * 86_400)) for _ in range(many))
    return [check(each, chance.choice(list(HealthStatus)), chance.randrange(70_000)) for each in at]


def expected(checks: list[CheckFound], until: datetime) -> list[dict[str, Any]]:
    """The rows of the days that have ended, without their connection."""
    finished = [each for each in checks if each.started_at < until]
    counter = DayCounter(day_of(finished[0].started_at))
    days = [day for each in finished for day in counter.add(each)]
    days += counter.finish(day_of(finished[-1].started_at) + DAY)
    return [
        {
            "ended_at": day.ended_at,
            "ended_as": day.ended_as.value,
            "up_microseconds": round(day.up.total_seconds() * 1_000_000),
            "degraded_microseconds": round(day.degraded.total_seconds() * 1_000_000),
            "down_microseconds": round(day.down.total_seconds() * 1_000_000),
            "checks": day.checks,
            "failures": day.failures,
            "latencies": {str(mark): count for mark, count in day.latencies.items()},
        }
        for day in days
    ]


def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name not in {"organization_id", "connection_id"}} for row in rows
    ]


async def test_finished_days_are_counted_and_today_is_not(history: History) -> None:
    checks = [check(TODAY - 3 * DAY + timedelta(hours=6)), check(TODAY - DAY, HealthStatus.UNHEALTHY, 2_000)]
    connection = await history.connection(*checks, check(TODAY + timedelta(hours=1)))
    await history.connection(check(TODAY + timedelta(hours=1)))
    await history.connection()
    await history.work().compact(TASK)
    days = await history.days(connection)
    assert plain(days) == expected(checks, TODAY)
    assert [(row["ended_at"], row["checks"], row["ended_as"]) for row in days] == [
        (TODAY - 2 * DAY, 1, "HEALTHY"),
        (TODAY - DAY, 0, "HEALTHY"),
        (TODAY, 1, "UNHEALTHY"),
    ]
    assert days[2]["latencies"] == {str(latency_mark(2_000)): 1}
    assert len(await history.rows("health_days")) == 3


async def test_a_day_waits_for_late_checks_and_stays_as_it_was_counted(history: History) -> None:
    connection = await history.connection(check(TODAY - timedelta(hours=1)))
    history.now = TODAY + timedelta(minutes=29)
    await history.work().compact(TASK)
    assert await history.days(connection) == []
    history.now = TODAY + timedelta(minutes=30)
    await history.work().compact(TASK)
    counted = await history.days(connection)
    assert [row["checks"] for row in counted] == [1]
    await history.store(connection, check(TODAY - timedelta(minutes=1), HealthStatus.UNHEALTHY))
    await history.work().compact(TASK)
    assert await history.days(connection) == counted


@pytest.mark.parametrize("seed", range(3))
async def test_whoever_is_killed_leaves_days_without_gaps_that_the_next_one_goes_on_from(
    history: History, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(health_history, "WALKED_AT_ONCE", 3)
    monkeypatch.setattr(health_history, "COUNTED_AT_ONCE", 2)
    monkeypatch.setattr(health_history, "CHECKS_AT_ONCE", 7)
    checks = [made_up(100 * seed + number, 30, 60) for number in range(7)]
    connections = [await history.connection(*each) for each in checks]
    killed = 0
    for left in range(1, 100):
        units = history.units
        units.left = left % 3 + 1
        try:
            await history.work(units).compact(TASK)
        except Killed:
            killed += 1
        else:
            break
        for connection, each in zip(connections, checks, strict=True):
            days = plain(await history.days(connection))
            assert days == expected(each, TODAY)[: len(days)]
    assert killed > 5
    for connection, each in zip(connections, checks, strict=True):
        assert plain(await history.days(connection)) == expected(each, TODAY)


async def test_what_is_counted_is_not_read_again(history: History) -> None:
    connection = await history.connection(*made_up(1, 20, 300))
    await history.work().compact(TASK)
    units = history.units
    await history.work(units).compact(TASK)
    assert units.began == 0
    history.now += DAY
    more = check(TODAY + timedelta(hours=9))
    await history.store(connection, more)
    await history.work(units).compact(TASK)
    assert units.began == 1
    assert (await history.days(connection))[-1]["ended_at"] == TODAY + DAY


async def test_checks_are_forgotten_after_their_time_and_only_when_their_day_is_counted(history: History) -> None:
    checks = made_up(5, 20, 400)
    connection = await history.connection(*checks)
    await history.work().forget(TASK)
    assert len(await history.rows("health_checks")) == 400
    await history.work().compact(TASK)
    await history.work().forget(TASK)
    oldest = TODAY - 7 * DAY - timedelta(hours=2)
    assert sorted(row["started_at"] for row in await history.rows("health_checks")) == [
        each.started_at for each in checks if each.started_at >= oldest
    ]
    assert plain(await history.days(connection)) == expected(checks, TODAY)


async def test_many_checks_are_forgotten_batch_by_batch(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_history, "CHECKS_AT_ONCE", 50)
    await history.connection(*made_up(6, 4, 200))
    await history.work().compact(TASK)
    units = history.units
    history.now += 30 * DAY
    await history.work(units, 2).forget(TASK)
    left = [row["started_at"] for row in await history.rows("health_checks")]
    assert all(at >= TODAY - REFERRED_TO for at in left)
    assert units.began == (200 - len(left)) // 50 + 1


async def test_days_are_kept_for_four_hundred_days(history: History) -> None:
    connection = await history.connection(check(TODAY - 420 * DAY), check(TODAY - 390 * DAY), check(TODAY - DAY))
    await history.work().compact(TASK)
    await history.work().forget(TASK)
    ends = [row["ended_at"] for row in await history.days(connection)]
    assert (ends[0], ends[-1], len(ends)) == (TODAY - 399 * DAY, TODAY, 400)
    history.now += 10 * DAY
    await history.work().forget(TASK)
    ends = [row["ended_at"] for row in await history.days(connection)]
    assert (ends[0], len(ends)) == (TODAY - 390 * DAY, 391)


async def test_the_newest_day_stays_so_that_nothing_is_counted_twice(history: History) -> None:
    connection = await history.connection(check(TODAY - 420 * DAY), check(TODAY - 410 * DAY, HealthStatus.DEGRADED))
    for began in (True, False):
        units = history.units
        await history.work(units, kept_days=3_650).compact(TASK)
        await history.work(units, kept_days=3_650).forget(TASK)
        assert (units.began > 0) is began
        [day] = await history.days(connection)
        assert (day["ended_at"], day["ended_as"], day["checks"]) == (TODAY - 409 * DAY, "DEGRADED", 1)


async def test_two_processes_count_at_once(history: History) -> None:
    checks = made_up(7, 25, 200)
    connection = await history.connection(*checks)
    await asyncio.gather(*(history.work().compact(TASK) for _ in range(3)))
    assert plain(await history.days(connection)) == expected(checks, TODAY)


async def test_old_events_are_forgotten_from_the_first_on(history: History) -> None:
    made = service_connection(history.organization_id)
    old = [replace(draft(made), occurred_at=MORNING - 91 * DAY) for _ in range(BATCH + 3)]
    old[-2] = replace(old[-2], occurred_at=MORNING)
    async with history.units.writing(history.organization_id) as unit:
        await unit.connections.add(made)
        await unit.events.append(old, SCHEDULER)
        await unit.commit()
    for _ in range(2):
        await EventRetention(history.units, lambda: history.now, 90 * DAY).forget(TASK)
        rows = await history.rows("connection_events")
        assert sorted(row["sequence"] for row in rows) == [BATCH + 2, BATCH + 3]
        [counter] = await history.rows("event_counters")
        assert (counter["sequence"], counter["pruned_sequence"]) == (BATCH + 3, BATCH + 1)
    history.now += 100 * DAY
    await EventRetention(history.units, lambda: history.now, 90 * DAY).forget(TASK)
    assert await history.rows("connection_events") == []
    [counter] = await history.rows("event_counters")
    assert counter["pruned_sequence"] == BATCH + 3
