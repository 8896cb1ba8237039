"""The sandbox and `tether worker`, each a process of its own. Used by `scenarios.py`."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

from bench.processors import on_core, processor_ms


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor time so far, in ms, of what is measured."""

    worker: float
    database: float
    sandbox: float

    def since(self, before: "Spent") -> "Spent":
        return Spent(self.worker - before.worker, self.database - before.database, self.sandbox - before.sandbox)

    def each(self, checks: int) -> "Spent":
        """For one of so many checks."""
        return Spent(self.worker / checks, self.database / checks, self.sandbox / checks)


@dataclass(frozen=True, slots=True)
class Processes:
    """Who has to do with a check. `database` is the parent of PostgreSQL's processes."""

    worker: int
    database: int
    sandbox: int

    def spent(self) -> Spent:
        return Spent(processor_ms(self.worker), processor_ms(self.database), processor_ms(self.sandbox))


@asynccontextmanager
async def sandbox(core: int) -> AsyncIterator[tuple[int, str]]:
    """Its process and its address."""
    async with _started([sys.executable, "-m", "sandbox", "--port", "0"], {}, core) as (process, line):
        yield process, line.removeprefix("Sandbox at ")


@asynccontextmanager
async def worker(environ: Mapping[str, str], core: int) -> AsyncIterator[int]:
    """A `tether worker`, which is ended with the block as an operator would."""
    async with _started([sys.executable, "-m", "gql", "worker"], environ, core) as (process, _):
        yield process


async def told_by(command: Sequence[str], environ: Mapping[str, str], core: int | None) -> str:
    """The one line that a process prints before it ends well. Raises RuntimeError where it doesn't."""
    async with _started(command, environ, core) as (_, line):
        return line


@asynccontextmanager
async def _started(
    command: Sequence[str], environ: Mapping[str, str], core: int | None
) -> AsyncIterator[tuple[int, str]]:
    """Started when it has printed a line. `core` None: wherever there is room."""
    environ = {"PATH": os.environ["PATH"], **environ}
    with nullcontext() if core is None else on_core(core):
        process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=subprocess.PIPE)
    try:
        line = "" if process.stdout is None else (await process.stdout.readline()).decode().strip()
        if not line:
            raise RuntimeError(f"{' '.join(command[1:])} ended early.")
        yield process.pid, line
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
