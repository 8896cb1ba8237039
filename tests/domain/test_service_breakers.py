"""A service that is down: one incident, few calls, connections that keep their health, and a calm return."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import SCHEDULER, ConnectionEventType
from domain.entities.health import HealthStatus
from domain.entities.task import TaskKind
from domain.incident_news import IncidentNews
from domain.repository_sync import RepositorySync
from domain.repository_sync_outcome import SyncStopped
from domain.service_board import ServiceBoard
from domain.service_breaker import LATEST, LEAST, BreakerWindow
from domain.service_breakers import ServiceBreakers
from domain.service_pace import FIRST, ServicePace
from domain.services.service_fault import FaultKind
from persistence.tables import service_credentials
from tests.domain.many_connections import connect_many
from tests.domain.world import World
from tests.every_row import every_row
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio

MANY = 10_000


@asynccontextmanager
async def _outage(world: World, connections: int) -> AsyncIterator[None]:
    """The service is down, so many connections are due, and a worker has found it out."""
    token = await world.token()
    await connect_many(world, token, connections)
    await world.sandbox.set_down("github", True)

    async def noticed() -> bool:
        return bool(await world.rows("service_incidents"))

    try:
        async with world.worker().working():
            await eventually(noticed)
            yield
    finally:
        await world.sandbox.set_down("github", False)


async def _github_calls(world: World) -> int:
    return len([call for call in await world.sandbox.calls() if call.path == "/user"])


async def test_a_dead_service_with_ten_thousand_connections_is_one_incident_and_few_calls(world: World) -> None:
    before = await _github_calls(world)
    async with _outage(world, MANY):
        for _ in range(8):  # a minute of it, as the clock tells
            world.clock.advance(seconds=7.5)
            await eventually(partial(_was_probed, world))
        assert 10 <= await _github_calls(world) - before < 100
        [incident] = await world.rows("service_incidents")
    assert (incident["service"], incident["code"], incident["ended_at"]) == ("github", "github_server_error", None)
    health = [row["health_status"] for row in await world.rows("service_connections")]
    assert health.count(HealthStatus.HEALTHY.value) == MANY
    assert await world.rows("connection_events") == []


async def _was_probed(world: World) -> bool:
    """Whether somebody has asked for it, if it is time to."""
    [incident] = await world.rows("service_incidents")
    return bool(incident["next_probe_at"] > world.clock())


async def test_checks_go_on_spread_out_when_the_service_is_back(world: World) -> None:
    async with _outage(world, 300):
        await world.sandbox.set_down("github", False)
        world.clock.advance(seconds=60)

        async def over() -> bool:
            [incident] = await world.rows("service_incidents")
            return incident["ended_at"] is not None and world.board.incident("github") is None

        await eventually(over)
    due = [row["next_check_at"] for row in await world.rows("connection_health")]
    assert sum(at <= world.clock() for at in due) < 150  # those that found it out, and the others later
    assert {row["health_status"] for row in await world.rows("service_connections")} <= {"HEALTHY", "UNHEALTHY"}


async def test_a_service_is_not_back_because_somebody_else_has_all_its_connections(world: World) -> None:
    async with _outage(world, 30):
        world.clock.advance(minutes=10)
        until = world.clock() + timedelta(minutes=30)  # as of a worker that was killed
        async with world.units.writing_everywhere() as unit:
            await unit.due_checks.claim("github", world.clock(), until, 100, due_by=until)
            await unit.commit()
        for _ in range(3):
            world.clock.advance(minutes=1)
            await eventually(partial(_was_probed, world))
        [incident] = await world.rows("service_incidents")
        assert incident["ended_at"] is None


async def test_an_incident_ends_with_the_last_connection_that_suffers_from_it(world: World) -> None:
    async with _outage(world, 30):
        async with world.units.writing(world.organization_id) as unit:
            for connection in await unit.connections.list():
                connection.set_status(ConnectionStatus.INACTIVE, reason=None, now=world.clock())
                await unit.connections.save(connection)
            await unit.commit()
        world.clock.advance(minutes=1)

        async def over() -> bool:
            [incident] = await world.rows("service_incidents")
            return incident["ended_at"] is not None

        await eventually(over)


async def test_whoever_calls_with_stored_credentials_spares_a_service_that_is_down(world: World) -> None:
    created = await world.connect()
    async with _outage(world, 50):
        calls = await _github_calls(world)
        sync = RepositorySync(world.units, world.catalogue, world.refresher, world.clock)
        stopped = await sync.run(world.organization_id, created.id, SCHEDULER, since=world.clock(), seconds=1.0)
        assert isinstance(stopped, SyncStopped)
        assert (stopped.fault.kind, stopped.fault.code) == (FaultKind.UNREACHABLE, "github_down")
        assert await _github_calls(world) == calls


async def test_who_asks_for_a_check_all_the_same_does_no_harm_by_it(world: World) -> None:
    created = await world.connect()
    async with _outage(world, 50):
        for _ in range(4):
            check = await world.manager.check_connection_health(world.admin, created.id)
            assert check.status is HealthStatus.UNHEALTHY
    known = await world.known(created.id)
    assert (known.status, known.health.consecutive_failures) == (ConnectionStatus.ACTIVE, 0)


async def test_each_organization_hears_of_it_once(world: World) -> None:
    await world.connect()
    async with _outage(world, 40):
        [incident] = await world.rows("service_incidents")
        async with world.units.reading_everywhere() as unit:
            task = await unit.tasks.find(TaskKind.TELL_SERVICE_DOWN, incident["id"])
        assert task is not None
        news = IncidentNews(world.units, world.catalogue, world.clock)
        for _ in range(2):  # as after a kill before the task was finished
            await news.tell_down(task)
    told = [row for row in await world.rows("connection_events") if row["type"] == "SERVICE_STATUS_CHANGED"]
    assert len(told) == 1
    assert told[0]["data"]["status"] == "DOWN"
    assert told[0]["data"]["connections"] == 41
    assert ConnectionEventType(told[0]["type"]) is ConnectionEventType.SERVICE_STATUS_CHANGED


async def test_who_heard_that_it_is_down_hears_of_the_end_last(world: World) -> None:
    async with _outage(world, 40):
        [incident] = await world.rows("service_incidents")
        async with world.units.reading_everywhere() as unit:
            down = await unit.tasks.find(TaskKind.TELL_SERVICE_DOWN, incident["id"])
        assert down is not None
        news = IncidentNews(world.units, world.catalogue, world.clock)
        await news.tell_back(down)  # to nobody: nobody has heard of it
        await news.tell_down(down)
        async with world.units.writing_everywhere() as unit:
            assert await unit.service_incidents.end(incident["id"], world.clock())
            await unit.commit()
        await news.tell_back(down)
        await news.tell_down(down)  # by a process that was slow
    told = [row["data"]["status"] for row in await world.rows("connection_events") if "status" in row["data"]]
    assert told == ["DOWN", "OPERATIONAL"]


async def test_a_probe_that_calls_nobody_ends_nothing(world: World) -> None:
    async with _outage(world, 40):
        async with every_row(world.database) as database:
            await database.execute(update(service_credentials).values(sealed="v1.nobody.opens-this"))
        for _ in range(3):
            world.clock.advance(seconds=40)
            await eventually(partial(_was_probed, world))
        assert (await world.rows("service_incidents"))[0]["ended_at"] is None


async def test_an_incident_that_was_begun_by_a_clock_ahead_is_probed_all_the_same(world: World) -> None:
    world.clock.advance(days=1)
    async with _outage(world, 40):
        await world.sandbox.set_down("github", False)
        world.clock.ahead = timedelta()

        async def over() -> bool:
            return (await world.rows("service_incidents"))[0]["ended_at"] is not None

        await eventually(over)


async def test_what_was_asked_before_an_incident_ended_begins_no_other(world: World) -> None:
    async with _outage(world, 40):
        late = ServiceBreakers(world.units, world.catalogue, ServiceBoard(world.units), world.clock, lambda: 0.5)
        async with world.units.writing_everywhere() as unit:
            dues = await unit.due_checks.claim("github", world.clock(), world.clock() + timedelta(minutes=1), 12)
            await unit.commit()
        failed = [await world.scheduled.check(due) for due in dues]
        await late.look()
        for each in failed:
            late.observe(each)
        await world.sandbox.set_down("github", False)
        [incident] = await world.rows("service_incidents")
        async with world.units.writing_everywhere() as unit:
            await unit.service_incidents.end(incident["id"], world.clock())
            await unit.commit()
    passed = await world.scheduled.check(dues[0])
    kept, waiting = await late.sift([passed])
    assert (kept, waiting) == ([passed], [])
    assert len(await world.rows("service_incidents")) == 1


async def test_a_handful_of_failing_connections_is_no_incident(world: World) -> None:
    await connect_many(world, await world.token(behaviour="server_error"), LEAST - 1)

    async def failed() -> bool:
        return all(row["health_status"] == "UNHEALTHY" for row in await world.rows("service_connections"))

    async with world.worker().working():
        await eventually(failed)
    assert await world.rows("service_incidents") == []


@given(st.lists(st.sampled_from([None, None, "a", "a", "a", "b"]), max_size=3 * LATEST))
def test_the_window_trips_for_one_failure_that_most_of_the_latest_answers_are(answers: list[str | None]) -> None:
    window = BreakerWindow()
    for number, answer in enumerate(answers):
        window.add(answer, number / 10)
    latest = answers[-LATEST:]
    code = window.failing_as(len(answers) / 10)
    if code is None:
        assert len(latest) < LEAST or all(latest.count(one) < 0.7 * len(latest) for one in ("a", "b"))
    else:
        assert latest.count(code) >= 0.7 * len(latest) >= 0.7 * LEAST


def test_old_answers_prove_nothing() -> None:
    window = BreakerWindow()
    for _ in range(LEAST):
        window.add("a", 0.0)
    assert window.failing_as(59.0) == "a"
    assert window.failing_as(61.0) is None


@given(st.lists(st.booleans()), st.integers(1, 200))
def test_the_pace_stays_between_one_and_its_most(answers: list[bool], most: int) -> None:
    pace = ServicePace(most)
    for answered in answers:
        before = pace.at_once
        if answered:
            pace.answered()
            assert before <= pace.at_once <= most
        else:
            pace.failed()
            assert 1 <= pace.at_once <= max(1, before)
    assert FIRST > 1
