"""What it takes to count a day of checks, to find that nothing is left to count, and to forget the checks again.

Called by `scenarios.py`, with the connections that are there. It runs in this process, as the runner's task does in a
worker's.
"""

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from bench.data import connect
from domain.entities.identifiers import new_id
from domain.entities.task import Task, TaskKind
from domain.health_history import HealthHistory
from domain.task_outcome import TaskOutcome
from persistence.database import Database
from persistence.unit_of_work import SqlUnitsOfWork

_KEPT: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Compaction:
    """`checks` of yesterday, of so many `connections`. Each time is of the whole task, by one process."""

    connections: int
    checks: int
    count_seconds: float
    look_seconds: float
    forget_seconds: float


async def measure_compaction(database_url: str, core: int, checks_each: int) -> Compaction:
    """On the given core. The checks are added before, spread over yesterday."""
    connection = await connect(database_url)
    try:
        connections: int = await connection.fetchval("select count(*) from bench_checks")
        await connection.execute(_CHECKS, checks_each, timedelta(days=1) / checks_each)
        await connection.execute("vacuum analyze health_checks")
        await connection.execute("checkpoint")
    finally:
        await connection.close()
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        async with Database(database_url) as database:
            units_of_work = SqlUnitsOfWork(database, lambda _: None)
            today = HealthHistory(units_of_work, _later(timedelta(days=0)), _KEPT)
            later = HealthHistory(units_of_work, _later(_KEPT + timedelta(days=1)), _KEPT)
            return Compaction(
                connections,
                connections * checks_each,
                count_seconds=await _took(today.compact),
                look_seconds=await _took(today.compact),
                forget_seconds=await _took(later.forget),
            )
    finally:
        os.sched_setaffinity(0, before)


def _later(by: timedelta) -> Callable[[], datetime]:
    """A clock on which all of yesterday is over for good, and so much more."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return lambda: midnight + timedelta(hours=1) + by


async def _took(work: Callable[[Task], Awaitable[TaskOutcome]]) -> float:
    begin = time.perf_counter()
    await work(Task(new_id(), TaskKind.COMPACT_HEALTH, new_id(), None, datetime.now(UTC)))
    return time.perf_counter() - begin


_CHECKS: Final = """
insert into health_checks (
    organization_id, id, connection_id, status, verdict, started_at, latency_ms, trigger, probes, diagnosis_id
)
select
    organization_id, uuidv7(), id, 'HEALTHY', 'PASSED',
    date_trunc('day', now(), 'UTC') - interval '1 day' + i * $2::interval + random() * interval '1 second',
    (random() * 300)::integer, 'SCHEDULE', array[]::health_probe[], uuidv7()
from bench_checks, generate_series(0, $1::integer - 1) i
"""
