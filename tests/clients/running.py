"""Runs a client's checks, which stand in the folder of its name, in Node.js. Used by test_clients.py.

The packages are those of package-lock.json. Compilers write what they make into a folder of the test's own.
"""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from domain.entities.user import Role
from tests.gql.server import TetherServer
from tests.npm import node_with_packages

FOLDER: Final = Path(__file__).parent
_WITHIN_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Check:
    """`seen`: what a client saw where it isn't what the check wants."""

    name: str
    seen: str | None


async def run_checks(client: str, server: TetherServer) -> list[Check]:
    """In an organization of its own, so that clients can't disturb each other."""
    given = {
        "client": client,
        "url": f"{server.url}/graphql",
        "token": await server.token(client, f"ada@{client}.example"),
        "viewerToken": await server.token(client, f"eve@{client}.example", Role.VIEWER),
        "organizationId": await server.organization_id(client),
        "slug": client,
        "credentials": [await server.credential() for _ in range(12)],
        "namesakes": await _namesakes(server),
    }
    printed = await run_node("run.js", TETHER=json.dumps(given))
    return [Check(told["check"], told["seen"]) for told in map(json.loads, printed.splitlines())]


async def _namesakes(server: TetherServer) -> dict[str, str]:
    """By service, the token of an account whose id is another account's at the other service."""
    await server.sandbox.put_token("namesake-github", service="github", account={"id": 77, "login": "github-77"})
    await server.sandbox.put_token("namesake-gitlab", service="gitlab", account={"id": 77, "username": "gitlab-77"})
    return {"github": "namesake-github", "gitlab": "namesake-gitlab"}


async def run_node(script: str, *arguments: str, within: str = ".", **environment: str) -> str:
    """What a script prints, one of this folder or of a package, run within a folder of it. It has to end well."""
    node = await asyncio.to_thread(node_with_packages, FOLDER)
    process = await asyncio.create_subprocess_exec(
        node,
        "--max-old-space-size=512",
        FOLDER / script,
        *arguments,
        cwd=FOLDER / within,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    ending = asyncio.create_task(process.communicate())
    await asyncio.wait([ending], timeout=_WITHIN_SECONDS)
    if process.returncode is None:
        process.kill()
    printed, errors = await ending
    assert process.returncode == 0, f"{script} ended with {process.returncode}: {printed.decode()}{errors.decode()}"
    return printed.decode()
