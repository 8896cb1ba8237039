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
from bench.report import markdown, write
from bench.scenarios import Results, run
from bench.servers import install_peers
from tests.postgresql import PostgresqlServer, running_postgresql

_DOCS: Final = Path(__file__).parent.parent / "docs"
POSTGRESQL_SETTINGS: Final = ("shared_buffers=3GB", "max_wal_size=8GB")
"""Room for all the data, and no checkpoint amid a round. Everything else is as PostgreSQL comes."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures Tether beside other servers.")
    parser.add_argument("--quick", action="store_true", help="less than two minutes, and writes no file")
    quick: bool = parser.parse_args().quick
    begin = time.perf_counter()
    try:
        install_peers()
        with (
            running_postgresql(durable=True, settings=POSTGRESQL_SETTINGS) as postgresql,
            tempfile.TemporaryDirectory(prefix="tether-bench-") as folder,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            results, database = runner.run(_measure(postgresql, Path(folder), quick))
    except RuntimeError as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return 1
    text = markdown(results, database)
    print(text)
    if not quick:
        write(text, _DOCS / "performance.md")
        draw(results, _DOCS / "images" / "performance.png")
    _say(f"That took {time.perf_counter() - begin:.0f} s.")
    return 0


async def _measure(postgresql: PostgresqlServer, folder: Path, quick: bool) -> tuple[Results, str]:
    connection = await connect(postgresql.url("postgres"))
    database: str = await connection.fetchval("select 'PostgreSQL ' || split_part(version(), ' ', 2)")
    await connection.close()
    return await run(postgresql, folder, quick=quick, say=_say), database


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
