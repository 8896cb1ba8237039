"""The tasks of a new credential, when each is due, and the warnings and revocations that some of them are."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address_guard import OutboundAllow
from domain.credential_revocation import CredentialRevocations
from domain.credential_schedule import SHORTEST_MARGIN, refresh_at, refreshable_from
from domain.credential_secrets import OAuthSecret
from domain.credential_vault import CredentialVault
from domain.entities.connection_status import ConnectionStatus
from domain.entities.credential import ServiceCredential
from domain.entities.event import ConnectionEventType
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import WHOLE_SERVER, Task, TaskKind
from domain.entities.user import Role
from domain.entities.webhook_delivery import DeliveryState, WebhookDelivery
from domain.expiry_warning import ExpiryWarnings
from domain.http import HttpClient
from domain.periodic_work import periodic_work, tasks_for
from domain.retention import BATCH, Retention, in_batches
from domain.services.authorization import Grant
from domain.services.base import Identified, Service
from domain.services.catalogue import ServiceCatalogue
from domain.services.github import GitHub
from domain.services.service_fault import FaultKind, ServiceFault
from domain.task_outcome import Again, Ended, Failed, Settled, TaskOutcome
from tests.domain.oauth_links import OAuthLinks
from tests.domain.world import World
from tests.persistence.entities import credential as stored_credential
from tests.persistence.entities import service_connection

pytestmark = pytest.mark.anyio


@dataclass
class Revoking:
    """A client of its own at the sandbox's GitHub, and what is to be revoked there."""

    world: World
    links: OAuthLinks
    service: GitHub

    @property
    def revocations(self) -> CredentialRevocations:
        vault = CredentialVault(self.world.encryption)
        return CredentialRevocations(self.world.units, ServiceCatalogue([self.service]), vault, self.world.clock)

    async def put(self) -> tuple[Grant, Task]:
        grant = await self.links.grant(self.service)
        credential_id = new_id()
        async with self.world.units.writing_everywhere() as unit:
            await self.revocations.entrust(
                unit, self.world.organization_id, credential_id, "github", grant.secret, webhook_key=None
            )
            task = await unit.tasks.find(TaskKind.REVOKE_CREDENTIAL, credential_id)
            await unit.commit()
        assert task is not None
        self.world.clock.advance(minutes=2)
        return grant, task

    async def turn(self) -> TaskOutcome:
        """The task is claimed and done."""
        async with self.world.units.writing_everywhere() as unit:
            now = self.world.clock()
            [task] = await unit.tasks.claim(now, now + _DAY, 1, [TaskKind.REVOKE_CREDENTIAL])
            await unit.tasks.repeat(task, now, attempts=task.attempts)
            await unit.commit()
        return await self.revocations.revoke(task)


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_DAY = timedelta(days=1)


def credential(
    *, refreshable: bool, expires_at: datetime | None, refresh_expires_at: datetime | None = None
) -> ServiceCredential:
    made = stored_credential(service_connection(new_id()))
    made.refreshable, made.expires_at, made.rotated_at = refreshable, expires_at, NOW
    made.refresh_expires_at = refresh_expires_at
    return made


lives = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=400))
chances = st.floats(0, 1, exclude_max=True)


@given(life=lives, chance=chances)
def test_a_credential_is_refreshed_ahead_of_its_end_and_not_in_a_hot_loop(life: timedelta, chance: float) -> None:
    made = credential(refreshable=True, expires_at=NOW + life)
    at, earliest = refresh_at(made, lambda: chance), refreshable_from(made)
    assert at is not None
    assert earliest is not None
    assert NOW + timedelta(seconds=30) <= earliest <= at
    if life > 3 * SHORTEST_MARGIN:
        assert max(SHORTEST_MARGIN, life * 0.1) <= made_end(made) - at <= 1.5 * max(SHORTEST_MARGIN, life * 0.1)


@given(expires_at=st.none() | st.just(NOW + _DAY), refreshable=st.booleans())
def test_only_what_ends_and_can_be_refreshed_is_refreshed(expires_at: datetime | None, refreshable: bool) -> None:
    at = refresh_at(credential(refreshable=refreshable, expires_at=expires_at), lambda: 0.5)
    assert (at is not None) is (refreshable and expires_at is not None)


async def test_a_new_credential_has_the_tasks_that_its_kind_and_service_call_for(world: World) -> None:
    github, slack = world.catalogue.get("github"), world.catalogue.get("slack")
    assert github.repositories is not None
    assert slack.repositories is None

    def due(service: Service, **of: Any) -> dict[TaskKind, datetime]:
        return {task.kind: task.due_at for task in tasks_for(credential(**of), service, NOW, lambda: 0.0)}

    assert due(slack, refreshable=False, expires_at=None) == {}
    assert due(github, refreshable=False, expires_at=None) == {TaskKind.SYNC_REPOSITORIES: NOW}
    end = NOW + timedelta(hours=8)
    assert due(slack, refreshable=True, expires_at=end) == {TaskKind.REFRESH_CREDENTIAL: end - timedelta(minutes=48)}
    end = NOW + 30 * _DAY
    assert due(slack, refreshable=False, expires_at=end) == {TaskKind.WARN_OF_EXPIRY: end - 7 * _DAY}
    assert due(slack, refreshable=False, expires_at=NOW + 2 * _DAY) == {TaskKind.WARN_OF_EXPIRY: NOW}
    hour = timedelta(hours=1)
    for ends_in, warned_in in ((180 * _DAY, 173 * _DAY), (5 * _DAY, hour), (hour / 2, timedelta(0))):
        linked = due(slack, refreshable=True, expires_at=NOW + hour, refresh_expires_at=NOW + ends_in)
        assert linked[TaskKind.WARN_OF_EXPIRY] == NOW + warned_in


async def test_the_end_of_a_credential_is_warned_of_seven_days_and_one_day_ahead_once_each(world: World) -> None:
    """By a process of its own each time, as after restarts, and with the task put again and again meanwhile."""
    connection = await ending(world, world.clock() + 30 * _DAY)
    for _ in range(62):
        await warning_turn(world)
        world.clock.advance(hours=12)
    assert await days_told(world, connection) == [7, 1]
    assert await warning_task(world, connection) is None


async def test_the_end_of_a_refresh_token_is_warned_of_alike(world: World) -> None:
    now = world.clock()
    connection = await ending(world, now + timedelta(hours=8), refresh_expires_at=now + 30 * _DAY)
    for _ in range(62):
        await warning_turn(world)
        world.clock.advance(hours=12)
    assert await days_told(world, connection) == [7, 1]
    assert await warning_task(world, connection) is None


async def test_a_warning_put_for_an_earlier_credential_waits_for_the_end_of_the_new_one(world: World) -> None:
    connection = await ending(world, world.clock() + 30 * _DAY)
    async with world.units.writing_everywhere() as unit:
        kind, now = TaskKind.WARN_OF_EXPIRY, world.clock()
        await unit.tasks.put(Task(new_id(), kind, connection.id, connection.organization_id, now))
        await unit.commit()
    await warning_turn(world)
    task = await warning_task(world, connection)
    assert await days_told(world, connection) == []
    assert task is not None
    assert timedelta(days=22.9) < task.due_at - world.clock() < timedelta(days=23.1)


async def test_a_credential_that_ends_sooner_is_warned_of_at_once(world: World) -> None:
    connection = await ending(world, world.clock() + 3 * _DAY)
    await warning_turn(world)
    assert await days_told(world, connection) == [3]


async def test_a_connection_that_has_ended_is_not_warned_of(world: World) -> None:
    connection = await ending(world, world.clock() + 3 * _DAY)
    async with world.units.writing(connection.organization_id) as unit:
        stored = await unit.connections.get(connection.id)
        stored.status = ConnectionStatus.REVOKED
        await unit.connections.save(stored)
        await unit.commit()
    await warning_turn(world)
    assert await days_told(world, connection) == []
    assert await warning_task(world, connection) is None


@pytest.fixture
async def revoking(world: World) -> AsyncIterator[Revoking]:
    http = HttpClient(allow=OutboundAllow.parse("127.0.0.1"), retry_delay_seconds=lambda: 0.0)
    links = OAuthLinks(world.sandbox, world.units, CredentialVault(world.encryption), world.clock)
    await links.register()
    yield Revoking(world, links, links.service(http))
    await http.aclose()


async def test_a_revocation_is_tried_until_the_service_has_forgotten_the_credential(revoking: Revoking) -> None:
    grant, _ = await revoking.put()
    await revoking.world.sandbox.set_down("github", True)
    try:
        assert isinstance(await revoking.turn(), Failed)
    finally:
        await revoking.world.sandbox.set_down("github", False)
    assert isinstance(await revoking.service.identify(grant.secret), Identified)
    assert await revoking.turn() == Ended()
    refused = await revoking.service.identify(grant.secret)
    assert isinstance(refused, ServiceFault)
    assert refused.kind is FaultKind.CREDENTIAL_REFUSED


async def test_a_revocation_is_given_up_after_a_week_and_the_operator_told(
    revoking: Revoking, caplog: pytest.LogCaptureFixture
) -> None:
    grant, task = await revoking.put()
    assert isinstance(grant.secret, OAuthSecret)
    await revoking.world.sandbox.set_down("github", True)
    try:
        revoking.world.clock.advance(days=6)
        assert isinstance(await revoking.turn(), Failed)
        revoking.world.clock.advance(days=2)
        assert await revoking.turn() == Ended()
    finally:
        await revoking.world.sandbox.set_down("github", False)
    assert str(task.subject_id) in caplog.text
    assert grant.secret.access_token.reveal() not in caplog.text
    assert str(task.payload["sealed"]) not in caplog.text


async def test_a_revocation_moved_to_another_subject_does_not_open(
    revoking: Revoking, caplog: pytest.LogCaptureFixture
) -> None:
    grant, task = await revoking.put()
    assert await revoking.revocations.revoke(replace(task, subject_id=new_id())) == Ended()
    assert isinstance(await revoking.service.identify(grant.secret), Identified)
    assert "doesn't open" in caplog.text


async def test_what_is_no_longer_needed_is_forgotten_and_nothing_else(world: World) -> None:
    now = world.clock()
    processed = WebhookDelivery(new_id(), "github", "old", "push", b"{}", now, DeliveryState.PROCESSED, now)
    waiting = WebhookDelivery(new_id(), "github", "waiting", "push", b"{}", now)
    async with world.units.writing_everywhere() as unit:
        await unit.webhook_deliveries.add(processed)
        await unit.webhook_deliveries.save(processed)
        await unit.webhook_deliveries.add(waiting)
        await unit.commit()
    task = Task(new_id(), TaskKind.FORGET_DELIVERIES, WHOLE_SERVER, None, now)
    retention = Retention(world.units, world.clock, 400 * _DAY)
    await retention.forget_deliveries(task)
    assert len(await world.rows("webhook_deliveries")) == 2
    world.clock.advance(days=31)
    await retention.forget_deliveries(task)
    await retention.forget_idempotency_keys(task)
    assert [row["delivery_id"] for row in await world.rows("webhook_deliveries")] == ["waiting"]


async def test_invitations_are_forgotten_thirty_days_after_their_end(world: World) -> None:
    owner, retention = world.viewers[Role.OWNER], Retention(world.units, world.clock, 400 * _DAY)
    task = Task(new_id(), TaskKind.FORGET_INVITATIONS, WHOLE_SERVER, None, world.clock())
    for email in ("first@example.com", "second@example.com"):
        await world.users.invitations.add_member(owner, world.organization_id, email, Role.VIEWER)
        world.clock.advance(days=1)
    world.clock.advance(days=34)
    await retention.forget_invitations(task)
    assert len(await world.rows("invitations")) == 2
    world.clock.advance(days=1.5)
    await retention.forget_invitations(task)
    assert [row["email"] for row in await world.rows("invitations")] == ["second@example.com"]


async def test_batches_go_on_until_one_is_not_full() -> None:
    left = 2 * BATCH + 1
    asked = []

    async def forget(limit: int) -> int:
        nonlocal left
        asked.append(limit)
        forgotten = min(left, limit)
        left -= forgotten
        return forgotten

    await in_batches(forget)
    assert left == 0
    assert asked == [BATCH] * 3


def test_the_table_names_every_kind_of_work() -> None:
    async def work(task: Task) -> TaskOutcome:
        return None

    table = periodic_work(
        refresh_credential=work,
        warn_of_expiry=work,
        sync_repositories=work,
        revoke_credential=work,
        process_webhook=work,
        run_command=work,
        tell_service_down=work,
        tell_service_back=work,
        bring_checks_forward=work,
        forget_flows=work,
        forget_sign_ins=work,
        forget_deliveries=work,
        forget_deleted_connections=work,
        forget_idempotency_keys=work,
        forget_call_budgets=work,
        forget_invitations=work,
        compact_health=work,
        forget_health_checks=work,
        forget_events=work,
        forget_audit_records=work,
        settle_command_runs=work,
        forget_command_runs=work,
    )
    assert table.keys() == set(TaskKind)


async def ending(
    world: World, expires_at: datetime, *, refresh_expires_at: datetime | None = None
) -> ServiceConnection:
    """A connection by a token that ends then, or by one that can be refreshed until `refresh_expires_at`."""
    connection = service_connection(world.organization_id, f"ends {new_id()}")
    made = stored_credential(connection)
    made.expires_at, made.refresh_expires_at = expires_at, refresh_expires_at
    made.refreshable = refresh_expires_at is not None
    async with world.units.writing(world.organization_id) as unit:
        await unit.connections.add(connection)
        await unit.credentials.add(made)
        for task in tasks_for(made, world.catalogue.get("slack"), world.clock(), lambda: 0.5):
            await unit.tasks.put(task)
        await unit.commit()
    return connection


async def warning_turn(world: World) -> None:
    """What is due is done, as the runner does it."""
    now = world.clock()
    async with world.units.writing_everywhere() as unit:
        due = await unit.tasks.claim(now, now + timedelta(minutes=1), 10, [TaskKind.WARN_OF_EXPIRY])
        await unit.commit()
    for task in due:
        outcome = await ExpiryWarnings(world.units, world.clock).warn(task)
        async with world.units.writing_everywhere() as unit:
            match outcome:
                case Ended():
                    assert await unit.tasks.finish(task)
                case Again():
                    assert await unit.tasks.repeat(task, outcome.at, attempts=0)
                case _:
                    assert outcome == Settled()
            await unit.commit()


async def warning_task(world: World, connection: ServiceConnection) -> Task | None:
    async with world.units.reading_everywhere() as unit:
        return await unit.tasks.find(TaskKind.WARN_OF_EXPIRY, connection.id)


async def days_told(world: World, connection: ServiceConnection) -> list[int]:
    rows = [row for row in await world.rows("connection_events") if row["connection_id"] == connection.id]
    told = [row for row in rows if row["type"] == ConnectionEventType.CREDENTIALS_EXPIRING]
    assert all(datetime.fromisoformat(row["data"]["expiresAt"]) > world.clock() - 60 * _DAY for row in told)
    return [row["data"]["days"] for row in sorted(told, key=lambda row: row["sequence"])]


def made_end(made: ServiceCredential) -> datetime:
    assert made.expires_at is not None
    return made.expires_at
