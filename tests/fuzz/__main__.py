"""`python -m tests.fuzz --operations 20000`: a long run on each database. It tells what was sent and what is wrong."""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from persistence import migrations
from tests.fuzz.schemathesis_run import run_schemathesis
from tests.fuzz.serving import fuzzed_server
from tests.postgresql import running_postgresql
from tests.sandbox_server import running_sandbox

_BY_SCHEMATHESIS = 10
"""One operation in so many."""
_ROOT_FIELDS = 24


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--operations", type=int, default=20_000, help="on each database (20000)")
    parser.add_argument("--only", default="", help="of the databases, such as SQLite")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32), help="to ask the same again")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, running_postgresql() as server:
        urls = {
            "SQLite": f"sqlite+aiosqlite:///{Path(folder)}/fuzz.db",
            "PostgreSQL": server.url(server.create_database()),
        }
        failed = [
            asyncio.run(_run(name, url, asked.operations, asked.seed))
            for name, url in urls.items()
            if asked.only in name
        ]
    return int(any(failed))


async def _run(name: str, url: str, operations: int, seed: int) -> bool:
    await asyncio.to_thread(migrations.upgrade, url)
    began = time.monotonic()
    async with running_sandbox() as sandbox, fuzzed_server(url, sandbox) as fuzzed:
        wrong = ""
        try:
            await asyncio.to_thread(fuzzed.fuzzer.run, operations, seed)
            examples = max(1, operations // _BY_SCHEMATHESIS // _ROOT_FIELDS)
            sent = await asyncio.to_thread(
                run_schemathesis,
                *(fuzzed.server.url, fuzzed.owner),
                examples=examples,
                seed=seed,
                secrets=fuzzed.secrets,
            )
            fuzzed.fuzzer.report.answers["by Schemathesis"]["judged"] = sum(sent.values())
        except (AssertionError, BaseExceptionGroup) as found:
            every = found.exceptions if isinstance(found, BaseExceptionGroup) else [found]
            wrong = "".join(f"  wrong: {each}\n" for each in every)
    took = time.monotonic() - began
    sys.stdout.write(f"{name}, seed {seed}, {took:.0f} s: {fuzzed.fuzzer.report}\n{wrong}")
    sys.stdout.flush()
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
