"""Claims checks and records that nothing new was found, without asking anybody: what the schedule itself costs.

Started by `scenarios.py`, in a process or two: `python -m bench.health.bookkeeping DATABASE_URL SECONDS SERVICE…`.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import uvloop

from bench.health.done import Done
from domain.check_recorder import BATCH
from domain.entities.due_check import UnchangedCheck
from domain.entities.identifiers import new_id
from gql.garbage import collect_less
from persistence.database import Database
from persistence.unit_of_work import SqlUnitsOfWork

TASKS: Final = 4
"""A process waits for the database with some batches, and for the disk, while it makes another."""


async def keep_books(database_url: str, services: list[str], seconds: float) -> Done:
    """For so many seconds. Raises RuntimeError where nothing is left to claim."""
    async with Database(database_url) as database:
        units_of_work = SqlUnitsOfWork(database, lambda _: None)
        turns = [service for service in services for _ in range(TASKS // len(services))]

        async def go_on(service: str, end: float) -> int:
            recorded = await _batch(units_of_work, service)
            while time.perf_counter() < end:
                recorded += await _batch(units_of_work, service)
            return recorded

        await asyncio.gather(*(_batch(units_of_work, service) for service in turns))  # connects, prepares statements
        collect_less()  # as a worker does
        begin, spent = time.perf_counter(), time.process_time()
        recorded = await asyncio.gather(*(go_on(service, begin + seconds) for service in turns))
        return Done(sum(recorded), time.perf_counter() - begin, (time.process_time() - spent) * 1_000)


async def _batch(units_of_work: SqlUnitsOfWork, service: str) -> int:
    now = datetime.now(UTC)
    async with units_of_work.writing_everywhere() as unit:
        dues = await unit.due_checks.claim(service, now, now + timedelta(seconds=60), BATCH)
        await unit.commit()
    if not dues:
        raise RuntimeError("All that was due has been claimed before the time was over.")
    again_at = now + timedelta(hours=1)
    unchanged = [UnchangedCheck(due, new_id(), now, 7, due.rate_limit, again_at) for due in dues]
    async with units_of_work.writing_everywhere() as unit:
        recorded = await unit.due_checks.note_unchanged(unchanged)
        await unit.commit()
    return recorded


def main() -> None:
    database_url, seconds, *services = sys.argv[1:]
    print(uvloop.run(keep_books(database_url, services, float(seconds))).written())


if __name__ == "__main__":
    main()
