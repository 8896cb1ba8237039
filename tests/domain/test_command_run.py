"""CommandRun's state machine: which steps there are, who holds a run, and what is never done to one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.command_failures import SIGHT_LOST
from domain.entities.command_run import FINISHED, LONGEST_LEASE, CommandRun, CommandRunStatus
from domain.entities.event import SCHEDULER
from domain.entities.user import Role

NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
LEASE = timedelta(minutes=1)

Step = Callable[[CommandRun], None]
STEPS: dict[str, Step] = {
    "begin": lambda run: run.begin(uuid4(), NOW, NOW + LEASE),
    "attempt again": lambda run: run.attempt_again(NOW + LEASE),
    "queue again": lambda run: run.queue_again(),
    "succeed": lambda run: run.succeed({"number": 1}, None, NOW),
    "fail": lambda run: run.fail(SIGHT_LOST, NOW),
    "lose sight": lambda run: run.lose_sight(SIGHT_LOST, NOW),
}


def a_run(*, repeatable: bool = False) -> CommandRun:
    return CommandRun(
        id=uuid4(),
        organization_id=uuid4(),
        connection_id=uuid4(),
        command="github.create_issue",
        arguments={},
        least_role=Role.MEMBER,
        mutating=True,
        repeatable=repeatable,
        actor=SCHEDULER,
        created_at=NOW,
    )


@given(repeatable=st.booleans(), names=st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_whatever_is_tried_a_run_keeps_to_its_steps(repeatable: bool, names: list[str]) -> None:
    run, began = a_run(repeatable=repeatable), 0
    for name in names:
        before = (run.status, run.attempts, run.lease, run.finished_at)
        try:
            STEPS[name](run)
        except ValueError:
            assert (run.status, run.attempts, run.lease, run.finished_at) == before
            continue
        began += name in ("begin", "attempt again")
        assert run.attempts == began
        assert before[0] not in (CommandRunStatus.SUCCEEDED, CommandRunStatus.FAILED), "an end stays"
        assert (run.finished_at is not None) is (run.status in FINISHED)
        assert (run.leased_until is not None) is (run.status is CommandRunStatus.RUNNING)
        if before[0] is CommandRunStatus.UNKNOWN:
            assert run.status in FINISHED
            assert name != "begin", "what may have been done isn't called for again"
        if before[0] is CommandRunStatus.RUNNING and run.status is CommandRunStatus.QUEUED:
            assert repeatable


def test_a_run_is_abandoned_when_its_time_is_over_or_was_given_by_a_clock_ahead() -> None:
    run = a_run()
    assert not run.abandoned_at(NOW + timedelta(days=1))  # it waits; nobody has it
    run.begin(uuid4(), NOW, NOW + LEASE)
    assert not run.abandoned_at(NOW)
    assert run.abandoned_at(NOW + LEASE)
    assert run.abandoned_at(NOW + LEASE - LONGEST_LEASE - timedelta(seconds=1))
    run.lose_sight(SIGHT_LOST, NOW + LEASE)
    assert not run.abandoned_at(NOW + timedelta(days=1))


def test_what_is_not_repeatable_is_never_queued_again() -> None:
    run = a_run()
    run.begin(uuid4(), NOW, NOW + LEASE)
    with pytest.raises(ValueError, match="never run again"):
        run.queue_again()


def test_who_called_may_still_tell_of_a_run_that_is_unknown() -> None:
    run, lease = a_run(), uuid4()
    run.begin(lease, NOW, NOW + LEASE)
    run.lose_sight(SIGHT_LOST, NOW + LEASE)
    assert run.lease == lease
    run.succeed({"number": 1}, "https://github.example/1", NOW + 2 * LEASE)
    ended = [run.status.value, run.error, run.lease]
    assert ended == ["SUCCEEDED", None, None]
    assert run.duration_ms == 120_000


def test_its_event_tells_how_it_ended_and_not_what_was_said() -> None:
    run = a_run()
    run.begin(uuid4(), NOW, NOW + LEASE)
    run.succeed({"text": "A word in confidence"}, "https://github.example/1", NOW + timedelta(seconds=2))
    assert run.told(NOW).data == {
        "runId": f"run_{run.id}",
        "command": "github.create_issue",
        "status": "SUCCEEDED",
        "durationMs": 2_000,
        "code": None,
        "url": "https://github.example/1",
    }
    assert "A word in confidence" not in repr(run)
