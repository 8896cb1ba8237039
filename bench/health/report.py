"""What was measured of health checks, as Markdown for docs/performance.md. Called by `bench/__main__.py`."""

import os
from datetime import UTC, datetime

from bench.health.compaction import Compaction
from bench.health.done import Done
from bench.health.scenarios import AT_ONCE, HealthResults
from bench.report import machine, table


def markdown(results: HealthResults, database: str) -> str:
    """All tables. `database` is PostgreSQL's version."""
    parts = [
        f"Measured on {datetime.now(UTC):%d %B %Y} on {machine()}, {database}; load average in the last minute and in "
        f"the last fifteen: {os.getloadavg()[0]:.1f} and {os.getloadavg()[2]:.1f}.",
        "### On schedule",
        _on_schedule(results),
        "### The most that one worker does, beside a bare client",
        _beside(results),
        "### Claiming and recording, without asking anybody",
        _books(results),
        "### Counting a day, and forgetting its checks",
        _compaction(results.compaction),
    ]
    return "\n\n".join(parts)


def _on_schedule(results: HealthResults) -> str:
    found = results.on_schedule
    head = ["connections", "due in", "checks", "of these made", "news", "checks/s", "lag p50 s", "p99 s", "longest s"]
    spent = ["worker CPU ms", "database CPU ms", "sandbox CPU ms"]
    row = [
        f"{found.connections:,}",
        f"{found.seconds:.0f} s",
        f"{found.due:,}",
        f"{found.made:,}",
        f"{found.news:,}",
        f"{found.made / found.seconds:.0f}",
        f"{found.p50_seconds:.2f}",
        f"{found.p99_seconds:.2f}",
        f"{found.longest_seconds:.2f}",
    ]
    of_each = [f"{ms:.2f}" for ms in (found.spent.worker, found.spent.database, found.spent.sandbox)]
    return table([*head, *spent], [[*row, *of_each]])


def _beside(results: HealthResults) -> str:
    head = ["", "a second", "× bare", "CPU ms each", "database CPU ms", "sandbox CPU ms"]
    bare, worker, spent = results.bare, results.worker, results.worker_spent
    return table(
        head,
        [
            [
                f"bare httpx2 client, {AT_ONCE} tasks",
                f"{bare.per_second:,.0f}",
                "1.00",
                f"{bare.each_ms:.2f}",
                "–",
                "–",
            ],
            [
                f"`tether worker`, {AT_ONCE} checks at once",
                f"{worker.per_second:,.0f}",
                f"{worker.per_second / bare.per_second:.2f}",
                f"{worker.each_ms:.2f}",
                f"{spent.database:.2f}",
                f"{spent.sandbox:.2f}",
            ],
        ],
    )


def _books(results: HealthResults) -> str:
    def row(processes: int, done: Done, database_ms: float) -> list[str]:
        name = f"{processes} process{'' if processes == 1 else 'es'}"
        return [name, f"{done.per_second:,.0f}", f"{done.each_ms * 1_000:.0f}", f"{database_ms * 1_000:.0f}"]

    return table(
        ["", "checks/s", "CPU µs each", "database CPU µs"],
        (row(processes, *books) for processes, books in results.books.items()),
    )


def _compaction(found: Compaction) -> str:
    head = ["connections", "checks of the day", "counted in s", "checks/s", "nothing left to count s", "forgotten in s"]
    row = [
        f"{found.connections:,}",
        f"{found.checks:,}",
        f"{found.count_seconds:.0f}",
        f"{found.checks / found.count_seconds:,.0f}",
        f"{found.look_seconds:.1f}",
        f"{found.forget_seconds:.0f}",
    ]
    return table(head, [row])
