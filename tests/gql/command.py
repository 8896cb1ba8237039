"""The command `tether` as a process of its own, with no environment but what a test gives it.

Most are forked from a process that has imported it all already; a few start from nothing, as operators start them.
Whatever it is asked, it must never write the encryption key or a traceback: that is looked at here, for every call.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from tests.preloaded_python import start_module

_DEADLINE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended, and what it wrote."""

    exit_code: int
    output: str
    errors: str


async def run_tether(*arguments: str, environ: Mapping[str, str] | None = None, preloaded: bool = True) -> Finished:
    """Run it to its end."""
    process = await start_tether(arguments, environ or {}, preloaded=preloaded)
    return await _end(process, environ or {})


class ServingProcess:
    """`tether serve`, listening at `url`; `greeting` is what it has said by then."""

    def __init__(self, process: asyncio.subprocess.Process, greeting: str) -> None:
        self.process = process
        self.greeting = greeting
        self.url = greeting.splitlines()[0].removeprefix("Tether runs at ")


@asynccontextmanager
async def tether_serve(environ: Mapping[str, str]) -> AsyncIterator[ServingProcess]:
    """Serves on a free port until SIGTERM, at the latest at the end of the block; it must end well and log nothing."""
    process = await start_tether(["serve", "--port", "0"], environ)
    assert process.stdout is not None
    last_line = b"Signed in as:" if environ.get("TETHER_ENVIRONMENT") == "development" else b"GraphiQL:"
    greeting = b""
    async with asyncio.timeout(_DEADLINE_SECONDS):
        while last_line not in greeting:
            line = await process.stdout.readline()
            assert line, (await _end(process, environ)).errors
            greeting += line
    try:
        yield ServingProcess(process, greeting.decode())
    finally:
        if process.returncode is None:
            process.terminate()
        finished = await _end(process, environ)
    assert finished == Finished(0, "", ""), finished


async def start_tether(
    arguments: list[str] | tuple[str, ...], environ: Mapping[str, str], *, preloaded: bool = True
) -> asyncio.subprocess.Process:
    """For who ends it themselves."""
    pipe = asyncio.subprocess.PIPE
    start = start_module if preloaded else partial(asyncio.create_subprocess_exec, sys.executable, "-m")
    return await start("gql", *arguments, env=environ, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe)


async def url_when_listening(process: asyncio.subprocess.Process) -> str:
    """Where a `tether serve` answers, once it does."""
    assert process.stdout is not None
    async with asyncio.timeout(_DEADLINE_SECONDS):
        line = await process.stdout.readline()
    return line.decode().strip().removeprefix("Tether runs at ")


async def _end(process: asyncio.subprocess.Process, environ: Mapping[str, str]) -> Finished:
    async with asyncio.timeout(_DEADLINE_SECONDS):
        output, errors = await process.communicate()
    assert process.returncode is not None
    finished = Finished(process.returncode, output.decode(), errors.decode())
    assert "Traceback" not in finished.errors, finished.errors
    if key := environ.get("TETHER_ENCRYPTION_KEY"):
        assert key not in finished.output + finished.errors
    return finished
