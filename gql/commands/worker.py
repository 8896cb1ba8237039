"""`tether worker`: checks, refreshes, syncs and all else that Tether does by itself, without answering anybody.

Any number of these may run beside each other and beside `tether serve`, on one PostgreSQL.
"""

import argparse
import asyncio
import os
import signal
import sys

from uvicorn.loops.auto import auto_loop_factory

from gql.background_work import BackgroundWork
from gql.bootstrap import running
from gql.garbage import collect_less
from gql.settings import Settings


def run(arguments: argparse.Namespace) -> int:
    settings = Settings.from_environment(os.environ)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_work(settings))
    return 0


async def _work(settings: Settings) -> None:
    async with running(settings) as tether:
        work, told = BackgroundWork(tether), asyncio.Event()

        def stop() -> None:
            work.stop()
            told.set()

        for signal_number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signal_number, stop)
        async with work.working():
            collect_less()
            sys.stdout.write("Tether works. It answers nobody; `tether serve` does.\n")
            sys.stdout.flush()
            await told.wait()
