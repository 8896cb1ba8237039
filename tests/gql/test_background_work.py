"""What a server does by itself, as clients and operators see it."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from domain.credential_vault import CredentialVault
from domain.entities.task import WHOLE_SERVER, TaskKind
from domain.services.github import GitHub
from gql.background_work import BackgroundWork
from tests.domain.oauth_links import OAuthLinks, new_client
from tests.gql.command import run_tether, tether_serve
from tests.gql.server import TetherServer, running_tether, uuid_of
from tests.gql.waiting import eventually
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

CREDENTIAL = """query ($id: ID!) { node(id: $id) { ... on ServiceConnection {
  status credential { generation } events(first: 5) { nodes { type actor { kind } } } } } }"""


class Linked:
    """A server with a client at the sandbox's GitHub, and a connection whose credential is about to end."""

    def __init__(self, server: TetherServer, links: OAuthLinks, environ: dict[str, str]) -> None:
        self.server = server
        self.links = links
        self.environ = environ

    async def link(self) -> str:
        """The connection's id, as clients see it."""
        await self.links.register()
        github = self.server.tether.catalogue.get("github")
        assert isinstance(github, GitHub)
        await self.server.member()
        organization_id = uuid_of(await self.server.organization_id())
        return f"conn_{(await self.links.link(github, organization_id)).id}"

    async def refreshed(self, connection_id: str) -> dict[str, Any] | None:
        """What a client sees of it, once its credential is a new one."""
        client = await self.server.member()
        seen: dict[str, Any] = (await client.data(CREDENTIAL, id=connection_id))["node"]
        return seen if seen["credential"]["generation"] == 2 else None

    async def tasks_of(self, subject: UUID) -> set[str]:
        return {row["kind"] for row in await self.server.rows("tasks") if row["subject_id"] == subject}


@pytest.fixture
async def linked(database_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[Linked]:
    client = new_client()
    variables = {
        "TETHER_GITHUB_CLIENT_ID": client.client_id,
        "TETHER_GITHUB_CLIENT_SECRET": client.client_secret.reveal(),
    }
    async with running_tether(database_url, sandbox, encryption_key, **variables) as server:
        tether = server.tether
        vault = CredentialVault(tether.encryption)
        links = OAuthLinks(sandbox, tether.units_of_work, vault, tether.clock, client)
        environ = {
            "TETHER_DATABASE_URL": database_url,
            "TETHER_ENCRYPTION_KEY": encryption_key,
            "TETHER_ENVIRONMENT": "development",
            "TETHER_GITHUB_URL": sandbox.github_url,
            "TETHER_GITHUB_API_URL": sandbox.github_api_url,
            "TETHER_OUTBOUND_ALLOW": "127.0.0.1",
            **variables,
        }
        yield Linked(server, links, environ)


async def test_a_credential_that_ends_is_refreshed_by_itself_and_clients_see_it(linked: Linked) -> None:
    connection_id = await linked.link()
    async with BackgroundWork(linked.server.tether).working():
        seen = await eventually(lambda: linked.refreshed(connection_id))
    assert seen["status"] == "ACTIVE"
    assert seen["events"]["nodes"] == [{"type": "CREDENTIALS_ROTATED", "actor": {"kind": "SCHEDULER"}}]


async def test_a_refresh_is_counted_by_its_service_and_outcome(linked: Linked) -> None:
    connection_id = await linked.link()
    tether = linked.server.tether
    async with BackgroundWork(tether).working():
        await eventually(lambda: linked.refreshed(connection_id))
    labels = {"service": "github", "outcome": "REFRESHED"}
    assert tether.metrics.registry.get_sample_value("tether_refreshes_total", labels) == 1


async def test_tether_serve_works_and_the_short_commands_do_not(linked: Linked) -> None:
    connection_id = await linked.link()
    arguments = ("--organization", "acme", "--user", "ada@acme.example", "--role", "ADMIN")
    assert (await run_tether("token", *arguments, environ=linked.environ)).exit_code == 0
    assert await linked.refreshed(connection_id) is None
    assert await linked.tasks_of(WHOLE_SERVER) == set()
    async with tether_serve(linked.environ):
        await eventually(lambda: linked.refreshed(connection_id))
    assert await linked.tasks_of(WHOLE_SERVER) == {
        TaskKind.FORGET_FLOWS,
        TaskKind.FORGET_DELIVERIES,
        TaskKind.FORGET_DELETED_CONNECTIONS,
        TaskKind.FORGET_CALL_BUDGETS,
        TaskKind.FORGET_IDEMPOTENCY_KEYS,
        TaskKind.FORGET_SIGN_INS,
        TaskKind.FORGET_INVITATIONS,
        TaskKind.COMPACT_HEALTH,
        TaskKind.SETTLE_COMMAND_RUNS,
        TaskKind.FORGET_COMMAND_RUNS,
        TaskKind.FORGET_HEALTH_CHECKS,
        TaskKind.FORGET_EVENTS,
        TaskKind.FORGET_AUDIT_RECORDS,
    }
