"""`python -m bench`, or `make bench`: measures, and writes the tables of docs/performance.md and its chart."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop

from bench.chart import draw
from bench.data import connect
from bench.health.report import markdown as health_markdown
from bench.health.scenarios import QUICK, HealthPlan, run_health
from bench.report import BEGIN_HEALTH, markdown, write
from bench.scenarios import run
from bench.servers import encryption_key, install_peers
from tests.postgresql import PostgresqlServer, running_postgresql

_DOCS: Final = Path(__file__).parent.parent / "docs"
_PAGE: Final = _DOCS / "performance.md"
POSTGRESQL_SETTINGS: Final = ("shared_buffers=3GB", "max_wal_size=8GB")
"""Room for all the data, and no checkpoint amid a round. Everything else is as PostgreSQL comes."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures Tether, also beside other servers.")
    parser.add_argument("--quick", action="store_true", help="a few minutes, and writes no file")
    parser.add_argument("--health", action="store_true", help="health checks alone, which needs no Node.js")
    arguments = parser.parse_args()
    quick: bool = arguments.quick
    begin = time.perf_counter()
    try:
        if not arguments.health:
            _bench_servers(quick)
        _bench_health(quick)
    except RuntimeError as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return 1
    _say(f"That took {time.perf_counter() - begin:.0f} s.")
    return 0


def _bench_servers(quick: bool) -> None:
    install_peers()
    with (
        running_postgresql(durable=True, settings=POSTGRESQL_SETTINGS) as postgresql,
        tempfile.TemporaryDirectory(prefix="tether-bench-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        results = runner.run(run(postgresql, Path(folder), quick=quick, say=_say))
        text = markdown(results, runner.run(_version(postgresql)))
    print(text)
    if not quick:
        write(text, _PAGE)
        draw(results, _DOCS / "images" / "performance.png")


def _bench_health(quick: bool) -> None:
    with (
        running_postgresql(durable=True, settings=POSTGRESQL_SETTINGS) as postgresql,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        results = runner.run(run_health(postgresql, encryption_key(), QUICK if quick else HealthPlan(), _say))
        text = health_markdown(results, runner.run(_version(postgresql)))
    print(text)
    if not quick:
        write(text, _PAGE, BEGIN_HEALTH)


async def _version(postgresql: PostgresqlServer) -> str:
    connection = await connect(postgresql.url("postgres"))
    version: str = await connection.fetchval("select 'PostgreSQL ' || split_part(version(), ' ', 2)")
    await connection.close()
    return version


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
