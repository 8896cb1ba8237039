"""Refreshing: one refresh for whoever needs one, nothing lost that could be kept, and no dead connection that says it
lives. The sandbox ends all tokens of a grant when a refresh token comes a second time.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from domain.address_guard import OutboundAllow
from domain.credential_refresh import CredentialRefresher
from domain.credential_secrets import CredentialSecret, OAuthSecret
from domain.credential_vault import CredentialVault
from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import SCHEDULER, ConnectionEventType
from domain.entities.health import HealthStatus, Remedy, ServiceRateLimit
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task, TaskKind
from domain.entities.user import Role
from domain.errors import InvalidInput, NotFound, ServiceUnavailable, StatementLimitExceeded
from domain.health import HealthCheckFactory
from domain.http import HttpClient
from domain.ports import LeaseOutcome, UnitOfWork
from domain.refresh_flight import LEASE
from domain.refresh_outcome import NotRefreshable, Refreshed, RefreshFailed, RefreshOutcome
from domain.request_origin import RequestOrigin, request_from
from domain.secret import Secret
from domain.service_connection_manager import ServiceConnectionManager
from domain.services.authorization import Grant
from domain.services.base import Identified, IdentityAnswer, Revocation
from domain.services.catalogue import ServiceCatalogue
from domain.services.github import GitHub
from domain.services.github.authorization import GitHubAuthorization
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import FaultKind, ServiceFault
from domain.task_outcome import Again, Ended, Failed
from persistence.row_security import Reach
from persistence.statement_watch import limit_statements
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.oauth_links import OAuthLinks
from tests.domain.world import World

pytestmark = pytest.mark.anyio


class Interposed(GitHub):
    """The sandbox's GitHub, and what a test has happen between its answer to a refresh and whoever asked."""

    def interpose(
        self, after_refresh: Callable[[], Awaitable[None]] | None, given: list[OAuthSecret] | None = None
    ) -> None:
        """What the service gives is noted in `given`."""
        assert self.authorization is not None
        self.authorization = _Interposed(self.authorization, after_refresh, given)


class _Interposed(GitHubAuthorization):
    def __init__(
        self,
        real: GitHubAuthorization,
        after_refresh: Callable[[], Awaitable[None]] | None,
        given: list[OAuthSecret] | None,
    ) -> None:
        vars(self).update(vars(real))
        self._after_refresh = after_refresh
        self._given = given

    async def refresh(self, secret: OAuthSecret) -> Grant | ServiceFault:
        answer = await super().refresh(secret)
        if self._given is not None and isinstance(answer, Grant) and isinstance(answer.secret, OAuthSecret):
            self._given.append(answer.secret)
        if self._after_refresh is not None:
            await self._after_refresh()
        return answer


class Shaky(SqlUnitsOfWork):
    """Units of work on a database that can't be reached the next so many times."""

    def __init__(self, real: SqlUnitsOfWork) -> None:
        super().__init__(real.database, lambda organization_id: None)
        self.failures = 0

    def begin(
        self, reach: Reach, organization_id: UUID | None, *, writes: bool
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        if self.failures and writes:
            self.failures -= 1
            raise ServiceUnavailable
        return super().begin(reach, organization_id, writes=writes)


@dataclass
class Refreshing:
    """A connection that is about to end, and processes that refresh it."""

    world: World
    links: OAuthLinks
    http: HttpClient
    vault: CredentialVault
    service: Interposed = field(init=False)
    refreshers: list[CredentialRefresher] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = self.service_with(self.links.client)

    def service_with(self, client: OAuthClient) -> Interposed:
        """GitHub as a server with that client sees it."""
        sandbox = self.world.sandbox
        return Interposed(self.http, sandbox.github_api_url, sandbox.github_url, self.world.clock, client=client)

    def process(self) -> CredentialRefresher:
        world = self.world
        refresher = CredentialRefresher(world.units, ServiceCatalogue([self.service]), self.vault, world.clock)
        self.refreshers.append(refresher)
        return refresher

    async def link(self) -> ServiceConnection:
        return await self.links.link(self.service, self.world.organization_id)

    async def refresh(self, connection: ServiceConnection, seen_generation: int | None = None) -> RefreshOutcome:
        """By a process of its own."""
        return await self.process().refresh(connection.organization_id, connection.id, seen_generation=seen_generation)

    async def asked(self) -> tuple[int, int]:
        """How often the service has refreshed, and how often it was shown a refresh token that was used."""
        count = await self.world.sandbox.refreshes("github", self.links.client.client_id)
        return count.taken, count.reused

    async def identify(self, connection: ServiceConnection) -> IdentityAnswer:
        return await self.service.identify(await self.links.secret(connection))

    async def task(self, connection: ServiceConnection) -> Task | None:
        async with self.world.units.reading_everywhere() as unit:
            return await unit.tasks.find(TaskKind.REFRESH_CREDENTIAL, connection.id)

    async def claimed(self, connection: ServiceConnection) -> Task:
        async with self.world.units.writing_everywhere() as unit:
            now = self.world.clock()
            kinds = [TaskKind.REFRESH_CREDENTIAL]
            [task] = await unit.tasks.claim(now, now + timedelta(minutes=1), 10, kinds)
            await unit.commit()
        assert task.subject_id == connection.id
        return task

    async def take_over(self, connection: ServiceConnection, lease: UUID) -> None:
        """As another process does, once the time of the lease is over."""
        self.world.clock.advance(seconds=LEASE.total_seconds())
        now = self.world.clock()
        async with self.world.units.writing(connection.organization_id) as unit:
            outcome = await unit.credentials.lease(connection.id, lease, generation=1, now=now, until=now + LEASE)
            await unit.commit()
        assert outcome is LeaseOutcome.TAKEN_OVER

    async def withdraw(self, connection: ServiceConnection) -> None:
        """The person takes the grant back at the service, which ends all of its tokens."""
        answer = await self.service.revoke(await self.links.secret(connection))
        assert answer is Revocation.REVOKED


@pytest.fixture
async def refreshing(world: World) -> AsyncIterator[Refreshing]:
    http = HttpClient(allow=OutboundAllow.parse("127.0.0.1"), retry_delay_seconds=lambda: 0.0)
    vault = CredentialVault(world.encryption)
    links = OAuthLinks(world.sandbox, world.units, vault, world.clock)
    await links.register()
    made = Refreshing(world, links, http, vault)
    yield made
    for refresher in made.refreshers:
        await refresher.aclose()
    await http.aclose()


async def test_a_refresh_stores_what_the_service_gives_and_tells_of_it(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    before = await refreshing.links.credential(connection)
    outcome = await refreshing.refresh(connection)
    after, stored = await refreshing.links.credential(connection), await refreshing.links.stored(connection)
    assert isinstance(outcome, Refreshed)
    assert outcome.generation == after.generation == before.generation + 1
    assert after.fingerprint != before.fingerprint
    assert after.scopes == ("repo",)
    assert after.refreshable
    assert isinstance(await refreshing.identify(connection), Identified)
    assert await refreshing.world.events(connection.id) == [ConnectionEventType.CREDENTIALS_ROTATED]
    assert (stored.status, stored.version) == (ConnectionStatus.ACTIVE, connection.version)


async def test_a_refresh_puts_the_next_one_ahead_of_the_new_end(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    task = await refreshing.claimed(connection)
    assert await refreshing.process().refresh_due(task) == Ended()
    async with refreshing.world.units.writing_everywhere() as unit:
        await unit.tasks.finish(task)
        await unit.commit()
    following, credential = await refreshing.task(connection), await refreshing.links.credential(connection)
    assert following is not None
    assert credential.expires_at is not None
    assert timedelta(minutes=48) <= credential.expires_at - following.due_at <= timedelta(minutes=72)


async def test_a_refresh_that_brings_a_new_end_puts_its_warning_off(refreshing: Refreshing) -> None:
    connection, world = await refreshing.link(), refreshing.world
    async with world.units.writing_everywhere() as unit:
        kind, now = TaskKind.WARN_OF_EXPIRY, world.clock()
        await unit.tasks.put(Task(new_id(), kind, connection.id, connection.organization_id, now))
        await unit.commit()
    await refreshing.refresh(connection)
    credential = await refreshing.links.credential(connection)
    async with world.units.reading_everywhere() as unit:
        warning = await unit.tasks.find(TaskKind.WARN_OF_EXPIRY, connection.id)
    assert warning is not None
    assert credential.refresh_expires_at is not None
    assert warning.due_at == credential.refresh_expires_at - timedelta(days=7)


async def test_all_who_need_a_refresh_at_once_share_one(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    processes = [refreshing.process() for _ in range(4)]
    outcomes = await asyncio.gather(
        *(
            process.refresh(connection.organization_id, connection.id, seen_generation=1)
            for process in processes
            for _ in range(5)
        )
    )
    assert {outcome.generation for outcome in outcomes if isinstance(outcome, Refreshed)} == {2}
    assert all(isinstance(outcome, Refreshed) for outcome in outcomes)
    assert await refreshing.asked() == (1, 0)


async def test_whoever_has_seen_an_older_credential_gets_the_newer_one_without_a_call(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    await refreshing.refresh(connection)
    outcome = await refreshing.refresh(connection, seen_generation=1)
    assert isinstance(outcome, Refreshed)
    assert outcome.generation == 2
    assert await refreshing.asked() == (1, 0)


async def test_a_call_that_is_refused_is_made_again_with_a_refreshed_secret(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    stale = (await refreshing.links.secret(connection)).access_token.reveal()
    await refreshing.world.sandbox.forget_token(stale)  # ended at the service, before its time
    process = refreshing.process()
    answers = await asyncio.gather(
        *(process.call(connection.organization_id, connection.id, refreshing.service.identify) for _ in range(5))
    )
    assert all(isinstance(answer, Identified) for answer in answers)
    assert await refreshing.asked() == (1, 0)


async def test_a_call_that_works_refreshes_nothing(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    process = refreshing.process()
    answer = await process.call(connection.organization_id, connection.id, refreshing.service.identify)
    assert isinstance(answer, Identified)
    assert await refreshing.asked() == (0, 0)


async def test_a_refused_refresh_expires_the_connection_and_says_why(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    await refreshing.withdraw(connection)
    outcome = await refreshing.refresh(connection)
    stored = await refreshing.links.stored(connection)
    assert isinstance(outcome, RefreshFailed)
    assert outcome.ended
    assert stored.status is ConnectionStatus.EXPIRED
    assert stored.status_reason is not None
    assert (stored.status_reason.code, stored.status_reason.remedy) == ("REFRESH_REFUSED", Remedy.RECONNECT)
    assert stored.health.status is HealthStatus.UNHEALTHY
    assert stored.health.next_check_at is None
    assert ConnectionEventType.STATUS_CHANGED in await refreshing.world.events(connection.id)


async def test_an_expired_connection_is_not_refreshed_any_more(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    await refreshing.withdraw(connection)
    await refreshing.refresh(connection)
    again = await refreshing.refresh(connection)
    assert isinstance(again, RefreshFailed)
    assert again.ended
    assert again.fault.remedy is Remedy.RECONNECT
    assert await refreshing.process().refresh_due(await refreshing.claimed(connection)) == Ended()


async def test_a_refusal_is_forgotten_where_somebody_has_a_newer_credential(refreshing: Refreshing) -> None:
    """The connection is reconnected between the refusal and its judgement."""
    connection = await refreshing.link()
    await refreshing.withdraw(connection)
    grant = await refreshing.links.grant(refreshing.service)

    async def reconnect() -> None:
        async with refreshing.world.units.writing(connection.organization_id) as unit:
            credential = await refreshing.links.credential(connection)
            refreshing.vault.replace(credential, grant, None, refreshing.world.clock())
            await unit.credentials.save(credential, replaces_generation=1)
            await unit.commit()

    refreshing.service.interpose(reconnect)
    outcome = await refreshing.refresh(connection)
    assert isinstance(outcome, Refreshed)
    assert outcome.secret == grant.secret
    assert (await refreshing.links.stored(connection)).status is ConnectionStatus.ACTIVE


async def test_our_clients_own_fault_is_never_the_connections(
    refreshing: Refreshing, caplog: pytest.LogCaptureFixture
) -> None:
    connection = await refreshing.link()
    right = refreshing.service
    refreshing.service = refreshing.service_with(replace(refreshing.links.client, client_secret=Secret("another")))
    with caplog.at_level(logging.ERROR):
        outcome = await refreshing.process().refresh_due(await refreshing.claimed(connection))
    assert isinstance(outcome, Failed)
    assert "github" in caplog.text
    assert (await refreshing.links.stored(connection)).status is ConnectionStatus.ACTIVE
    assert await refreshing.world.events(connection.id) == []
    refreshing.service = right
    assert isinstance(await refreshing.refresh(connection), Refreshed)


async def test_while_the_service_is_down_nothing_happens_to_the_connection(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    await refreshing.world.sandbox.set_down("github", True)
    try:
        outcome = await refreshing.process().refresh_due(await refreshing.claimed(connection))
    finally:
        await refreshing.world.sandbox.set_down("github", False)
    assert isinstance(outcome, Failed)
    assert outcome.not_before is not None
    assert (await refreshing.links.stored(connection)).status is ConnectionStatus.ACTIVE
    refreshing.world.clock.advance(seconds=LEASE.total_seconds())
    assert isinstance(await refreshing.refresh(connection), Refreshed)  # after a look whether the old token still works
    assert await refreshing.asked() == (1, 0)


async def test_a_token_lost_in_a_crash_ends_as_expired_and_says_so(refreshing: Refreshing) -> None:
    connection = await refreshing.link()

    async def crash() -> None:
        raise ZeroDivisionError("as good as killed: the service has answered, and nobody stores it")

    refreshing.service.interpose(crash)
    with pytest.raises(ZeroDivisionError):
        await refreshing.refresh(connection)
    refreshing.service.interpose(None)
    assert (await refreshing.links.stored(connection)).status is ConnectionStatus.ACTIVE
    refreshing.world.clock.advance(seconds=LEASE.total_seconds())
    outcome = await refreshing.refresh(connection)
    stored = await refreshing.links.stored(connection)
    assert isinstance(outcome, RefreshFailed)
    assert outcome.ended
    assert stored.status is ConnectionStatus.EXPIRED
    assert stored.status_reason is not None
    assert stored.status_reason.code == "REFRESH_REFUSED"
    assert "cut off" in stored.status_reason.message


async def test_a_refresh_goes_on_when_its_caller_goes_away(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    answered, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        answered.set()
        await go_on.wait()

    refreshing.service.interpose(hold)
    process = refreshing.process()
    caller = asyncio.create_task(process.refresh(connection.organization_id, connection.id))
    await answered.wait()
    caller.cancel()
    await asyncio.wait([caller])
    go_on.set()
    await process.aclose()
    assert (await refreshing.links.credential(connection)).generation == 2
    assert isinstance(await refreshing.identify(connection), Identified)


@pytest.mark.parametrize("most", range(1, 9))
async def test_what_the_service_gave_is_stored_however_few_statements_its_caller_may_run(
    refreshing: Refreshing, most: int
) -> None:
    connection = await refreshing.link()

    async def held_to_few() -> None:
        limit_statements(most)
        with suppress(StatementLimitExceeded):
            await refreshing.refresh(connection, seen_generation=1)

    await asyncio.create_task(held_to_few())
    assert isinstance(await refreshing.identify(connection), Identified)
    assert (await refreshing.asked())[0] == (await refreshing.links.credential(connection)).generation - 1


async def test_what_the_service_gave_waits_for_the_database(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    world = refreshing.world
    units = Shaky(world.units)

    async def go_away() -> None:
        units.failures = 2

    refreshing.service.interpose(go_away)
    refresher = CredentialRefresher(units, ServiceCatalogue([refreshing.service]), refreshing.vault, world.clock)
    refreshing.refreshers.append(refresher)
    outcome = await refresher.refresh(connection.organization_id, connection.id)
    assert isinstance(outcome, Refreshed)
    assert units.failures == 0
    assert isinstance(await refreshing.identify(connection), Identified)
    assert await refreshing.asked() == (1, 0)


async def test_a_lease_that_ran_out_while_nobody_took_it_loses_nothing(refreshing: Refreshing) -> None:
    connection = await refreshing.link()

    async def take_long() -> None:
        refreshing.world.clock.advance(seconds=2 * LEASE.total_seconds())

    refreshing.service.interpose(take_long)
    outcome = await refreshing.refresh(connection)
    assert isinstance(outcome, Refreshed)
    assert outcome.generation == 2
    assert isinstance(await refreshing.identify(connection), Identified)
    assert await refreshing.asked() == (1, 0)


async def test_a_lease_that_was_taken_over_and_given_back_loses_nothing(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    other = uuid4()

    async def be_taken_over_for_a_while() -> None:
        await refreshing.take_over(connection, other)
        async with refreshing.world.units.writing(connection.organization_id) as unit:
            await unit.credentials.release(connection.id, other)
            await unit.commit()

    refreshing.service.interpose(be_taken_over_for_a_while)
    outcome = await refreshing.refresh(connection)
    assert isinstance(outcome, Refreshed)
    assert isinstance(await refreshing.identify(connection), Identified)
    assert await refreshing.asked() == (1, 0)


async def test_what_a_slow_process_brings_is_kept_though_another_has_its_lease(refreshing: Refreshing) -> None:
    connection = await refreshing.link()

    async def be_taken_over() -> None:
        await refreshing.take_over(connection, uuid4())

    refreshing.service.interpose(be_taken_over)
    outcome = await refreshing.refresh(connection)
    assert isinstance(outcome, Refreshed)
    assert (await refreshing.links.credential(connection)).generation == 2
    assert isinstance(await refreshing.identify(connection), Identified)
    assert await refreshing.asked() == (1, 0)


async def test_what_a_slow_process_brings_is_refused_where_another_has_ended_the_connection(
    refreshing: Refreshing,
) -> None:
    connection = await refreshing.link()
    slow = refreshing.service

    async def be_overtaken() -> None:
        slow.interpose(None)  # for the other one
        refreshing.world.clock.advance(seconds=LEASE.total_seconds())
        assert isinstance(await refreshing.refresh(connection), RefreshFailed)

    slow.interpose(be_overtaken)
    assert isinstance(await refreshing.refresh(connection), RefreshFailed)
    assert (await refreshing.links.stored(connection)).status is ConnectionStatus.EXPIRED
    assert (await refreshing.links.credential(connection)).generation == 1


async def test_who_joins_a_refresh_that_ends_with_what_they_have_seen_refused_gets_a_newer_one(
    refreshing: Refreshing,
) -> None:
    connection = await refreshing.link()
    process = refreshing.process()
    first = asyncio.create_task(process.refresh(connection.organization_id, connection.id, seen_generation=1))
    late = asyncio.create_task(process.refresh(connection.organization_id, connection.id, seen_generation=2))
    outcomes = [await first, await late]
    assert [outcome.generation for outcome in outcomes if isinstance(outcome, Refreshed)] == [2, 3]


async def test_a_connection_deleted_meanwhile_has_its_new_token_revoked(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    world = refreshing.world

    async def delete() -> None:
        async with world.units.writing(connection.organization_id) as unit:
            stored = await unit.connections.get(connection.id)
            await unit.credentials.remove(connection.id)
            await unit.events.append(stored.delete(world.clock()), SCHEDULER)
            await unit.connections.save(stored)
            await unit.commit()

    refreshing.service.interpose(delete)
    with pytest.raises(NotFound):
        await refreshing.refresh(connection)
    revoked = [call for call in await world.sandbox.calls() if call.method == "DELETE"]
    assert any(refreshing.links.client.client_id in call.path for call in revoked)
    assert [row for row in await world.rows("tasks") if row["kind"] == TaskKind.REVOKE_CREDENTIAL] == []


async def test_a_refresh_that_a_reconnection_overtakes_has_its_token_revoked_and_not_the_new_one(
    refreshing: Refreshing,
) -> None:
    connection, world, links = await refreshing.link(), refreshing.world, refreshing.links
    elsewhere = await links.grant(refreshing.service)
    given = list[OAuthSecret]()

    async def reconnect() -> None:
        async with world.units.writing(connection.organization_id) as unit:
            credential = await unit.credentials.find(connection.id)
            assert credential is not None
            refreshing.vault.replace(credential, elsewhere, None, world.clock())
            await unit.credentials.save(credential, replaces_generation=1)
            await unit.commit()

    refreshing.service.interpose(reconnect, given)
    outcome = await refreshing.refresh(connection)

    assert isinstance(outcome, Refreshed)
    assert outcome.secret == elsewhere.secret
    assert isinstance(await refreshing.service.identify(elsewhere.secret), Identified)
    [dropped] = given
    assert isinstance(await refreshing.service.identify(dropped), ServiceFault)
    assert [row for row in await world.rows("tasks") if row["kind"] == TaskKind.REVOKE_CREDENTIAL] == []


async def test_what_a_refresh_gave_stays_where_revoking_it_would_end_a_new_connection(refreshing: Refreshing) -> None:
    """The connection was deleted and made anew, at a service that ends all of an account with one token."""
    connection, world = await refreshing.link(), refreshing.world
    refreshing.service.revocation_spreads = True
    again = await refreshing.links.link(refreshing.service, world.organization_id, "Again")
    given = list[OAuthSecret]()

    async def make_anew() -> None:
        async with world.units.writing(connection.organization_id) as unit:
            stored, other = await unit.connections.get(connection.id), await unit.connections.get(again.id)
            await unit.credentials.remove(connection.id)
            await unit.events.append(stored.delete(world.clock()), SCHEDULER)
            other.webhook_key = "account:583000"
            await unit.connections.save(stored)
            await unit.connections.save(other)
            await unit.commit()

    refreshing.service.interpose(make_anew, given)
    with pytest.raises(NotFound):
        await refreshing.refresh(connection)
    assert isinstance(await refreshing.service.identify(given[0]), Identified)
    assert [row for row in await world.rows("tasks") if row["kind"] == TaskKind.REVOKE_CREDENTIAL] == []


async def test_what_the_service_said_of_the_quota_is_kept_to(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    world, until = refreshing.world, refreshing.world.clock() + timedelta(minutes=10)
    async with world.units.writing(connection.organization_id) as unit:
        stored = await unit.connections.get(connection.id)
        stored.rate_limit = ServiceRateLimit(blocked_until=until)
        await unit.connections.save(stored)
        await unit.commit()
    outcome = await refreshing.process().refresh_due(await refreshing.claimed(connection))
    assert isinstance(outcome, Failed)
    assert outcome.not_before is not None
    assert abs(outcome.not_before - until) < timedelta(seconds=2)
    answer = await refreshing.process().call(connection.organization_id, connection.id, _never)
    assert isinstance(answer, ServiceFault)
    assert answer.kind is FaultKind.RATE_LIMITED
    assert await refreshing.asked() == (0, 0)


async def test_a_credential_that_was_refreshed_on_demand_is_left_alone_by_its_task(refreshing: Refreshing) -> None:
    connection = await refreshing.link()
    task = await refreshing.claimed(connection)
    await refreshing.refresh(connection)
    outcome = await refreshing.process().refresh_due(task)
    assert isinstance(outcome, Again)
    assert outcome.at > refreshing.world.clock() + timedelta(hours=6)
    assert await refreshing.asked() == (1, 0)


async def test_without_a_refresh_token_there_is_nothing_to_do(refreshing: Refreshing) -> None:
    await refreshing.links.register(access_lifetime_seconds=None)
    connection = await refreshing.link()
    assert isinstance(await refreshing.refresh(connection), NotRefreshable)
    assert await refreshing.task(connection) is None


async def _never(secret: CredentialSecret) -> ServiceFault:
    raise AssertionError("nobody may be called")


async def test_a_service_that_refuses_each_new_token_too_is_asked_once_more_and_no_longer(
    refreshing: Refreshing, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, world = await refreshing.link(), refreshing.world
    refused = ServiceFault(FaultKind.CREDENTIAL_REFUSED, "refused", "It refuses every token.", Remedy.RECONNECT)

    async def refuse(secret: CredentialSecret) -> IdentityAnswer:
        return replace(refused, latency_ms=1)

    monkeypatch.setattr(refreshing.service, "identify", refuse)
    catalogue = ServiceCatalogue([refreshing.service])
    checks, refresher = HealthCheckFactory(catalogue, world.clock), refreshing.process()
    manager = ServiceConnectionManager(
        world.units, catalogue, checks, world.encryption, refresher, world.clock, lambda: 0.5
    )

    check = await manager.check_connection_health(world.admin, connection.id)

    assert check.status is HealthStatus.UNHEALTHY
    assert (await refreshing.links.stored(connection)).status is ConnectionStatus.EXPIRED
    assert (await refreshing.links.credential(connection)).generation == 2


async def test_who_joins_a_refresh_is_recorded_beside_who_began_it(refreshing: Refreshing) -> None:
    connection, world = await refreshing.link(), refreshing.world
    catalogue, process = ServiceCatalogue([refreshing.service]), refreshing.process()
    checks = HealthCheckFactory(catalogue, world.clock)
    manager = ServiceConnectionManager(world.units, catalogue, checks, world.encryption, process, world.clock)
    joining: list[asyncio.Task[None]] = []

    async def ask(request_id: str, role: Role) -> None:
        with request_from(RequestOrigin("203.0.113.7", request_id)):
            await manager.rotate_credentials(world.viewers[role], connection.id, None)

    async def join() -> None:
        joining.append(asyncio.create_task(ask("joined", Role.OWNER)))
        for _ in range(5):
            await refreshing.asked()  # calls over HTTP, in which everything else goes on

    refreshing.service.interpose(join)
    await ask("began", Role.ADMIN)
    await asyncio.gather(*joining)

    assert await refreshing.asked() == (1, 0)
    rows = {row["request_id"]: row for row in await world.rows("audit_records") if row["request_id"]}
    for request_id, role, has_event in (("began", Role.ADMIN, True), ("joined", Role.OWNER, False)):
        assert rows[request_id]["action"] == "CONNECTION_CREDENTIALS_ROTATED"
        assert rows[request_id]["actor_user_id"] == world.viewers[role].user_id
        assert ("eventId" in rows[request_id]["data"]) is has_event


async def test_what_does_not_open_is_refused_to_whoever_asks_for_a_refresh(refreshing: Refreshing) -> None:
    connection, world = await refreshing.link(), refreshing.world
    credential = await refreshing.links.credential(connection)
    async with world.units.writing(connection.organization_id) as unit:
        credential.sealed = f"{credential.sealed[:-4]}AAAA"
        await unit.credentials.save(credential, replaces_generation=credential.generation)
        await unit.commit()
    catalogue, process = ServiceCatalogue([refreshing.service]), refreshing.process()
    checks = HealthCheckFactory(catalogue, world.clock)
    manager = ServiceConnectionManager(world.units, catalogue, checks, world.encryption, process, world.clock)

    with pytest.raises(InvalidInput, match="doesn't open") as refusal:
        await manager.rotate_credentials(world.admin, connection.id, None)

    assert refusal.value.field == ("input", "credential")


async def test_what_ended_while_its_connection_was_paused_shows_when_it_is_resumed(refreshing: Refreshing) -> None:
    connection, world = await refreshing.link(), refreshing.world
    await world.manager.update_connection_status(world.admin, connection.id, ConnectionStatus.INACTIVE)
    await refreshing.withdraw(connection)
    assert await refreshing.process().refresh_due(await refreshing.claimed(connection)) == Ended()
    async with world.units.writing_everywhere() as unit:
        await unit.tasks.remove(connection.id)
        await unit.commit()

    await world.manager.update_connection_status(world.admin, connection.id, ConnectionStatus.ACTIVE)

    assert await refreshing.process().refresh_due(await refreshing.claimed(connection)) == Ended()
    ended = await refreshing.links.stored(connection)
    assert (ended.status, ended.status_reason and ended.status_reason.code) == (
        ConnectionStatus.EXPIRED,
        "REFRESH_REFUSED",
    )
