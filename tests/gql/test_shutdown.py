"""SIGTERM ends `tether serve` in time, also while a service takes calls and doesn't answer them."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from domain.credential_refresh import CLOSING_SECONDS
from domain.entities.task import TaskKind
from domain.entities.user import Role
from domain.runner import DRAIN_SECONDS
from gql.commands.serve import SHUTDOWN_TIMEOUT_SECONDS
from persistence.tables import service_credentials, tasks
from tests.gql.authorizing import a_browser, authorizing_tether, begin, complete
from tests.gql.command import start_tether, url_when_listening
from tests.gql.waiting import eventually
from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

ALLOWED_SECONDS = 20.0
"""What docs/operations.md promises."""
CREATE = """
mutation ($input: CreateConnectionInput!) { createConnection(input: $input) { connection { id } userErrors { code } } }
"""
FOLLOW = "subscription ($id: ID!) { connectionEvents(organizationId: $id) { sequence } }"


class SilentService:
    """Takes every call and answers none. `paths`: what was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.paths: list[str] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        line = await reader.readline()
        self.paths.append(line.decode().split(" ")[1])

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def silent_service() -> AsyncIterator[SilentService]:
    silent = SilentService()
    server = await asyncio.start_server(silent.take, "127.0.0.1", 0)
    silent.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield silent
    finally:
        server.close()
        silent.hang_up()


def test_what_each_part_may_take_makes_less_than_the_whole() -> None:
    assert SHUTDOWN_TIMEOUT_SECONDS + DRAIN_SECONDS + CLOSING_SECONDS <= ALLOWED_SECONDS - 1


async def test_it_ends_in_time_while_requests_refreshes_and_syncs_wait_for_a_service(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    async with authorizing_tether(sqlite_url, sandbox, encryption_key) as first, a_browser() as browser:
        await first.credential(account={"id": 72_001, "login": "ada-shuts-down"})
        client = await first.member(Role.ADMIN)
        end = await browser.authorize(await begin(first, client), "ada-shuts-down")
        await complete(client, end.code)
        now = first.tether.clock()
        organization_id, secret = await first.organization_id(), first.tether.settings.services.github_client
        assert secret is not None
        refreshes = tasks.c.kind == TaskKind.REFRESH_CREDENTIAL.value
        await first.alter(
            update(service_credentials).values(rotated_at=now - timedelta(hours=8), expires_at=now),
            update(tasks).where(refreshes).values(due_at=now),
        )
        token = client.token
    async with silent_service() as silent:
        environ = {
            "TETHER_DATABASE_URL": sqlite_url,
            "TETHER_ENCRYPTION_KEY": encryption_key,
            "TETHER_ENVIRONMENT": "development",
            "TETHER_OUTBOUND_ALLOW": "127.0.0.1",
            "TETHER_GITHUB_URL": silent.url,
            "TETHER_GITHUB_API_URL": f"{silent.url}/api",
            "TETHER_GITHUB_CLIENT_ID": secret.client_id,
            "TETHER_GITHUB_CLIENT_SECRET": secret.client_secret.reveal(),
        }
        given = {"organizationId": organization_id, "service": "github", "credential": {"token": {"token": "silent"}}}
        await _stop_while_waiting(environ, silent, {"query": CREATE, "variables": {"input": given}}, str(token))


async def _stop_while_waiting(
    environ: Mapping[str, str], silent: SilentService, body: Mapping[str, Any], token: str
) -> None:
    """A request, a refresh and a sync are all at the service when the signal comes."""
    process = await start_tether(["serve", "--port", "0"], environ, preloaded=False)
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS, timeout=60) as http:
        url = await url_when_listening(process)
        headers = {"Authorization": f"Bearer {token}"}
        asking = asyncio.create_task(http.post(f"{url}/graphql", json=body, headers=headers))
        follow = {"query": FOLLOW, "variables": {"id": body["variables"]["input"]["organizationId"]}}
        following = asyncio.create_task(
            http.post(f"{url}/graphql", json=follow, headers={**headers, "Accept": "text/event-stream"})
        )

        async def all_wait() -> bool:
            asked = set(silent.paths)
            return {"/api/user", "/login/oauth/access_token"} <= asked and any("/repos" in path for path in asked)

        await eventually(all_wait)
        process.terminate()
        begun = time.monotonic()
        _, errors = await asyncio.wait_for(process.communicate(), 2 * ALLOWED_SECONDS)
        took = time.monotonic() - begun
        await asyncio.wait([asking])
        assert (await following).status_code == 200, "a stream is ended, not cut off"
    assert process.returncode == 0, errors
    assert took < ALLOWED_SECONDS, errors
