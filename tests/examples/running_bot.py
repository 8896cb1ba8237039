"""The bot of examples/bot as a process of its own, with Node.js and its packages. Used by test_bot.py."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.gql.waiting import DEADLINE_SECONDS
from tests.npm import node_with_packages

FOLDER: Final = Path(__file__).parents[2] / "examples/bot"


@dataclass(frozen=True, slots=True)
class Bot:
    """`printed`: its lines so far."""

    process: asyncio.subprocess.Process
    printed: list[str]

    async def prints(self, part: str) -> str:
        """The next line with that in it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            while line := (await self.process.stdout.readline()).decode():
                self.printed.append(line)
                if part in line:
                    return line
        raise AssertionError(f"the bot ended: {self.printed}")


@asynccontextmanager
async def running_bot(environment: Mapping[str, str]) -> AsyncIterator[Bot]:
    """Until the end of the block, where it is killed without warning."""
    node = await asyncio.to_thread(node_with_packages, FOLDER)
    process = await asyncio.create_subprocess_exec(
        node,
        FOLDER / "bot.js",
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # what is called node may be a program that starts it
    )
    try:
        yield Bot(process, [])
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()
