"""How often an organization wants checks: a shorter interval holds at once, for however many connections."""

from datetime import datetime, timedelta

import pytest

from domain.check_intervals import BATCH, SETTLED_AFTER, CheckIntervals
from domain.entities.health import ServiceRateLimit
from domain.entities.task import Task, TaskKind
from domain.entities.user import Role
from domain.errors import Forbidden, InvalidInput, NotFound, VersionConflict
from domain.runner import PlannedWork, Runner
from domain.task_outcome import Again, Ended
from tests.domain.many_connections import connect_many
from tests.domain.world import World
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio

DAY_SECONDS = 86_400


async def _set(world: World, seconds: int) -> None:
    await world.users.update_organization(world.admin, world.organization_id, check_interval_seconds=seconds)


async def _task(world: World) -> Task | None:
    async with world.units.reading_everywhere() as unit:
        return await unit.tasks.find(TaskKind.BRING_CHECKS_FORWARD, world.organization_id)


async def _due(world: World) -> list[datetime]:
    return sorted(row["next_check_at"] for row in await world.rows("connection_health") if row["next_check_at"])


async def test_the_next_check_goes_by_a_longer_interval(world: World) -> None:
    created = await world.connect()
    await _set(world, DAY_SECONDS)
    assert await _task(world) is None
    world.clock.advance(hours=2)  # settled by then

    async def checked() -> bool:
        return (await world.known(created.id)).health.next_check_at != created.health.next_check_at

    async with world.worker().working():
        await eventually(checked)
    [due] = await _due(world)
    assert abs(due - world.clock() - timedelta(days=1)) < timedelta(minutes=1)


async def test_a_shorter_interval_holds_for_all_connections_at_once(world: World) -> None:
    count = BATCH + 50
    await connect_many(world, await world.token(), count)
    await _set(world, DAY_SECONDS)
    async with world.units.writing_everywhere() as unit:
        latest = world.clock() + timedelta(days=1)
        await unit.due_checks.spread("github", world.clock() + timedelta(days=2), at=lambda: latest, limit=count)
        await unit.commit()
    await _set(world, 60)
    moments = iter(range(count))

    intervals = CheckIntervals(world.units, world.clock, lambda: next(moments) / count)
    plan = {TaskKind.BRING_CHECKS_FORWARD: PlannedWork(intervals.bring_forward, timedelta(seconds=60), 1)}

    async def brought_forward() -> bool:
        return (await _due(world))[-1] <= world.clock() + timedelta(seconds=66)

    async with Runner(world.units, plan, world.clock, poll_seconds=0.02).working():
        await eventually(brought_forward)
    due = await _due(world)
    assert due[-1] - due[0] > timedelta(seconds=55)  # spread, not all at once


async def test_a_check_that_began_before_the_change_is_brought_forward_after_it(world: World) -> None:
    created = await world.connect()
    await _set(world, DAY_SECONDS)
    world.clock.advance(hours=2)
    async with world.units.writing_everywhere() as unit:
        [due] = await unit.due_checks.claim("github", world.clock(), world.clock() + timedelta(minutes=1), 1)
        await unit.commit()
    await _set(world, 300)
    intervals = CheckIntervals(world.units, world.clock, lambda: 0.5)
    task = await _task(world)
    assert task is not None
    assert isinstance(await intervals.bring_forward(task), Again)
    same = world.scheduled.unchanged(await world.scheduled.check(due))
    if same is None:
        assert await world.scheduled.take_news(await world.scheduled.check(due))
    else:
        assert await world.scheduled.note_unchanged([same])
    world.clock.advance(seconds=SETTLED_AFTER.total_seconds())
    assert await intervals.bring_forward(task) == Ended()
    health = (await world.known(created.id)).health
    assert health.next_check_at is not None
    assert health.next_check_at <= world.clock() + timedelta(minutes=6)


async def test_what_a_service_keeps_away_and_what_has_no_turn_stays_as_it_is(world: World) -> None:
    blocked, used_up, free, paused = [await world.connect(name=f"Connection {number}") for number in range(4)]
    later = world.clock() + timedelta(hours=5)
    for connection, limit in (
        (blocked, ServiceRateLimit(blocked_until=later)),
        (used_up, ServiceRateLimit(5_000, 0, later)),
        (free, ServiceRateLimit(5_000, 0, world.clock() - timedelta(hours=5))),
        (paused, None),
    ):
        async with world.units.writing(world.organization_id) as unit:
            stored = await unit.connections.get(connection.id)
            stored.rate_limit, stored.health.next_check_at = limit, None if connection is paused else later
            await unit.connections.save(stored)
            await unit.commit()
    await _set(world, 60)
    task = await _task(world)
    assert task is not None
    await CheckIntervals(world.units, world.clock, lambda: 0.5).bring_forward(task)
    due = {row["connection_id"]: row["next_check_at"] for row in await world.rows("connection_health")}
    assert (due[blocked.id], due[used_up.id], due[paused.id]) == (later, later, None)
    assert due[free.id] < world.clock() + timedelta(minutes=1)


async def test_who_may_change_an_organization_and_to_what(world: World) -> None:
    for viewer in (world.viewers[Role.MEMBER], world.viewers[Role.VIEWER]):
        with pytest.raises(Forbidden):
            await world.users.update_organization(viewer, world.organization_id, name="Other")
    await world.users.issue_api_key("globex", "eve@example.com", Role.OWNER)
    async with world.units.reading_everywhere() as unit:
        other = await unit.organizations.find_by_slug("globex")
    assert other is not None
    with pytest.raises(NotFound):
        await world.users.update_organization(world.admin, other.id, name="Other")
    with pytest.raises(InvalidInput):
        await world.users.update_organization(world.admin, world.organization_id, check_interval_seconds=59)
    with pytest.raises(VersionConflict):
        await world.users.update_organization(world.admin, world.organization_id, name="Other", expected_version=2)
    changed = await world.users.update_organization(world.admin, world.organization_id, name="Other")
    assert (changed.name, changed.version) == ("Other", 2)
