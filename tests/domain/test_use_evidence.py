"""What real calls and webhooks say of health: a refusal counts as a check, and so does what disproves one."""

from typing import Any

import pytest

from domain.credential_secrets import TokenSecret
from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import SCHEDULER, ConnectionEventType
from domain.entities.health import HealthCheckTrigger, HealthStatus, ProbeOutcome
from domain.entities.service_connection import ServiceConnection
from domain.repository_sync import RepositorySync
from domain.repository_sync_outcome import SyncReport, SyncStopped
from domain.services.service_fault import FaultKind, ServiceFault
from domain.use_evidence import record_fault
from tests.domain.world import World
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio


async def _sync(world: World, connection: ServiceConnection) -> SyncReport | SyncStopped:
    sync = RepositorySync(world.units, world.catalogue, world.refresher, world.clock)
    return await sync.run(world.organization_id, connection.id, SCHEDULER, since=world.clock(), seconds=5.0)


async def _checks(world: World, connection: ServiceConnection) -> list[dict[str, Any]]:
    rows = [row for row in await world.rows("health_checks") if row["connection_id"] == connection.id]
    return sorted(rows, key=lambda row: (row["started_at"], row["id"]))


async def test_a_sync_that_is_refused_expires_the_connection_without_another_call(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, behaviour="expired")
    calls = await world.calls(token)

    stopped = await _sync(world, created)

    assert isinstance(stopped, SyncStopped)
    assert stopped.fault.kind is FaultKind.CREDENTIAL_REFUSED
    assert await world.calls(token) == calls + 1
    known = await world.known(created.id)
    assert (known.status, known.health.next_check_at) == (ConnectionStatus.EXPIRED, None)
    [_, check] = await _checks(world, created)
    assert (check["trigger"], check["status"], check["verdict"]) == ("USE", HealthStatus.UNHEALTHY, "EXPIRED")
    assert (await world.events(created.id))[-3:] == [
        ConnectionEventType.HEALTH_CHECKED,
        ConnectionEventType.HEALTH_CHANGED,
        ConnectionEventType.STATUS_CHANGED,
    ]


async def test_a_sync_that_works_heals_a_connection_that_was_out_of_reach(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, behaviour="truncated")
    check = await world.manager.check_connection_health(world.admin, created.id)
    failed = {probe.name for probe in check.probes if probe.outcome is ProbeOutcome.FAILED}
    assert (check.status, failed) == (HealthStatus.UNHEALTHY, {"service_reachable"})
    await world.change(token, behaviour="normal")
    calls = await world.calls(token)

    assert isinstance(await _sync(world, created), SyncReport)

    assert await world.calls(token) == calls + 1
    known = await world.known(created.id)
    assert (known.health.status, known.health.consecutive_failures) == (HealthStatus.HEALTHY, 0)
    check_of_use = (await _checks(world, created))[-1]
    assert (check_of_use["trigger"], check_of_use["verdict"]) == ("USE", "PASSED")
    assert ConnectionEventType.HEALTH_CHANGED in (await world.events(created.id))[-3:]


async def test_a_sync_that_works_says_nothing_new_of_a_connection_that_is_well(world: World) -> None:
    created = await world.connect()
    assert isinstance(await _sync(world, created), SyncReport)
    assert len(await _checks(world, created)) == 1


async def test_a_sync_that_works_gives_nobody_a_scope(world: World) -> None:
    created = await world.connect(settings={"requiredScopes": ["admin:org"]})
    assert created.health.status is HealthStatus.DEGRADED
    assert isinstance(await _sync(world, created), SyncReport)
    known = await world.known(created.id)
    assert (known.health.status, known.missing_scopes) == (HealthStatus.DEGRADED, ("admin:org",))
    assert len(await _checks(world, created)) == 1


async def test_a_sync_that_another_account_answers_heals_nothing(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, account={"id": 9919, "login": "globex-bot"})
    check = await world.manager.check_connection_health(world.admin, created.id)
    assert check.status is HealthStatus.UNHEALTHY
    await _sync(world, created)
    assert (await world.known(created.id)).health.status is HealthStatus.UNHEALTHY
    assert len(await _checks(world, created)) == 2


async def test_a_refusal_of_a_secret_that_was_replaced_meanwhile_says_nothing(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, behaviour="expired")
    asked_at = world.clock()
    refused = await world.refresher.call(
        world.organization_id, created.id, world.catalogue.get_connected("github").identify
    )
    assert isinstance(refused, ServiceFault)
    await world.manager.rotate_credentials(world.admin, created.id, TokenSecret(await world.token()))
    async with world.units.writing(world.organization_id) as unit:
        connection = await unit.connections.get(created.id)
        assert await record_fault(unit, connection, refused, asked_at, world.clock()) == []
        assert connection.health.status is HealthStatus.HEALTHY
    assert (await world.known(created.id)).status is ConnectionStatus.ACTIVE


@pytest.mark.parametrize("trigger", [HealthCheckTrigger.WEBHOOK, HealthCheckTrigger.USE])
async def test_a_check_says_what_has_caused_it_and_the_next_one_goes_by_schedule(
    world: World, trigger: HealthCheckTrigger
) -> None:
    created = await world.connect()
    async with world.units.writing(world.organization_id) as unit:
        connection = await unit.connections.get(created.id)
        connection.check_soon(world.clock(), trigger)
        await unit.connections.save(connection, keep_version=True)
        await unit.commit()

    async def checked(times: int) -> bool:
        return len(await _checks(world, created)) == times

    async with world.worker().working():
        await eventually(lambda: checked(2))
        world.clock.advance(minutes=6)
        await eventually(lambda: checked(3))
    assert [check["trigger"] for check in await _checks(world, created)] == ["CONNECT", trigger, "SCHEDULE"]
    assert (await world.events(created.id)).count(ConnectionEventType.HEALTH_CHECKED) == 2  # a scheduled one is no news
