"""`python -m MODULE …` without its second of imports: a process of its own, forked from one that has them behind it.

Called by tests that start the project's programs by the hundred. All is as with `python -m`: arguments, environment,
files, signals, exit code, and the module runs anew as `__main__`. What starts from nothing is for few tests to show.
"""

import asyncio
import atexit
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

KILL: Final = signal.SIGUSR1
"""Is SIGKILL for the program, and over when the process is: SIGKILL itself reaches the program a moment later."""

_LAUNCHER: Final = Path(__file__).with_name("preloaded_launcher.py")


async def start_module(module: str, *arguments: str, **options: Any) -> asyncio.subprocess.Process:
    """Start it, with asyncio's own options of a process."""
    socket = await asyncio.to_thread(_server)
    # A small program that stands for the forked one: it hands over its files, passes on signals, and ends as that ends.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-ISE", _LAUNCHER, socket, module, *arguments, **options
    )


@cache
def _server() -> str:
    """The address of the process to fork from, which this process starts once and ends with itself."""
    pipe = subprocess.PIPE
    server = subprocess.Popen([sys.executable, "-m", "tests.preloading_server"], stdin=pipe, stdout=pipe, env={})
    atexit.register(server.communicate)  # its input closes
    assert server.stdout is not None
    if not (address := server.stdout.readline().decode().strip()):
        raise RuntimeError("no process to fork from")
    return address
