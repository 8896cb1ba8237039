"""Commands run by several real processes on one database: at the same moment, and by some that are killed meanwhile."""

import asyncio
import json
import signal
from asyncio.subprocess import PIPE, Process
from typing import Any

import pytest

from domain.command_call import CallTimes
from domain.entities.command_run import CommandRunStatus
from domain.task_outcome import Ended
from tests.domain.command_worker import Order
from tests.domain.commanding import ISSUE, Place, a_place, settle
from tests.domain.world import World
from tests.gql.waiting import eventually
from tests.preloaded_python import start_module

pytestmark = pytest.mark.anyio

LEASE_SECONDS = CallTimes().around.total_seconds() + 2 * CallTimes().seconds


async def _store_key(world: World) -> None:
    async with world.units.writing_everywhere() as unit:
        assert await unit.data_keys.add(world.data_key)
        await unit.commit()


async def _worker(database_url: str, place: Place, command: str, **arguments: Any) -> Process:
    """A process that waits to be told to run the command, with the key "one"."""
    world = place.world
    worker = await start_module("tests.domain.command_worker", stdin=PIPE, stdout=PIPE)
    order = Order(
        database_url=database_url,
        encryption_key=world.encryption_key.hex(),
        github_url=world.sandbox.github_url,
        github_api_url=world.sandbox.github_api_url,
        user_id=str(place.member.user_id),
        connection_id=str(place.connection.id),
        command=command,
        arguments={"repository": place.repository, **arguments},
        idempotency_key="one",
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(order.written().encode())
    assert await worker.stdout.readline() == b"ready\n"
    return worker


async def _told(worker: Process) -> dict[str, Any]:
    output, _ = await worker.communicate(b"go\n")
    assert worker.returncode == 0
    told: dict[str, Any] = json.loads(output)
    return told


async def test_processes_that_run_the_same_key_at_the_same_moment_make_one_call(
    database_url: str, world: World
) -> None:
    await _store_key(world)
    place = await a_place(world)
    await place.behave("slow", delay_seconds=0.5)
    workers = await asyncio.gather(*(_worker(database_url, place, "github.create_issue", **ISSUE) for _ in range(3)))
    told = await asyncio.gather(*map(_told, workers))
    (row,) = await place.runs()
    assert told == [{"id": str(row["id"]), "status": "SUCCEEDED"}] * 3
    assert (row["attempts"], await place.issues()) == (1, 1)


async def _killed_in_the_call(database_url: str, place: Place, command: str, calls: int, **arguments: Any) -> None:
    """A process that is killed when the service has been called, and has no answer yet."""
    worker = await _worker(database_url, place, command, **arguments)
    assert worker.stdin is not None
    worker.stdin.write(b"go\n")

    async def called() -> bool:
        return await place.world.calls(place.token) > calls

    await eventually(called)
    worker.send_signal(signal.SIGKILL)
    await worker.wait()


async def test_a_process_killed_between_the_call_and_the_commit_leaves_a_run_that_nobody_repeats(
    database_url: str, world: World
) -> None:
    await _store_key(world)
    place = await a_place(world)
    await place.behave("done_then_slow", delay_seconds=30)
    await _killed_in_the_call(database_url, place, "github.create_issue", await world.calls(place.token), **ISSUE)
    (row,) = await place.runs()
    assert row["status"] == "RUNNING"
    await place.behave()
    await settle(world)  # its time isn't over yet
    assert (await place.open_issue(idempotency_key="one", wait_seconds=0)).status is CommandRunStatus.RUNNING

    world.clock.advance(seconds=LEASE_SECONDS + 1)
    await settle(world)
    run = await place.open_issue(idempotency_key="one")
    assert (run.id, run.status, run.attempts) == (row["id"], CommandRunStatus.UNKNOWN, 1)
    assert run.error is not None
    assert run.error.code == "outcome_unknown"
    assert await place.issues() == 1
    (event,) = [each for each in await world.rows("connection_events") if each["type"] == "COMMAND_RUN"]
    assert (event["data"]["status"], event["actor_user_id"]) == ("UNKNOWN", place.member.user_id)
    assert [each["kind"] for each in await world.rows("tasks") if each["subject_id"] == run.id] == []


async def test_who_calls_again_with_the_key_finds_out_and_what_is_repeatable_is_taken_up(
    database_url: str, world: World
) -> None:
    await _store_key(world)
    place = await a_place(world)
    await world.sandbox.github_repository(place.repository, files={"README.md": "Hello"})
    await place.behave("slow", delay_seconds=30)
    await _killed_in_the_call(database_url, place, "github.read_file", await world.calls(place.token), path="README.md")
    await place.behave()
    world.clock.advance(seconds=LEASE_SECONDS + 1)
    run = await place.read_file(idempotency_key="one", wait_seconds=0)
    assert (run.status, run.attempts) == (CommandRunStatus.QUEUED, 1)
    assert await place.take_turn(run.id) == Ended()
    after = await place.read_file(idempotency_key="one")
    assert (after.id, after.status, after.attempts) == (run.id, CommandRunStatus.SUCCEEDED, 2)
