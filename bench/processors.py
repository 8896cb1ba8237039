"""Processor cores and the time that processes spend on them, as Linux tells it in /proc.

Used by everything in the bench that starts a process or measures one.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


def two_cores() -> tuple[int, int]:
    """The servers' core, and that of the database and the client. Raises RuntimeError where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    for other in usable[1:]:
        if _siblings(other) != _siblings(usable[0]):
            return usable[0], other
    raise RuntimeError("The bench needs two processor cores: one for the server, one for the database and the client.")


def _siblings(core: int) -> str:
    """The logical cores that share a physical one with it, as text."""
    return Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").read_text("utf-8")


@contextmanager
def on_core(core: int) -> Generator[None, None, None]:
    """What is started in the block stays on this core, with all of its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(process: int, core: int) -> None:
    """Bring a process, its children and all of their threads to one core, where whatever they start stays too."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
    for child in _children(process):
        move(child, core)


def processor_ms(process: int) -> float:
    """User and system time of a process so far, in ms: of all its threads and its children, ended ones included."""
    of_children = sum(map(_own_or_ended_ms, _children(process)))
    ticks = sum(map(int, _stat(process)[11:15]))  # utime, stime, and both of the children that have ended
    return ticks * 1000 / _TICKS_PER_SECOND + of_children


def _own_or_ended_ms(child: int) -> float:
    """0 for one that has ended since it was listed: its time is now its parent's, which is read after it."""
    try:
        return processor_ms(child)
    except FileNotFoundError:
        return 0.0


def parent(process: int) -> int:
    """Who started it."""
    return int(_stat(process)[1])


def resident_mib(process: int) -> float:
    """The memory that a process and its children hold, in MiB."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text("utf-8").splitlines())
    return int(status["VmRSS"].split()[0]) / 1024 + sum(map(resident_mib, _children(process)))


def _stat(process: int) -> list[str]:
    """The fields after the name, which may hold anything: state is 0, the parent 1."""
    return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()


def _children(process: int) -> list[int]:
    threads = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text("utf-8").split()]
