"""The command `tether` as a process of its own, with no environment but what a test gives it.

Whatever it is asked, it must never write the encryption key or a traceback: that is looked at here, for every call.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

_DEADLINE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended, and what it wrote."""

    exit_code: int
    output: str
    errors: str


async def run_tether(*arguments: str, environ: Mapping[str, str] | None = None) -> Finished:
    """Run it to its end."""
    process = await start_tether(arguments, environ or {})
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
    arguments: list[str] | tuple[str, ...], environ: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """For who ends it themselves."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gql", *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environ
    )


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
