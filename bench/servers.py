"""The servers that are measured, each a process of its own on the servers' core: Tether as shipped, and its peers.

Used by `scenarios.py`.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final

import httpx2

from bench.data import USER, dsn, slug
from bench.operations import PAGE, VIEWER, compact, document_id
from bench.processors import on_core, resident_mib

PEERS: Final = Path(__file__).parent / "peers"
_START_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers at `url`. `database_process` is the parent of PostgreSQL's processes; None for SQLite."""

    name: str
    url: str
    process: int
    database_process: int | None
    start_seconds: float
    headers: Mapping[str, str] = field(repr=False)
    client: httpx2.AsyncClient = field(repr=False)

    async def ask(self, body: bytes) -> bytes:
        """The body of an answer. Raises httpx2.HTTPError."""
        headers = {"Content-Type": "application/json", **self.headers}
        response = await self.client.post(self.url, content=body, headers=headers)
        response.raise_for_status()
        return response.content

    def resident_mib(self) -> float:
        """The memory that it holds now."""
        return resident_mib(self.process)


@dataclass(frozen=True, slots=True)
class Start:
    """How to start a server: its command, and the environment besides the bare one."""

    name: str
    command: list[str]
    environ: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def tether(name: str, database_url: str) -> Start:
    """`tether serve` in production mode, asked by a key of the one who is a member of every organization."""
    environ = {
        "TETHER_DATABASE_URL": database_url,
        "TETHER_ENCRYPTION_KEY": encryption_key(),
        "TETHER_PUBLIC_URL": "http://127.0.0.1",
        "TETHER_BUDGET_POINTS": "999999999",  # one caller asks for more in a second than people do in a day
        "TETHER_BUDGET_POINTS_PER_MINUTE": "999999999",
    }
    key = _run_tether(["token", "--organization", slug(1), "--user", USER, "--role", "OWNER"], environ)
    # Its connections can't be checked: a worker would find that out, and write it down, while pages are measured.
    command = [sys.executable, "-m", "gql", "serve", "--without-worker", "--port", "{port}"]
    return Start(name, command, environ, {"Authorization": f"Bearer {key}"})


def token(arguments: Sequence[str], database_url: str) -> str:
    """What `tether token` gives, on a database that a server has been set up for."""
    return _run_tether(list(arguments), tether("", database_url).environ)


def publish_documents(database_url: str, folder: Path) -> None:
    """What `pipeline_questions` ask for by an id."""
    manifest = folder / "persisted-documents.json"
    manifest.write_text(json.dumps({document_id(each): compact(each) for each in (VIEWER, PAGE)}), "utf-8")
    _run_tether(["documents", "publish", str(manifest)], tether("", database_url).environ)


def plain_strawberry(database_url: str) -> Start:
    """See `peers/plain_strawberry`."""
    command = [sys.executable, "-m", "bench.peers.plain_strawberry"]
    return Start("Strawberry, data loaders", command, {"DATABASE_URL": dsn(database_url)})


def yoga(database_url: str) -> Start:
    """See `peers/yoga.js`."""
    return _node("graphql-yoga, data loaders", "yoga.js", database_url)


def mercurius(database_url: str) -> Start:
    """See `peers/mercurius.js`."""
    return _node("Mercurius, jit and loaders", "mercurius.js", database_url)


def install_peers() -> None:
    """Bring the JavaScript peers' packages in, as their lock file pins them. Raises RuntimeError without Node.js."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise RuntimeError(
            "Two of the peers are JavaScript: the bench needs Node.js 20 or newer, with npm. "
            "On Debian or Ubuntu: apt install nodejs npm. Else: https://nodejs.org"
        )
    lock, installed = PEERS / "package-lock.json", PEERS / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=PEERS, check=True)
        installed.touch()


@asynccontextmanager
async def running(start: Start, core: int, database_process: int | None, question: bytes) -> AsyncIterator[Server]:
    """Started when it has answered the question; ended with the block. Raises RuntimeError if it doesn't start."""
    port = _free_port()
    begin = time.perf_counter()
    with on_core(core):
        process = await asyncio.create_subprocess_exec(
            *(part.format(port=port) for part in start.command),
            env={"PATH": os.environ["PATH"], "NODE_ENV": "production", "PORT": str(port), **start.environ},
            stdout=subprocess.DEVNULL,
        )
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            url = f"http://127.0.0.1:{port}/graphql"
            server = Server(start.name, url, process.pid, database_process, 0.0, start.headers, client)
            await _wait_for(server, process, question)
            yield replace(server, start_seconds=time.perf_counter() - begin)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _wait_for(server: Server, process: asyncio.subprocess.Process, question: bytes) -> None:
    deadline = time.perf_counter() + _START_SECONDS
    while time.perf_counter() < deadline and process.returncode is None:
        try:
            await server.ask(question)
        except httpx2.TransportError:
            await asyncio.sleep(0.005)
        else:
            return
    raise RuntimeError(f"{server.name} doesn't start.")


def _node(name: str, file: str, database_url: str) -> Start:
    return Start(name, ["node", str(PEERS / file)], {"DATABASE_URL": dsn(database_url)})


@cache
def encryption_key() -> str:
    """One for the whole run, since a database keeps to the key that it was set up with."""
    return _run_tether(["keys", "generate"], {})


def _run_tether(arguments: list[str], environ: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "gql", *arguments]
    finished = subprocess.run(command, env=dict(environ), stdout=subprocess.PIPE, text=True, check=True)
    return finished.stdout.strip()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
