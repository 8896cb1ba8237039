"""How checks of 100,000 connections keep up with their schedule, and the most that one worker does.

Called by `bench/__main__.py`. The worker is alone on the servers' core; PostgreSQL and the sandbox share the other.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from bench.data import connect, database_process
from bench.health.compaction import Compaction, measure_compaction
from bench.health.data import SERVICES, load, make_due, make_none_due
from bench.health.done import Done
from bench.health.processes import Processes, Spent, sandbox, told_by, worker
from bench.processors import move, processor_ms, two_cores
from domain.entities.health import USUAL_INTERVAL
from domain.health_worker import WorkerLimits
from gql.bootstrap import running
from gql.settings import Settings
from persistence import migrations
from tests.postgresql import PostgresqlServer

AT_ONCE: Final = WorkerLimits().at_once
"""Checks that a worker makes at once, and tasks of the bare client."""


@dataclass(frozen=True, slots=True)
class HealthPlan:
    """How much to measure. Every connection is due once in `USUAL_INTERVAL`."""

    connections: int = 100_000
    on_schedule_seconds: float = 200.0
    rounds: int = 5
    checks_each_round: int = 10_000
    bare_seconds: float = 6.0
    bookkeeping_seconds: float = 2.0
    bookkeeping_rounds: int = 3
    compacted_checks_each: int = 24


QUICK: Final = HealthPlan(30_000, 12.0, 2, 2_000, 2.0, 0.7, 1, 2)


@dataclass(frozen=True, slots=True)
class OnSchedule:
    """What became of the checks that were due in a time. Lags are from when one was due to its start, in seconds.

    `made`: of `due`; `news`: of those, the ones whose probes were kept anew. `spent` is for one check, in ms.
    """

    connections: int
    seconds: float
    due: int
    made: int
    news: int
    p50_seconds: float
    p99_seconds: float
    longest_seconds: float
    spent: Spent


@dataclass(frozen=True, slots=True)
class HealthResults:
    """`bare` and `worker` took turns; each is the median of its rounds. `books` by the number of processes."""

    on_schedule: OnSchedule
    bare: Done
    worker: Done
    worker_spent: Spent
    books: Mapping[int, tuple[Done, float]]
    """With PostgreSQL's processor time for one check, in ms."""
    compaction: Compaction


async def run_health(
    postgresql: PostgresqlServer, encryption_key: str, plan: HealthPlan, say: Callable[[str], None]
) -> HealthResults:
    """All of it, on a database of its own."""
    servers_core, database_core = two_cores()
    url = postgresql.url(await asyncio.to_thread(postgresql.create_database))
    await asyncio.to_thread(migrations.upgrade, url)
    async with AsyncExitStack() as stack:
        sandbox_process, sandbox_url = await stack.enter_async_context(sandbox(database_core))
        environ = _environ(url, encryption_key, sandbox_url)
        say(f"Connecting {plan.connections:,} accounts of the sandbox …")
        async with running(Settings.from_environment(environ)) as tether:
            await load(url, tether, plan.connections)
        database = await database_process(url)
        move(database, database_core)

        say("Measuring how checks are claimed and recorded …")
        books = {count: await _books(url, database, count, plan) for count in (1, 2)}
        worker_process = await stack.enter_async_context(worker(environ, servers_core))
        processes = Processes(worker_process, database, sandbox_process)
        say("Measuring a worker beside a bare client …")
        bare, done, spent = await _side_by_side(url, sandbox_url, processes, plan, servers_core)
        say(f"Measuring how checks keep up with their schedule, for {plan.on_schedule_seconds:.0f} s …")
        on_schedule = await _on_schedule(url, processes, plan)
    say("Measuring how finished days are counted, and checks forgotten …")
    compaction = await measure_compaction(url, servers_core, plan.compacted_checks_each)
    return HealthResults(on_schedule, bare, done, spent, books, compaction)


def _environ(database_url: str, encryption_key: str, sandbox_url: str) -> dict[str, str]:
    return {
        "TETHER_DATABASE_URL": database_url,
        "TETHER_ENCRYPTION_KEY": encryption_key,
        "TETHER_PUBLIC_URL": "http://127.0.0.1",
        "TETHER_OUTBOUND_ALLOW": "127.0.0.1",
        "TETHER_GITHUB_URL": f"{sandbox_url}/github",
        "TETHER_GITHUB_API_URL": f"{sandbox_url}/github/api",
        "TETHER_SLACK_URL": f"{sandbox_url}/slack",
        "TETHER_SLACK_API_URL": f"{sandbox_url}/slack/api",
    }


async def _books(url: str, database: int, processes: int, plan: HealthPlan) -> tuple[Done, float]:
    """Claims and records of some processes together. One is for all services, two share them."""
    shares = [SERVICES] if processes == 1 else [(service,) for service in SERVICES]
    rounds: list[tuple[Done, float]] = []
    for _ in range(plan.bookkeeping_rounds):
        await make_none_due(url)
        begin = datetime.now(UTC)
        await make_due(url, begin, timedelta(0), first=1, count=plan.connections, settled=True)
        module = [sys.executable, "-m", "bench.health.bookkeeping", url, str(plan.bookkeeping_seconds)]
        before = processor_ms(database)
        lines = await asyncio.gather(*(told_by([*module, *share], {}, None) for share in shares))
        spent = processor_ms(database) - before
        each = [Done.read(line) for line in lines]
        count = sum(done.count for done in each)
        done = Done(count, max(done.seconds for done in each), sum(done.processor_ms for done in each))
        rounds.append((done, spent / count))
    return sorted(rounds, key=lambda each: each[0].per_second)[len(rounds) // 2]


async def _side_by_side(
    url: str, sandbox_url: str, processes: Processes, plan: HealthPlan, core: int
) -> tuple[Done, Done, Spent]:
    """A bare client and the worker in turns: all is due at once, and as much of it at once as a worker does."""
    bare: list[Done] = []
    worked: list[tuple[Done, Spent]] = []
    command = [sys.executable, "-m", "bench.health.bare_client", sandbox_url, str(plan.bare_seconds), str(AT_ONCE)]
    for number in range(plan.rounds):
        await make_none_due(url)
        bare.append(Done.read(await told_by(command, {}, core)))
        worked.append(await _work_off(url, processes, 1 + number * plan.checks_each_round, plan.checks_each_round))
    done, spent = sorted(worked, key=lambda each: each[0].per_second)[len(worked) // 2]
    return sorted(bare, key=lambda each: each.per_second)[len(bare) // 2], done, spent


async def _work_off(url: str, processes: Processes, first: int, count: int) -> tuple[Done, Spent]:
    """All are due at once. The time is from the start of the first check to when the last one is recorded."""
    begin, before = datetime.now(UTC), processes.spent()
    await make_due(url, begin, timedelta(0), first=first, count=count, settled=False)
    connection = await connect(url)
    try:
        while await connection.fetchval(_ANY_LEFT, begin):
            await _moment()
        spent = processes.spent().since(before)
        seconds: float = await connection.fetchval(_TOOK, begin)
    finally:
        await connection.close()
    return Done(count, seconds, spent.worker), spent.each(count)


async def _on_schedule(url: str, processes: Processes, plan: HealthPlan) -> OnSchedule:
    """Everything is due once in five minutes; what was due in the first part of them is looked at."""
    await make_none_due(url)
    begin = datetime.now(UTC) + timedelta(seconds=2 + plan.connections / 20_000)
    await make_due(url, begin, USUAL_INTERVAL, first=1, count=plan.connections, settled=False)
    await asyncio.sleep((begin - datetime.now(UTC)).total_seconds())
    before = processes.spent()
    await asyncio.sleep(plan.on_schedule_seconds)
    spent = processes.spent().since(before)
    end = begin + timedelta(seconds=plan.on_schedule_seconds)
    connection = await connect(url)
    try:
        await asyncio.sleep(1)  # so that the last ones are recorded
        due, made, news, p50, p99, longest = await connection.fetchrow(_LAGS, begin, end)
    finally:
        await connection.close()
    return OnSchedule(plan.connections, plan.on_schedule_seconds, due, made, news, p50, p99, longest, spent.each(made))


_ANY_LEFT: Final = "select exists (select from connection_health where next_check_at = $1)"
_TOOK: Final = """
select extract(epoch from clock_timestamp() - min(started_at))::float8 from health_checks where started_at >= $1
"""
_LAGS: Final = """
select count(*), count(k.id), count(*) filter (where k.diagnosis_id is null and k.id is not null),
    percentile_cont(0.5) within group (order by lag), percentile_cont(0.99) within group (order by lag), max(lag)
from bench_checks c
left join lateral (
    select * from health_checks k
    where k.organization_id = c.organization_id and k.connection_id = c.id and k.started_at >= $1
    order by k.started_at limit 1
) k on true,
lateral (select extract(epoch from coalesce(k.started_at, now()) - c.due_at)::float8 as lag) l
where c.due_at >= $1 and c.due_at < $2
"""


async def _moment() -> None:
    """Another process works meanwhile."""
    await asyncio.sleep(0.05)
