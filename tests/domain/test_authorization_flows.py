"""Authorization flows with time passing, services failing, and providers that say who they are; on both databases."""

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx2
import pytest

from domain.address_guard import OutboundAllow
from domain.authorization_flows import FLOW_LIFETIME, AuthorizationFlows
from domain.authorization_journey import COMPLETION_LIFETIME, Arrival, Departure
from domain.connection_checks import ConnectionChecks
from domain.credential_revocation import REVOCATION_USE, CredentialRevocations
from domain.credential_secrets import CredentialSecret, OAuthSecret, TokenSecret
from domain.credential_vault import CredentialVault
from domain.entities.health import Remedy
from domain.entities.task import TaskKind
from domain.entities.user import Role, Viewer
from domain.errors import Forbidden, InvalidInput, NotFound, ServiceUnavailable
from domain.flow_failure import FailureCode, FlowFailure, fault_at_exchange
from domain.health import HealthCheckFactory
from domain.http import HttpClient
from domain.one_time_tokens import one_time_hash
from domain.ports import UnitOfWork, UnitsOfWork
from domain.sealed_grant import open_grant
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod, AuthorizationReturn, Grant
from domain.services.base import Identified, ServiceScope
from domain.services.catalogue import ServiceCatalogue
from domain.services.generic import GenericService, GenericServiceDescription
from domain.services.github import GitHub, GitHubApp
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack import Slack
from domain.task_outcome import Ended, TaskOutcome
from persistence.row_security import Reach
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.world import Clock, World
from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

PUBLIC_URL = "http://127.0.0.1:9"
RETURN_TO = "https://app.example.com/connected"
LOGIN = "ada-in-time"
APP_ID, APP_SLUG = "9004", "tether-in-domain-tests"
UNKNOWN_CODE = "This code isn't known"


class Shaky(SqlUnitsOfWork):
    """Units of work on a database that can't be reached for some time; `tried` is called each time that it can't."""

    def __init__(self, real: SqlUnitsOfWork, tried: Callable[[], object] = lambda: None) -> None:
        super().__init__(real.database, lambda organization_id: None)
        self.failures = 0
        self._tried = tried
        self._good, self._committed = 0, False

    def fails_after(self, good: int, *, times: int, committed: bool = False) -> None:
        """`committed`: what fails is only the answer to the commit."""
        self._good, self.failures, self._committed = good, times, committed

    def begin(
        self, reach: Reach, organization_id: UUID | None, *, writes: bool
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        unit = super().begin(reach, organization_id, writes=writes)
        return self._shaky(unit) if writes else unit

    @asynccontextmanager
    async def _shaky(self, begun: AbstractAsyncContextManager[UnitOfWork]) -> AsyncIterator[UnitOfWork]:
        fails = self._good == 0 and self.failures > 0
        if fails and not self._committed:
            self._fail()
        async with begun as unit:
            yield unit
        self._good -= self._good > 0
        if fails:
            self._fail()

    def _fail(self) -> None:
        self.failures -= 1
        self._tried()
        raise ServiceUnavailable


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

    def flows_on(self, units: UnitsOfWork) -> AuthorizationFlows:
        """The same, on another database or a worse one."""
        return _flows(units, self.catalogue, self.vault, self.world.clock)

    async def revoke_due(self) -> list[TaskOutcome]:
        """Do the revocations that are put down for later: what came of each."""
        self.world.clock.advance(minutes=2)
        now, kinds = self.world.clock(), [TaskKind.REVOKE_CREDENTIAL]
        async with self.world.units.writing_everywhere() as unit:
            tasks = await unit.tasks.claim(now, now + timedelta(minutes=1), 10, kinds)
            await unit.commit()
        revocations = CredentialRevocations(self.world.units, self.catalogue, self.vault, self.world.clock)
        outcomes = [await revocations.revoke(task) for task in tasks]
        async with self.world.units.writing_everywhere() as unit:
            for task in tasks:
                await unit.tasks.finish(task)
            await unit.commit()
        return outcomes

    async def waiting(self, code: str) -> CredentialSecret:
        async with self.world.units.reading_everywhere() as unit:
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


@pytest.fixture(scope="module")
async def app_key(sandbox: SandboxServer) -> Secret:
    """Made once: it takes as long as a test."""
    await sandbox.put_github_app(APP_ID, slug=APP_SLUG)
    return Secret(await sandbox.make_github_app_key(APP_ID))


@pytest.fixture
async def authorizing(world: World, app_key: Secret) -> AsyncIterator[Authorizing]:
    client = OAuthClient("tether-in-domain-tests", Secret(secrets.token_hex(20)))
    sandbox, vault = world.sandbox, CredentialVault(world.encryption)
    async with (
        httpx2.AsyncClient(base_url=sandbox.url, trust_env=False, verify=NO_TLS) as browser,
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
        app = GitHubApp(APP_ID, APP_SLUG, app_key)
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
        flows = _flows(world.units, catalogue, vault, world.clock)
        yield Authorizing(world, flows, catalogue, vault, browser)


def _flows(units: UnitsOfWork, catalogue: ServiceCatalogue, vault: CredentialVault, clock: Clock) -> AuthorizationFlows:
    checks = ConnectionChecks(catalogue, HealthCheckFactory(catalogue, clock), clock, lambda: 0.5)
    return AuthorizationFlows(
        units, catalogue, checks, vault, clock, public_url=PUBLIC_URL, return_to_allowed=(RETURN_TO,)
    )


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


async def test_a_grant_that_is_given_up_waits_for_another_of_the_account_that_may_still_be_completed(
    authorizing: Authorizing,
) -> None:
    """At a service that may end both with one of them, whichever is revoked first."""
    world = authorizing.world
    await authorizing.go("openid")
    world.clock.advance(minutes=5)
    second = await authorizing.go("openid")
    world.clock.advance(minutes=5)

    assert await authorizing.flows.forget_expired(world.clock(), 10) == 1
    connection = await authorizing.flows.complete(world.admin, second)

    assert connection.status.value == "ACTIVE"
    assert await authorizing.revoke_due() == [Ended()]
    async with world.units.reading(world.organization_id) as unit:
        credential = await unit.credentials.find(connection.id)
    assert credential is not None
    secret = authorizing.vault.open(credential)
    assert isinstance(secret, OAuthSecret)
    assert isinstance(await authorizing.catalogue.get("openid").identify(secret), Identified)


async def test_of_two_grants_that_are_given_up_none_stays(authorizing: Authorizing) -> None:
    world = authorizing.world
    secrets_of = [await authorizing.waiting(await authorizing.go("openid")) for _ in range(2)]
    world.clock.advance(minutes=10)
    assert await authorizing.flows.forget_expired(world.clock(), 10) == 2

    assert await authorizing.revoke_due() == [Ended()], "the first one had to wait for the second"
    for secret in secrets_of:
        assert isinstance(await authorizing.catalogue.get("openid").identify(secret), ServiceFault)


async def test_reconnecting_revokes_what_is_replaced_and_not_what_replaces_it(authorizing: Authorizing) -> None:
    world = authorizing.world
    first = await authorizing.go()
    old = await authorizing.waiting(first)
    connection = await authorizing.flows.complete(world.admin, first)
    second = await authorizing.go(connection_id=connection.id)
    new = await authorizing.waiting(second)
    await authorizing.flows.complete(world.admin, second)
    assert await authorizing.accepted(old)

    assert await authorizing.revoke_due() == [Ended()]

    assert not await authorizing.accepted(old)
    assert await authorizing.accepted(new)


async def test_a_token_that_takes_the_place_of_a_grant_has_it_revoked(authorizing: Authorizing) -> None:
    world = authorizing.world
    code = await authorizing.go()
    old = await authorizing.waiting(code)
    connection = await authorizing.flows.complete(world.admin, code)
    token = await world.token(account={"id": 90001, "login": LOGIN})

    await world.manager.rotate_credentials(world.admin, connection.id, TokenSecret(token))

    assert await authorizing.revoke_due() == [Ended()]
    assert not await authorizing.accepted(old)
    await world.manager.rotate_credentials(world.admin, connection.id, TokenSecret(token))
    assert await authorizing.revoke_due() == [], "a person's own token is theirs"


async def test_what_the_service_gave_waits_for_the_database(authorizing: Authorizing) -> None:
    shaky = Shaky(authorizing.world.units)
    flows = authorizing.flows_on(shaky)
    departure = await authorizing.leave(await authorizing.begin())
    query = await authorizing.agree(departure)
    shaky.fails_after(1, times=2)

    arrival = await flows.come_back("github", query, {departure.reference: departure.proof.reveal()})

    assert shaky.failures == 0
    assert isinstance(arrival.outcome, Secret)
    connection = await authorizing.flows.complete(authorizing.world.admin, arrival.outcome.reveal())
    assert connection.status.value == "ACTIVE"


async def test_what_was_stored_without_our_being_told_is_good(authorizing: Authorizing) -> None:
    """The database has committed, and its answer got lost."""
    shaky = Shaky(authorizing.world.units)
    flows = authorizing.flows_on(shaky)
    departure = await authorizing.leave(await authorizing.begin())
    query = await authorizing.agree(departure)
    shaky.fails_after(1, times=1, committed=True)

    arrival = await flows.come_back("github", query, {departure.reference: departure.proof.reveal()})

    assert isinstance(arrival.outcome, Secret)
    secret = await authorizing.waiting(arrival.outcome.reveal())
    assert await authorizing.accepted(secret)


async def test_what_cannot_be_kept_at_all_is_revoked_without_the_database(
    authorizing: Authorizing, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, given = authorizing.world, list[CredentialSecret]()
    github = authorizing.catalogue.get("github").authorization
    assert github is not None
    exchange = github.exchange

    async def noted(returned: AuthorizationReturn) -> Grant | ServiceFault:
        grant = await exchange(returned)
        assert isinstance(grant, Grant)
        given.append(grant.secret)
        return grant

    shaky = Shaky(world.units, lambda: world.clock.advance(seconds=15))
    flows = authorizing.flows_on(shaky)
    departure = await authorizing.leave(await authorizing.begin())
    query = await authorizing.agree(departure)
    monkeypatch.setattr(github, "exchange", noted)
    shaky.fails_after(1, times=1_000)

    with pytest.raises(ServiceUnavailable):
        await flows.come_back("github", query, {departure.reference: departure.proof.reveal()})
    assert not await authorizing.accepted(given[0])


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
