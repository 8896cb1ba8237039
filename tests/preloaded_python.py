"""`python -m MODULE …` without its second of imports: a process of its own, forked from one that has them behind it.

Called by tests that start the project's programs by the hundred. All is as with `python -m`: arguments, environment,
files, signals, exit code, and the module runs anew as `__main__`. What starts from nothing is for few tests to show.
"""

import asyncio
import atexit
import os
import signal
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any, Final

_FORKS: Final = hasattr(os, "pidfd_open")
"""Elsewhere than on Linux each program starts from nothing."""

KILL: Final = signal.SIGUSR1 if _FORKS else signal.SIGKILL
"""Is SIGKILL for the program, and over when the process is: SIGKILL itself reaches the program a moment later."""

_one_at_a_time: Final = threading.Lock()
_LAUNCHER: Final = Path(__file__).with_name("preloaded_launcher.py")


async def start_module(module: str, *arguments: str, **options: Any) -> asyncio.subprocess.Process:
    """Start it, with asyncio's own options of a process."""
    if not _FORKS:
        return await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments, **options)
    socket = await asyncio.to_thread(_address)
    # A small program that stands for the forked one: it hands over its files, passes on signals, and ends as that ends.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-ISE", _LAUNCHER, socket, module, *arguments, **options
    )


def _address() -> str:
    with _one_at_a_time:
        return _server()


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
