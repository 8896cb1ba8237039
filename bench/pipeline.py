"""`python -m bench.pipeline`: what a request costs the server that asks for next to nothing, and as a trusted document.

`{ viewer { user { id } } }` is nearly all pipeline: HTTP, authentication, finding the operation, running it, metrics.
The same lines as in the whole bench, measured for longer on less data.
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import uvloop

from bench.__main__ import POSTGRESQL_SETTINGS
from bench.data import Size, database_process, load
from bench.operations import VIEWER, body
from bench.processors import move, two_cores
from bench.questions import pipeline_questions
from bench.report import table
from bench.rounds import Plan, measure
from bench.servers import publish_documents, running, tether
from persistence import migrations
from tests.postgresql import running_postgresql

_SIZE: Final = Size(50, 100)
_PLAN: Final = Plan(rounds=7, seconds=3.0, warm_up_seconds=2.0)


def main() -> None:
    with (
        running_postgresql(durable=True, settings=POSTGRESQL_SETTINGS) as postgresql,
        TemporaryDirectory(prefix="tether-bench-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        url = postgresql.url(postgresql.create_database())
        migrations.upgrade(url)
        runner.run(_measure(url, Path(folder)))


async def _measure(url: str, folder: Path) -> None:
    await load(url, _SIZE)
    await asyncio.to_thread(publish_documents, url, folder)
    servers_core, database_core = two_cores()
    parent = await database_process(url)
    move(parent, database_core)
    async with running(tether("Tether", url), servers_core, parent, body(VIEWER, {})) as server:
        named = pipeline_questions(_SIZE.all)
        figures = await measure([(server, questions) for _, questions in named], _PLAN)
    rows = [
        [name, f"{each.requests_per_second:,.0f}", f"{each.server_ms * 1_000:,.0f}", f"{each.database_ms * 1_000:,.0f}"]
        for (name, _), each in zip(named, figures, strict=True)
    ]
    print(table(["", "requests/s", "server CPU µs", "database CPU µs"], rows))


if __name__ == "__main__":
    main()
