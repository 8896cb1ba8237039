"""`python -m tests.hostile`: sends the corpus to a server of its own, and prints what each request costs it."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from persistence import migrations
from tests.hostile.corpus import corpus
from tests.hostile.cost import Cost, cost_of
from tests.hostile.measured_server import measured_server
from tests.hostile.socket_corpus import cost_of_conversation, socket_corpus


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each request, of which the least counts (5)")
    parser.add_argument("--only", default="", help="what a name has to have in it")
    asked = parser.parse_args(arguments)
    costs = sorted(asyncio.run(_costs(asked.runs, asked.only)), key=lambda cost: -cost.processor_ms)
    for cost in costs:
        sys.stdout.write(f"{cost.processor_ms:8.1f} ms  {cost.name:50} {cost.outcome}\n")
        if cost.wrong:
            sys.stdout.write(f"             {cost.wrong}\n")
    sys.stdout.write(f"{len(costs)} requests, the worst {costs[0].processor_ms:.1f} ms\n")
    return int(any(cost.wrong for cost in costs))


async def _costs(runs: int, only: str) -> list[Cost]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder)}/tether.db"
        await asyncio.to_thread(migrations.upgrade, url)
        async with measured_server(url) as server:
            requests = [await cost_of(each, server, runs) for each in corpus() if only in each.name]
            talks = [each for each in socket_corpus() if only in each.name]
            return requests + [await cost_of_conversation(each, server, runs) for each in talks]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
