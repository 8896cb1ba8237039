"""All audits of the GraphQL-over-HTTP specification pass, and which ones don't while queries by GET are off."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from domain.key_ring import generate_key
from tests.gql.server import TetherServer, running_tether
from tests.npm import node_with_packages
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

AUDITS: Final = 61
"""So many that a newer package which asks less doesn't pass unnoticed."""
BY_GET: Final = {"5A70", "D6D5", "6A70"}
"""That queries may go by GET, which the specification leaves to a server."""
FOLDER: Final = Path(__file__).parent


async def test_every_audit_passes(sqlite_url: str, sandbox: SandboxServer) -> None:
    async with in_production(sqlite_url, sandbox, TETHER_GET_QUERIES="on") as server:
        audits = await audited(server)

    assert [audit for audit in audits if audit["status"] != "ok"] == []
    assert len(audits) == AUDITS


async def test_as_it_comes_only_the_audits_of_queries_by_get_dont_pass(sqlite_url: str, sandbox: SandboxServer) -> None:
    async with in_production(sqlite_url, sandbox) as server:
        audits = await audited(server)

    others = {audit["id"]: audit for audit in audits if audit["status"] != "ok"}
    assert set(others) == BY_GET
    assert {audit["name"].split()[0] for audit in others.values()} == {"MAY"}
    assert len(audits) == AUDITS


@asynccontextmanager
async def in_production(sqlite_url: str, sandbox: SandboxServer, **variables: str) -> AsyncIterator[TetherServer]:
    production = {"TETHER_ENVIRONMENT": "production", "TETHER_PUBLIC_URL": "https://tether.example"}
    async with running_tether(sqlite_url, sandbox, generate_key(), **production, **variables) as server:
        yield server


async def audited(server: TetherServer) -> list[dict[str, Any]]:
    """What each audit says of the server. `seen`: what it saw where that isn't what it wants."""
    process = await asyncio.create_subprocess_exec(
        await asyncio.to_thread(node_with_packages, FOLDER),
        "audit.js",
        cwd=FOLDER,
        env={**os.environ, "TETHER_URL": f"{server.url}/graphql", "TETHER_TOKEN": await server.token()},
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, "the audits ended early; they say why on standard error"
    return [json.loads(line) for line in printed.splitlines()]
