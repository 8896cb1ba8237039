"""The results as Markdown, between two markers of docs/performance.md. Called by `__main__.py`."""

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.processors import two_cores
from bench.scenarios import Line, Process, Results
from bench.servers import PEERS

BEGIN: Final = "<!-- Written by `make bench` -->"
BEGIN_HEALTH: Final = "<!-- Written by `make bench`, too -->"
END: Final = "<!-- As far as here -->"


def markdown(results: Results, database: str) -> str:
    """All tables. `database` is PostgreSQL's version."""
    parts = [
        _setting(database),
        "### The page, beside others",
        _beside(results.page),
        "![Processor time of server and database for a page](images/performance.png)",
        "### The same page without the probes of each check",
        _beside(results.lighter_page),
        "### One connection by its id",
        _beside(results.single),
        "### Being there",
        _processes(results.processes),
        "### SQLite, and mutations",
        _alone(results.others),
        "### The pipeline, and documents by their id",
        _alone(results.pipeline),
        "### The same page in a growing database",
        _alone(results.growth),
        "### One organization with 100,000 connections",
        _alone(results.long_list),
        "### Where the page's microseconds go in the server",
        _parts(results.parts.server),
        "### Where they go in the database",
        _parts(results.parts.database),
    ]
    return "\n\n".join(parts)


def write(text: str, page: Path, begin: str = BEGIN) -> None:
    """Put the text between two of the page's markers."""
    before, _, rest = page.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{END}{after}", "utf-8")


def _setting(database: str) -> str:
    """When and where, in a sentence each."""
    node = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    python = {name: version(name) for name in ("strawberry-graphql", "graphql-core", "uvicorn", "asyncpg")}
    javascript = {name: _javascript_version(name) for name in ("mercurius", "graphql-jit", "graphql-yoga", "pg")}
    server, others = two_cores()
    return (
        f"Measured on {datetime.now(UTC):%d %B %Y} on {machine()}: servers on core {server}, PostgreSQL and the "
        f"client on core {others}. {database}, Python {platform.python_version()}, Node.js {node.removeprefix('v')}, "
        + ", ".join(f"{name} {number}" for name, number in {**python, **javascript}.items())
        + "."
    )


def machine() -> str:
    """Processor, memory and system."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text("utf-8"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return f"{model[1] if model else platform.machine()}, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def _javascript_version(package: str) -> str:
    found = re.search(r'"version": "([^"]+)"', (PEERS / "node_modules" / package / "package.json").read_text("utf-8"))
    return found[1] if found else "?"


def _beside(lines: Sequence[Line]) -> str:
    """Each server, and how many times Tether's processor time it takes."""
    head = ["", "requests/s", "p50 ms", "p99 ms", "server CPU ms", "database CPU ms", "together ms", "× Tether", "KB"]
    tether = lines[0].figures
    return table(
        head,
        (
            [
                *_cells(line)[:6],
                f"{line.figures.together_ms:.2f}",
                _times(line, tether.server_ms, tether.together_ms),
                *_cells(line)[6:],
            ]
            for line in lines
        ),
    )


def _times(line: Line, server_ms: float, together_ms: float) -> str:
    """For the server alone, and with the database."""
    return f"{line.figures.server_ms / server_ms:.1f} / {line.figures.together_ms / together_ms:.2f}"


def _alone(lines: Sequence[Line]) -> str:
    return table(["", "requests/s", "p50 ms", "p99 ms", "server CPU ms", "database CPU ms", "KB"], map(_cells, lines))


def _cells(line: Line) -> list[str]:
    figures = line.figures
    return [
        line.name,
        f"{figures.requests_per_second:,.0f}",
        f"{figures.p50_ms:.1f}",
        f"{figures.p99_ms:.1f}",
        f"{figures.server_ms:.2f}",
        f"{figures.database_ms:.2f}" if figures.database_ms else "–",
        f"{line.answer_bytes / 1_000:.1f}",
    ]


def _processes(processes: Sequence[Process]) -> str:
    return table(
        ["", "start to first answer s", "memory at start MiB", "memory after load MiB"],
        (
            [
                each.name,
                f"{each.start_seconds:.2f}",
                f"{each.resident_mib_at_start:.0f}",
                f"{each.resident_mib_after_load:.0f}",
            ]
            for each in processes
        ),
    )


def _parts(parts: Mapping[str, float]) -> str:
    """The first is the whole."""
    whole = next(iter(parts.values()))
    return table(["", "µs", "share"], ([name, f"{us:,.0f}", f"{us / whole:.0%}"] for name, us in parts.items()))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column names, the others count."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
