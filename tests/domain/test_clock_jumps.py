"""Clocks that jump, forth and back, while a worker runs: no storm, and nobody waits for a moment that never was."""

import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from domain.entities.call_budget import BudgetKey, CallAllowance
from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import HealthCheckTrigger, ServiceRateLimit
from domain.schedule_repair import BROUGHT_FORWARD_OVER
from tests.domain.many_connections import connect_many
from tests.domain.world import World
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio

CONNECTIONS = 80
AT_ONCE = 5


def _all_checked(world: World, since: datetime) -> Callable[[], Awaitable[bool]]:
    """Whether each connection has been checked since then, by a clock that isn't ahead."""

    async def checked() -> bool:
        rows = await world.rows("connection_health")
        return all(row["checked_at"] and since <= row["checked_at"] <= world.clock() for row in rows)

    return checked


def _nothing_waits(world: World) -> Callable[[], Awaitable[bool]]:
    """Whether all are to be checked within the next minutes."""

    async def brought_forward() -> bool:
        rows = await world.rows("connection_health")
        latest = world.clock() + BROUGHT_FORWARD_OVER
        return all(row["next_check_at"] <= latest for row in rows)

    return brought_forward


async def test_hours_forth_are_worked_off_by_as_many_at_once_as_ever(world: World) -> None:
    await connect_many(world, await world.token(behaviour="slow", delay_seconds=0.1), CONNECTIONS)
    most = 0

    async def all_checked() -> bool:
        nonlocal most
        rows = await world.rows("connection_health")
        most = max(most, sum(row["lease"] is not None for row in rows))
        return all(row["checked_at"] and row["checked_at"] >= jumped for row in rows)

    async with world.worker(chance=random.random, at_once=AT_ONCE).working():
        await eventually(_all_checked(world, datetime.min.replace(tzinfo=world.clock().tzinfo)))
        world.clock.advance(hours=5)
        jumped = world.clock()
        await eventually(all_checked)
    assert most < CONNECTIONS / 2  # what waits to be kept is leased as well
    assert min(row["next_check_at"] for row in await world.rows("connection_health")) > jumped + timedelta(minutes=4)


async def test_back_again_nobody_waits_for_the_hours_that_were_lost(world: World) -> None:
    await connect_many(world, await world.token(), CONNECTIONS)
    async with world.worker(chance=random.random, at_once=AT_ONCE).working():
        world.clock.advance(hours=5)
        await eventually(_all_checked(world, world.clock()))
        world.clock.ahead = timedelta()
        await eventually(_nothing_waits(world))
        due = sorted(row["next_check_at"] for row in await world.rows("connection_health"))
        assert due[-1] - due[0] > timedelta(minutes=2)  # not all at once
        world.clock.advance(minutes=6)
        await eventually(_all_checked(world, world.clock() - timedelta(minutes=6)))


async def test_a_clock_that_jumps_again_and_again_starves_nobody(world: World) -> None:
    await connect_many(world, await world.token(), CONNECTIONS)
    async with world.worker(chance=random.random).working():
        for hours in (3, -3, 26, -26, 1):
            world.clock.advance(hours=hours)
            await eventually(_nothing_waits(world))
        world.clock.advance(minutes=6)
        await eventually(_all_checked(world, world.clock() - timedelta(minutes=6)))


async def test_a_clock_that_is_found_set_back_at_the_start_starves_nobody(world: World) -> None:
    created = await world.connect()
    world.clock.advance(days=2)
    async with world.worker().working():
        await eventually(_all_checked(world, world.clock()))
    world.clock.ahead = timedelta()
    async with world.worker().working():
        await eventually(_nothing_waits(world))
    known = await world.known(created.id)
    assert known.health.checked_at is not None
    assert known.health.checked_at <= world.clock()


async def test_what_was_put_off_by_the_wrong_time_is_brought_forward(world: World) -> None:
    await world.connect()
    async with world.worker(poll_seconds=0.02).working():
        async with world.units.writing_everywhere() as unit:
            wrong = world.clock() + timedelta(hours=5)
            [due] = await unit.due_checks.claim("github", world.clock(), wrong, 1, due_by=wrong)
            await unit.due_checks.put_off([(due, wrong)])
            await unit.commit()
        await _jump_forth_and_back(world)
        await eventually(_nothing_waits(world))


async def test_a_lease_that_a_worker_left_behind_in_the_wrong_time_ends(world: World) -> None:
    created = await world.connect()
    world.clock.advance(hours=5)
    async with world.units.writing_everywhere() as unit:
        assert await unit.due_checks.claim("github", world.clock(), world.clock() + timedelta(seconds=90), 1)
        await unit.commit()
    world.clock.ahead = timedelta()
    async with world.worker().working():
        await eventually(_nothing_waits(world))
        world.clock.advance(minutes=6)
        await eventually(_all_checked(world, world.clock() - timedelta(minutes=6)))
    assert (await world.known(created.id)).status is ConnectionStatus.ACTIVE


async def test_a_wait_that_was_told_in_the_wrong_time_is_forgotten(world: World) -> None:
    token = await world.token()
    created = await world.connect(token)
    async with world.worker().working():
        world.clock.advance(hours=5)
        await world.change(token, behaviour="rate_limited", retry_after_seconds=60)

        async def told() -> bool:
            limit = (await world.known(created.id)).rate_limit
            return limit is not None and limit.blocked_until is not None

        await eventually(told)
        await world.change(token, behaviour="normal")
        world.clock.ahead = timedelta()
        await eventually(_nothing_waits(world))
        world.clock.advance(minutes=6)
        await eventually(_all_checked(world, world.clock() - timedelta(minutes=6)))
    limit = (await world.known(created.id)).rate_limit or ServiceRateLimit()
    assert limit.blocked_until is None
    assert (await world.known(created.id)).health.consecutive_failures == 0


async def test_a_budget_that_was_used_up_in_the_wrong_time_fills_from_now_on(world: World) -> None:
    key, allowance = BudgetKey("github", "api.github.com", "1"), CallAllowance(per_hour=3_600, at_once=10)
    now = world.clock()
    async with world.units.writing_everywhere() as unit:
        await unit.call_budgets.take({key: (allowance, 10)}, now + timedelta(hours=5))
        [block] = (await unit.call_budgets.take({key: (allowance, 10)}, now)).values()
        assert (block.calls, block.again_at) == (0, now + timedelta(seconds=1))
        [block] = (await unit.call_budgets.take({key: (allowance, 10)}, now + timedelta(seconds=3))).values()
        assert block.calls == 3


async def test_a_service_that_is_down_is_probed_although_the_clock_was_set_back(world: World) -> None:
    await connect_many(world, await world.token(), 30)
    await world.sandbox.set_down("github", True)

    async def probed_again() -> bool:
        [incident] = await world.rows("service_incidents")
        return bool(incident["next_probe_at"] <= world.clock() + timedelta(minutes=1))

    async def noticed() -> bool:
        return bool(await world.rows("service_incidents"))

    try:
        world.clock.advance(hours=5)
        async with world.worker().working():
            await eventually(noticed)
            world.clock.ahead = timedelta()
            await eventually(probed_again)
    finally:
        await world.sandbox.set_down("github", False)


async def _jump_forth_and_back(world: World) -> None:
    """A running worker sees both: it has looked at the clock when the first connection is due, and checked, by it."""
    world.clock.advance(hours=1)
    other = await world.connect(name="Other")
    world.clock.advance(hours=1)
    since = world.clock()

    async def seen() -> bool:
        checks = await world.rows("health_checks")
        return any(
            row["connection_id"] == other.id
            and row["started_at"] >= since
            and row["trigger"] == HealthCheckTrigger.SCHEDULE
            for row in checks
        )

    await eventually(seen)
    world.clock.ahead = timedelta()
