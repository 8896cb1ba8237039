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
from tests.gql.command import run_tether
from tests.gql.server import TetherServer
from tests.npm import node_with_packages

FOLDER: Final = Path(__file__).parent
_WITHIN_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Check:
    """`seen`: what a client saw where it isn't what the check wants."""

    name: str
    seen: str | None


async def run_checks(client: str, server: TetherServer, *, published_only: TetherServer | None = None) -> list[Check]:
    """In an organization of its own, so that clients can't disturb each other.

    `published_only`: another server on the same database, which the client is to ask.
    """
    slug = client if published_only is None else f"{client}-published"
    given = {
        "client": client,
        "url": f"{server.url}/graphql",
        "token": await server.token(slug, f"ada@{client}.example"),
        "viewerToken": await server.token(slug, f"eve@{client}.example", Role.VIEWER),
        "organizationId": await server.organization_id(slug),
        "slug": slug,
        "credentials": [await server.credential() for _ in range(12)],
        "namesakes": await _namesakes(server),
        **({} if published_only is None else {"publishedUrl": f"{published_only.url}/graphql"}),
    }
    printed = await run_node("run.js", TETHER=json.dumps(given))
    return [Check(told["check"], told["seen"]) for told in map(json.loads, printed.splitlines())]


async def publish(manifest: str, server: TetherServer, encryption_key: str) -> None:
    """By the command, as whoever runs the server does it. `manifest`: a file that a compiler has written here."""
    environ = {
        "TETHER_ENVIRONMENT": "development",
        "TETHER_DATABASE_URL": server.tether.settings.database_url,
        "TETHER_ENCRYPTION_KEY": encryption_key,
    }
    published = await run_tether("documents", "publish", str(FOLDER / manifest), environ=environ)
    assert published.exit_code == 0, published.errors


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
