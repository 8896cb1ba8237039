"""Authorization flows with time passing, services failing, and providers that say who they are; on both databases."""

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from domain.address_guard import OutboundAllow
from domain.authorization_flows import FLOW_LIFETIME, AuthorizationFlows
from domain.authorization_journey import COMPLETION_LIFETIME, Arrival, Departure
from domain.connection_checks import ConnectionChecks
from domain.credential_revocation import REVOCATION_USE
from domain.credential_secrets import CredentialSecret, OAuthSecret
from domain.credential_vault import CredentialVault
from domain.entities.health import Remedy
from domain.entities.task import TaskKind
from domain.entities.user import Role, Viewer
from domain.errors import Forbidden, InvalidInput, NotFound
from domain.flow_failure import FailureCode, FlowFailure, fault_at_exchange
from domain.health import HealthCheckFactory
from domain.http import HttpClient
from domain.one_time_tokens import one_time_hash
from domain.sealed_grant import open_grant
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod, AuthorizationReturn, Grant
from domain.services.base import ServiceScope
from domain.services.catalogue import ServiceCatalogue
from domain.services.generic import GenericService, GenericServiceDescription
from domain.services.github import GitHub, GitHubApp
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack import Slack
from tests.domain.world import World

pytestmark = pytest.mark.anyio

PUBLIC_URL = "http://127.0.0.1:9"
RETURN_TO = "https://app.example.com/connected"
LOGIN = "ada-in-time"
APP_ID, APP_SLUG = "9004", "tether-in-domain-tests"
UNKNOWN_CODE = "This code isn't known"


@dataclass(frozen=True, slots=True)
class Authorizing:
    """The flows of a world whose operator has registered clients, and a person at each service."""

    world: World
    flows: AuthorizationFlows
    catalogue: ServiceCatalogue
    vault: CredentialVault
    browser: httpx2.AsyncClient

    async def begin(self, service: str = "github", **given: Any) -> str:
        """A start token."""
        begun = await self.flows.begin(self.world.admin, self.world.organization_id, service, **given)
        assert begun.expires_at - self.world.clock() <= FLOW_LIFETIME
        return begun.authorization_url.removeprefix(f"{PUBLIC_URL}/oauth/start/")

    async def leave(self, token: str) -> Departure:
        departure = await self.flows.start(token)
        assert isinstance(departure, Departure)
        return departure

    async def agree(self, departure: Departure, **decision: str) -> dict[str, str]:
        """The query with which the service sends the browser back."""
        return await self.world.sandbox.browse(departure.address, login=LOGIN, **decision)

    async def come_back(self, departure: Departure, query: dict[str, str], service: str = "github") -> Arrival:
        return await self.flows.come_back(service, query, {departure.reference: departure.proof.reveal()})

    async def go(self, service: str = "github", **given: Any) -> str:
        """The whole way: a completion code."""
        departure = await self.leave(await self.begin(service, **given))
        arrival = await self.come_back(departure, await self.agree(departure), service)
        assert isinstance(arrival.outcome, Secret)
        return arrival.outcome.reveal()

    async def waiting(self, code: str) -> CredentialSecret:
        async with self.world.units.reading() as unit:
            flow = await unit.authorization_flows.find(code_hash=one_time_hash(code))
        assert flow is not None
        grant = open_grant(self.vault, flow)
        assert grant is not None
        return grant.secret

    async def accepted(self, secret: CredentialSecret) -> bool:
        """Whether GitHub takes it."""
        assert isinstance(secret, OAuthSecret)
        headers = {"Authorization": f"Bearer {secret.access_token.reveal()}"}
        return (await self.browser.get(f"{self.world.sandbox.github_api_url}/user", headers=headers)).is_success


@pytest.fixture
async def authorizing(world: World) -> AsyncIterator[Authorizing]:
    client = OAuthClient("tether-in-domain-tests", Secret(secrets.token_hex(20)))
    sandbox, vault = world.sandbox, CredentialVault(world.encryption)
    async with (
        httpx2.AsyncClient(base_url=sandbox.url, trust_env=False) as browser,
        aclosing(HttpClient(allow=OutboundAllow.parse("127.0.0.1"), retry_delay_seconds=lambda: 0.0)) as http,
    ):
        for service in ("github", "openid"):
            await sandbox.put_client(
                service,
                client.client_id,
                secret=client.client_secret.reveal(),
                redirect_uris=[f"{PUBLIC_URL}/oauth/callback/{service}"],
            )
        await sandbox.put_github_app(APP_ID, slug=APP_SLUG, client_id=client.client_id)
        app = GitHubApp(APP_ID, APP_SLUG, Secret(await sandbox.make_github_app_key(APP_ID)))
        await world.token("github", account={"id": 90001, "login": LOGIN})
        person = {"id": 90001, "username": LOGIN}
        await sandbox.put_token(str(uuid.uuid4()), service="openid", account=person, scopes=["openid", "profile"])
        catalogue = ServiceCatalogue(
            [
                GitHub(http, sandbox.github_api_url, sandbox.github_url, world.clock, client=client, app=app),
                Slack(http, sandbox.slack_api_url, sandbox.slack_url, world.clock),
                GenericService(http, _openid(f"{sandbox.url}/openid", client), world.clock),
            ]
        )
        checks = ConnectionChecks(catalogue, HealthCheckFactory(catalogue, world.clock), world.clock, lambda: 0.5)
        flows = AuthorizationFlows(
            world.units,
            catalogue,
            checks,
            vault,
            world.clock,
            public_url=PUBLIC_URL,
            return_to_allowed=(RETURN_TO,),
        )
        yield Authorizing(world, flows, catalogue, vault, browser)


def _openid(url: str, client: OAuthClient) -> GenericServiceDescription:
    return GenericServiceDescription(
        id="openid",
        name="OpenID provider",
        description="For tests.",
        documentation_url=f"{url}/docs",
        authorize_url=f"{url}/authorize",
        token_url=f"{url}/token",
        identity_url=f"{url}/api/userinfo",
        client=client,
        scopes=(ServiceScope("openid", "Who it is.", required=True), ServiceScope("profile", "And how called.")),
        revocation_url=f"{url}/revoke",
        issuer=url,
    )


async def test_an_answer_has_to_be_of_the_issuer_that_was_asked(authorizing: Authorizing) -> None:
    for change, expected in (
        ({"iss": "https://evil.example"}, FailureCode.WRONG_ISSUER),
        ({"iss": ""}, FailureCode.WRONG_ISSUER),
        ({}, None),
    ):
        departure = await authorizing.leave(await authorizing.begin("openid"))
        query = await authorizing.agree(departure)
        assert query["iss"] == f"{authorizing.world.sandbox.url}/openid"
        arrival = await authorizing.come_back(departure, query | change, "openid")
        assert _failure(arrival) == expected


async def test_a_service_that_was_only_described_is_connected_like_any_other(authorizing: Authorizing) -> None:
    code = await authorizing.go("openid", name="Sign-in")
    connection = await authorizing.flows.complete(authorizing.world.admin, code)
    assert (connection.name, connection.status.value) == ("Sign-in", "ACTIVE")


async def test_a_github_app_is_connected_by_installing_it(authorizing: Authorizing) -> None:
    flows, world = authorizing.flows, authorizing.world
    departure = await authorizing.leave(await authorizing.begin(method=AuthorizationMethod.GITHUB_APP))
    assert f"/apps/{APP_SLUG}/installations/new?" in departure.address
    query = await authorizing.agree(departure)
    assert query["setup_action"] in {"install", "update"}
    arrival = await authorizing.come_back(departure, query)
    assert isinstance(arrival.outcome, Secret)
    connection = await flows.complete(world.admin, arrival.outcome.reveal())
    assert connection.status.value == "ACTIVE"
    [credential] = await world.rows("service_credentials")
    assert credential["kind"] == "GITHUB_APP"


async def test_an_installation_that_somebody_else_has_to_approve_or_has_isnt_connected(
    authorizing: Authorizing,
) -> None:
    for decision, change in (({"decision": "request"}, {}), ({}, {"installation_id": "1"})):
        departure = await authorizing.leave(await authorizing.begin(method=AuthorizationMethod.GITHUB_APP))
        query = await authorizing.agree(departure, **decision)
        arrival = await authorizing.come_back(departure, query | change)
        assert _failure(arrival) is FailureCode.SERVICE_REFUSED


async def test_a_link_and_the_way_back_last_ten_minutes(authorizing: Authorizing) -> None:
    clock = authorizing.world.clock
    early, late = await authorizing.begin(), await authorizing.begin()
    departure = await authorizing.leave(early)
    query = await authorizing.agree(departure)
    clock.advance(seconds=FLOW_LIFETIME.total_seconds())
    assert _failure(await authorizing.flows.start(late)) is FailureCode.EXPIRED
    assert _failure(await authorizing.come_back(departure, query)) is FailureCode.EXPIRED


async def test_what_nobody_completes_in_time_is_revoked_and_forgotten(authorizing: Authorizing) -> None:
    world = authorizing.world
    code = await authorizing.go()
    secret = await authorizing.waiting(code)
    await authorizing.begin()
    assert await authorizing.flows.forget_expired(world.clock(), 10) == 0
    world.clock.advance(seconds=COMPLETION_LIFETIME.total_seconds())
    with pytest.raises(InvalidInput, match=UNKNOWN_CODE):
        await authorizing.flows.complete(world.admin, code)
    assert await authorizing.accepted(secret)

    assert await authorizing.flows.forget_expired(world.clock(), 1) == 1
    assert await authorizing.flows.forget_expired(world.clock(), 10) == 1

    assert not await authorizing.accepted(secret)
    assert await world.rows("authorization_flows") == []
    assert await world.rows("tasks") == []


async def test_a_revocation_that_fails_is_put_down_to_be_tried_again(authorizing: Authorizing) -> None:
    world = authorizing.world
    code = await authorizing.go()
    secret = await authorizing.waiting(code)
    await world.sandbox.set_down("github", True)
    try:
        with pytest.raises(InvalidInput, match=UNKNOWN_CODE):
            await authorizing.flows.complete(world.viewers[Role.OWNER], code)
    finally:
        await world.sandbox.set_down("github", False)

    assert await world.rows("authorization_flows") == []
    [row] = await world.rows("tasks")
    assert (row["kind"], row["payload"]["service"]) == (TaskKind.REVOKE_CREDENTIAL.value, "github")
    assert row["due_at"] > world.clock()
    sealed = row["payload"]["sealed"]
    opened = authorizing.vault.open_apart(world.organization_id, row["subject_id"], REVOCATION_USE, sealed)
    assert opened == secret


async def test_what_a_living_connection_uses_is_never_revoked(authorizing: Authorizing) -> None:
    """Slack gives a workspace the same token each time: an abandoned flow must not end the connection that has it."""
    world = authorizing.world
    code = await authorizing.go()
    secret = await authorizing.waiting(code)
    await world.manager.create_connection(world.admin, world.organization_id, "github", secret)

    with pytest.raises(InvalidInput, match=UNKNOWN_CODE):
        await authorizing.flows.complete(world.viewers[Role.OWNER], code)

    assert await authorizing.accepted(secret)
    assert await world.rows("authorization_flows") == []
    assert [task for task in await world.rows("tasks") if task["kind"] == TaskKind.REVOKE_CREDENTIAL.value] == []


async def test_what_arrives_for_a_flow_that_was_forgotten_meanwhile_is_revoked(
    authorizing: Authorizing, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, given = authorizing.world, list[CredentialSecret]()
    github = authorizing.catalogue.get("github").authorization
    assert github is not None
    exchange = github.exchange

    async def exchange_for_long(returned: AuthorizationReturn) -> Grant | ServiceFault:
        grant = await exchange(returned)
        assert isinstance(grant, Grant)
        given.append(grant.secret)
        world.clock.advance(seconds=FLOW_LIFETIME.total_seconds())
        assert await authorizing.flows.forget_expired(world.clock(), 10) == 1
        return grant

    departure = await authorizing.leave(await authorizing.begin())
    query = await authorizing.agree(departure)
    monkeypatch.setattr(github, "exchange", exchange_for_long)
    assert _failure(await authorizing.come_back(departure, query)) is FailureCode.EXPIRED
    assert not await authorizing.accepted(given[0])
    assert await world.rows("tasks") == []


def test_every_fault_has_its_code() -> None:
    codes = {kind: fault_at_exchange(ServiceFault(kind, "code", "Words.", Remedy.NONE)).code for kind in FaultKind}
    assert codes[FaultKind.RATE_LIMITED] is FailureCode.SERVICE_RATE_LIMITED
    assert codes[FaultKind.CLIENT_REFUSED] is FailureCode.OPERATOR_MISCONFIGURED
    assert FailureCode.DENIED not in codes.values()


async def test_each_step_is_taken_by_one_of_many_at_once(authorizing: Authorizing) -> None:
    token = await authorizing.begin()
    starts = await asyncio.gather(*(authorizing.flows.start(token) for _ in range(5)))
    [departure] = [each for each in starts if isinstance(each, Departure)]
    query = await authorizing.agree(departure)
    arrivals = await asyncio.gather(*(authorizing.come_back(departure, query) for _ in range(5)))
    [code] = [each.outcome for each in arrivals if isinstance(each.outcome, Secret)]
    assert {_failure(each) for each in (*starts, *arrivals)} == {None, FailureCode.REPLAYED}
    ended = await asyncio.gather(
        *(authorizing.flows.complete(authorizing.world.admin, code.reveal()) for _ in range(5)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in ended) == [*["InvalidInput"] * 4, "ServiceConnection"]
    assert len(await authorizing.world.rows("service_connections")) == 1


def _failure(each: Departure | Arrival) -> FailureCode | None:
    return each.outcome.code if isinstance(each, Arrival) and isinstance(each.outcome, FlowFailure) else None


async def test_whoever_began_may_no_longer_finish_without_the_role(authorizing: Authorizing) -> None:
    world = authorizing.world
    code = await authorizing.go()
    capped = Viewer(world.admin.user_id, world.admin.user_name, Role.MEMBER)
    with pytest.raises(Forbidden):
        await authorizing.flows.complete(capped, code)
    assert (await authorizing.flows.complete(world.admin, code)).status.value == "ACTIVE"


async def test_a_connection_that_is_deleted_meanwhile_isnt_brought_back(authorizing: Authorizing) -> None:
    world = authorizing.world
    connection = await world.connect()
    code = await authorizing.go(connection_id=connection.id)
    secret = await authorizing.waiting(code)
    await world.manager.delete_connection(world.admin, connection.id)
    with pytest.raises(NotFound):
        await authorizing.flows.complete(world.admin, code)
    assert not await authorizing.accepted(secret)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"service": "nothing"}, "service"),
        ({"service": "slack"}, "service"),
        ({"method": AuthorizationMethod.TOKEN}, "method"),
        ({"name": " "}, "name"),
        ({"labels": {"a": 1}}, "labels"),
        ({"settings": {"nope": 1}}, "settings"),
        ({"scopes": ["repo", "everything"]}, "scopes"),
        ({"return_to": f"{RETURN_TO}/"}, "returnTo"),
        ({"popup": True}, "returnTo"),
        ({"connection_id": uuid.uuid4(), "name": "Code"}, "connectionId"),
    ],
)
async def test_what_cant_be_begun_says_why(authorizing: Authorizing, given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await authorizing.begin(**given)
    assert refused.value.field[:2] == ("input", field)
    assert await authorizing.world.rows("authorization_flows") == []


async def test_a_service_without_a_registered_client_blames_nobody_but_says_who_can_help(
    authorizing: Authorizing,
) -> None:
    with pytest.raises(InvalidInput, match="The operator of this server has registered no client at Slack"):
        await authorizing.begin("slack")


async def test_reconnecting_asks_for_what_the_connection_had(authorizing: Authorizing) -> None:
    world = authorizing.world
    connection = await world.connect(await world.token(scopes=["repo", "workflow", "unheard-of"]))
    departure = await authorizing.leave(await authorizing.begin(connection_id=connection.id))
    asked = dict(parse_qsl(urlsplit(departure.address).query))
    assert set(asked["scope"].split()) == {*connection.required_scopes, "repo", "workflow"}
