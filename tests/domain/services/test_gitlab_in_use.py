"""GitLab as the rest of Tether uses it, which knows it by its interface only: from the browser to the end."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

import pytest

from domain.address_guard import OutboundAllow
from domain.authorization_flows import AuthorizationFlows
from domain.authorization_journey import Departure
from domain.connection_checks import ConnectionChecks
from domain.connection_deletion import SecretFate
from domain.credential_refresh import CredentialRefresher
from domain.credential_secrets import OAuthSecret
from domain.credential_vault import CredentialVault
from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import SCHEDULER
from domain.entities.health import Verdict
from domain.entities.service_connection import ServiceConnection
from domain.health import HealthCheckFactory
from domain.http import HttpClient
from domain.refresh_outcome import Refreshed
from domain.repository_sync import RepositorySync
from domain.repository_sync_outcome import SyncReport
from domain.secret import Secret
from domain.service_connection_manager import ServiceConnectionManager
from domain.services.base import Identified
from domain.services.catalogue import ServiceCatalogue
from domain.services.gitlab import GitLab
from domain.services.oauth_client import OAuthClient
from domain.services.webhooks import Delivery
from domain.webhook_processing import WebhookProcessing
from tests.domain.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

PUBLIC_URL = "https://tether.example"
HOOK_TOKEN = Secret("an-obviously-fake-hook-token")


@dataclass(frozen=True, slots=True)
class InUse:
    """A Tether whose only service is GitLab."""

    world: World
    gitlab: GitLab
    client: OAuthClient
    flows: AuthorizationFlows
    refresher: CredentialRefresher
    manager: ServiceConnectionManager
    sync: RepositorySync
    webhooks: WebhookProcessing

    async def connect(self) -> ServiceConnection:
        """Through the browser, as acme-dev."""
        begun = await self.flows.begin(self.world.admin, self.world.organization_id, "gitlab", name="Code")
        departure = await self.flows.start(begun.authorization_url.removeprefix(f"{PUBLIC_URL}/oauth/start/"))
        assert isinstance(departure, Departure)
        query = await self.world.sandbox.browse(departure.address, login="acme-dev")
        proofs = {departure.reference: departure.proof.reveal()}
        arrival = await self.flows.come_back("gitlab", query, proofs)
        assert isinstance(arrival.outcome, Secret), arrival
        return await self.flows.complete(self.world.admin, arrival.outcome.reveal())

    async def refresh(self, connection: ServiceConnection) -> OAuthSecret:
        outcome = await self.refresher.refresh(self.world.organization_id, connection.id)
        assert isinstance(outcome, Refreshed)
        assert isinstance(outcome.secret, OAuthSecret)
        return outcome.secret

    async def refreshes(self) -> tuple[int, int]:
        """How many refresh tokens GitLab took, and how many were shown to it again after that."""
        count = await self.world.sandbox.refreshes("gitlab", self.client.client_id)
        return count.taken, count.reused


@pytest.fixture
async def in_use(world: World) -> AsyncIterator[InUse]:
    sandbox, units, clock, vault = world.sandbox, world.units, world.clock, CredentialVault(world.encryption)
    client = OAuthClient(f"client-{secrets.token_hex(6)}", Secret(secrets.token_hex(20)))
    callback = f"{PUBLIC_URL}/oauth/callback/gitlab"
    await sandbox.put_client("gitlab", client.client_id, secret=client.client_secret.reveal(), redirect_uris=[callback])
    async with aclosing(HttpClient(allow=OutboundAllow.parse("127.0.0.1"))) as http:
        gitlab = GitLab(
            http, sandbox.gitlab_api_url, sandbox.gitlab_url, clock, client=client, webhook_secrets=[HOOK_TOKEN]
        )
        catalogue = ServiceCatalogue([gitlab])
        checks = HealthCheckFactory(catalogue, clock)
        async with aclosing(CredentialRefresher(units, catalogue, vault, clock, lambda: 0.5)) as refresher:
            yield InUse(
                world,
                gitlab,
                client,
                AuthorizationFlows(
                    units,
                    catalogue,
                    ConnectionChecks(catalogue, checks, clock, lambda: 0.5),
                    vault,
                    clock,
                    public_url=PUBLIC_URL,
                    return_to_allowed=(),
                ),
                refresher,
                ServiceConnectionManager(units, catalogue, checks, world.encryption, refresher, clock, lambda: 0.5),
                RepositorySync(units, catalogue, refresher, clock),
                WebhookProcessing(units, catalogue, clock),
            )


async def test_an_account_is_connected_checked_and_refreshed(in_use: InUse) -> None:
    connection = await in_use.connect()

    assert connection.status is ConnectionStatus.ACTIVE
    assert connection.external_account is not None
    assert connection.external_account.name == "acme-dev"
    assert connection.granted_scopes == ("read_api",)
    old = await in_use.refresh(connection)
    new = await in_use.refresh(connection)
    assert old.access_token != new.access_token
    assert isinstance(await in_use.gitlab.identify(new), Identified)
    check = await in_use.manager.check_connection_health(in_use.world.admin, connection.id)
    assert check.verdict is Verdict.PASSED
    assert await in_use.refreshes() == (2, 0)


async def test_an_access_token_that_has_ended_is_refreshed_on_the_way(in_use: InUse) -> None:
    connection = await in_use.connect()
    ended = (await in_use.refresh(connection)).access_token.reveal()
    await in_use.world.sandbox.put_token(ended, service="gitlab", behaviour="revoked", client_id="x")

    report = await in_use.sync.run(
        in_use.world.organization_id, connection.id, SCHEDULER, since=in_use.world.clock(), seconds=10
    )

    assert report == SyncReport(added=6, complete=True)
    assert await in_use.refreshes() == (2, 0)


async def test_its_projects_are_the_repositories(in_use: InUse) -> None:
    connection = await in_use.connect()
    now = in_use.world.clock()

    reports = [
        await in_use.sync.run(in_use.world.organization_id, connection.id, SCHEDULER, since=since, seconds=10)
        for since in (now, now + timedelta(milliseconds=1))
    ]

    assert reports[0] == SyncReport(added=6, complete=True)
    assert isinstance(reports[1], SyncReport)
    assert reports[1].added == 0
    rows = {row["full_name"]: row for row in await in_use.world.rows("repositories")}
    assert rows["acme/infrastructure/network"]["private"]
    assert rows["acme/legacy"]["archived"]


async def test_a_hook_about_the_person_reaches_their_connection(in_use: InUse) -> None:
    connection = await in_use.connect()
    body = {"event_name": "user_add_to_team", "user_id": 7001, "project_path_with_namespace": "acme/new"}
    headers = {"X-Gitlab-Token": HOOK_TOKEN.reveal(), "X-Gitlab-Event": "System Hook", "Idempotency-Key": "d-1"}
    assert in_use.gitlab.webhooks is not None
    delivery = in_use.gitlab.webhooks.receive(headers, json.dumps(body).encode(), in_use.world.clock())
    assert isinstance(delivery, Delivery)

    kept = [await in_use.webhooks.keep("gitlab", delivery) for _ in range(2)]
    for row in await in_use.world.rows("webhook_deliveries"):
        await in_use.webhooks.process(row["id"])

    assert kept == [True, False]
    assert "WEBHOOK_RECEIVED" in [event.value for event in await in_use.world.events(connection.id)]


async def test_deleting_a_connection_ends_its_grant_at_gitlab(in_use: InUse) -> None:
    connection = await in_use.connect()
    secret = await in_use.refresh(connection)

    deletion = await in_use.manager.delete_connection(in_use.world.admin, connection.id)

    assert deletion.secret is SecretFate.REVOKED
    assert not isinstance(await in_use.gitlab.identify(secret), Identified)
