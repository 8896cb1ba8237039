"""Scheduled checks: what is due is checked once, by whatever process, and only news is told."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import ConnectionEventType
from domain.entities.health import HealthCheckTrigger, HealthStatus, Remedy
from domain.entities.user import Role
from tests.domain.world import World
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio

Type = ConnectionEventType


async def _checks(world: World, connection_id: UUID) -> list[dict[str, Any]]:
    rows = [row for row in await world.rows("health_checks") if row["connection_id"] == connection_id]
    return sorted(rows, key=lambda row: (row["started_at"], row["id"]))


async def _health(world: World, connection_id: UUID) -> dict[str, Any]:
    [row] = [row for row in await world.rows("connection_health") if row["connection_id"] == connection_id]
    return row


async def _scheduled(world: World, connection_id: UUID, count: int = 1) -> list[dict[str, Any]]:
    """Have a worker check it until there are so many scheduled checks more."""
    before = len(await _checks(world, connection_id))

    async def checked() -> bool:
        health = await _health(world, connection_id)
        return len(await _checks(world, connection_id)) >= before + count and health["lease"] is None

    async with world.worker().working():
        await eventually(checked)
    return (await _checks(world, connection_id))[before:]


async def test_nothing_is_checked_before_its_time(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    calls = await world.calls(token)
    async with world.worker().working():
        world.clock.advance(minutes=2)
        await asyncio.sleep(0)
    assert await world.calls(token) == calls
    assert len(await _checks(world, created.id)) == 1


async def test_a_check_that_finds_nothing_new_is_history_and_no_news(world: World) -> None:
    created = await world.connect()
    known, events = await world.known(created.id), await world.events(created.id)
    world.clock.advance(minutes=6)

    [check] = await _scheduled(world, created.id)

    assert (check["status"], check["trigger"], check["probes"]) == (
        HealthStatus.HEALTHY,
        HealthCheckTrigger.SCHEDULE,
        [],
    )
    assert check["diagnosis_id"] == known.health.diagnosis_id
    after = await world.known(created.id)
    assert after.health.checked_at == check["started_at"]
    assert after.health.next_check_at is not None
    assert after.health.next_check_at - world.clock() < timedelta(minutes=5)
    assert (after.version, after.updated_at, after.health.probes) == (
        known.version,
        known.updated_at,
        known.health.probes,
    )
    assert await world.events(created.id) == events


async def test_a_diagnosis_is_made_anew_after_an_hour_and_still_is_no_news(world: World) -> None:
    created = await world.connect()
    events = await world.events(created.id)
    world.clock.advance(minutes=61)
    [check] = await _scheduled(world, created.id)
    assert check["diagnosis_id"] is None
    assert len(check["probes"]) == 7
    assert await world.events(created.id) == events
    world.clock.advance(minutes=6)
    [following] = await _scheduled(world, created.id)
    assert following["diagnosis_id"] == check["id"]


async def test_a_refused_credential_expires_and_is_left_alone_from_then_on(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, behaviour="revoked")
    world.clock.advance(minutes=6)
    await _scheduled(world, created.id)
    known = await world.known(created.id)
    assert known.status is ConnectionStatus.EXPIRED
    assert known.status_reason is not None
    assert known.status_reason.remedy is Remedy.RECONNECT
    assert known.health.next_check_at is None
    assert (await world.events(created.id))[-3:] == [Type.HEALTH_CHECKED, Type.HEALTH_CHANGED, Type.STATUS_CHANGED]


async def test_three_failures_in_a_row_are_an_error_that_heals_by_itself(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    await world.change(token, behaviour="server_error")
    for status in (ConnectionStatus.ACTIVE, ConnectionStatus.ACTIVE, ConnectionStatus.ERROR):
        world.clock.advance(hours=2)
        await _scheduled(world, created.id)
        assert (await world.known(created.id)).status is status
    events = await world.events(created.id)
    assert events.count(Type.HEALTH_CHECKED) == 2  # the first one, and the first failure: the others found the same
    await world.change(token, behaviour="normal")
    world.clock.advance(hours=2)
    await _scheduled(world, created.id)
    assert (await world.known(created.id)).status is ConnectionStatus.ACTIVE


async def test_other_settings_are_judged_by_the_next_check(world: World) -> None:
    created = await world.connect()
    await world.manager.update_connection(world.admin, created.id, settings={"requiredScopes": ["admin:org"]})
    await _scheduled(world, created.id)
    known = await world.known(created.id)
    assert known.health.status is HealthStatus.DEGRADED
    assert known.missing_scopes == ("admin:org",)


async def test_what_is_paused_meanwhile_is_not_recorded(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    world.clock.advance(minutes=6)
    async with world.units.writing_everywhere() as unit:
        [due] = await unit.due_checks.claim("github", world.clock(), world.clock() + timedelta(minutes=1), 10)
        await unit.commit()
    checked = await world.scheduled.check(due)
    same = world.scheduled.unchanged(checked)
    assert same is not None
    await world.manager.update_connection_status(world.admin, created.id, ConnectionStatus.INACTIVE)
    assert await world.scheduled.note_unchanged([same]) == 0
    assert not await world.scheduled.take_news(checked)
    assert len(await _checks(world, created.id)) == 1
    assert (await world.known(created.id)).health.next_check_at is None


async def test_several_workers_check_each_connection_once(world: World) -> None:
    created = [await world.connect(name=f"Connection {number}") for number in range(30)]
    world.clock.advance(minutes=6)

    async def all_checked() -> bool:
        return len(await world.rows("health_checks")) >= 60

    async with world.worker().working(), world.worker().working(), world.worker(at_once=7).working():
        await eventually(all_checked)
    rows = await world.rows("health_checks")
    assert sorted(row["connection_id"] for row in rows) == sorted(2 * [one.id for one in created])


async def test_what_a_killed_worker_had_claimed_is_checked_when_its_lease_is_over(world: World) -> None:
    created = await world.connect()
    world.clock.advance(minutes=6)
    async with world.units.writing_everywhere() as unit:
        [due] = await unit.due_checks.claim("github", world.clock(), world.clock() + timedelta(minutes=1), 10)
        await unit.commit()
    async with world.units.writing_everywhere() as unit:
        assert await unit.due_checks.claim("github", world.clock(), world.clock(), 10) == []
    world.clock.advance(minutes=1)
    await _scheduled(world, created.id)
    late = await world.scheduled.check(due)  # had it only been slow
    same = world.scheduled.unchanged(late)
    assert same is not None
    assert await world.scheduled.note_unchanged([same]) == 0


async def test_a_check_on_demand_takes_what_the_running_one_finds(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    world.clock.advance(minutes=6)
    async with world.units.writing_everywhere() as unit:
        [due] = await unit.due_checks.claim("github", world.clock(), world.clock() + timedelta(minutes=1), 10)
        await unit.commit()
    await world.change(token, behaviour="slow", delay_seconds=0.5)
    calls = await world.calls(token)
    asking = asyncio.create_task(world.manager.check_connection_health(world.viewers[Role.MEMBER], created.id))
    same = world.scheduled.unchanged(await world.scheduled.check(due))
    assert same is not None
    await world.scheduled.note_unchanged([same])
    found = await asking
    assert (found.id, found.trigger, len(found.probes)) == (same.id, HealthCheckTrigger.SCHEDULE, 7)
    assert await world.calls(token) == calls + 1


async def test_a_check_that_a_webhook_asked_for_says_so(world: World) -> None:
    created = await world.connect()
    async with world.units.writing(world.organization_id) as unit:
        connection = await unit.connections.get(created.id)
        connection.check_soon(world.clock(), HealthCheckTrigger.WEBHOOK)
        await unit.connections.save(connection, keep_version=True)
        await unit.commit()
    [check] = await _scheduled(world, created.id)
    assert check["trigger"] == HealthCheckTrigger.WEBHOOK
    assert (await world.events(created.id))[-1] is Type.HEALTH_CHECKED
    world.clock.advance(minutes=6)
    [following] = await _scheduled(world, created.id)
    assert following["trigger"] == HealthCheckTrigger.SCHEDULE


async def test_a_lease_by_a_clock_that_was_ahead_is_over(world: World) -> None:
    created = await world.connect()
    tomorrow = world.clock() + timedelta(days=1)
    async with world.units.writing_everywhere() as unit:
        await unit.due_checks.claim("github", tomorrow, tomorrow + timedelta(minutes=1), 10)
        await unit.commit()
    world.clock.advance(minutes=6)
    await _scheduled(world, created.id)
