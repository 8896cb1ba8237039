"""CommandRun: one run of a command through a connection, from the wish to what came of it.

Made and moved on by CommandRuns. A run that has begun is leased to whoever makes the call, by a token: what they write
of it counts while the lease is theirs. Where that never comes, nobody knows what happened, and the run says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.entities.event import Actor, ConnectionEventType, EventDraft
from domain.entities.health import Json, Remedy
from domain.entities.identifiers import Kind, typed_id
from domain.entities.user import Role
from domain.request_origin import RequestOrigin, request_origin
from domain.services.service_fault import FaultKind


class CommandRunStatus(StrEnum):
    """How far a run has come."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


FINISHED: Final = frozenset({CommandRunStatus.SUCCEEDED, CommandRunStatus.FAILED, CommandRunStatus.UNKNOWN})

LONGEST_LEASE: Final = timedelta(minutes=10)
"""Longer than any: who has a run for longer took it by a clock that was ahead."""

_STEPS: Final = {
    CommandRunStatus.QUEUED: {CommandRunStatus.RUNNING, CommandRunStatus.FAILED, CommandRunStatus.UNKNOWN},
    CommandRunStatus.RUNNING: {*FINISHED, CommandRunStatus.QUEUED},
    CommandRunStatus.UNKNOWN: {CommandRunStatus.SUCCEEDED, CommandRunStatus.FAILED},  # who called tells after all
    CommandRunStatus.SUCCEEDED: set(),
    CommandRunStatus.FAILED: set(),
}


@dataclass(frozen=True, slots=True)
class CommandRunError:
    """Why a run didn't succeed, or why nobody knows. `argument`: the key of the one that the service objects to."""

    kind: FaultKind
    code: str
    message: str
    remedy: Remedy
    retry_after_seconds: int | None = None
    argument: str | None = None


@dataclass(slots=True)
class CommandRun:
    """`arguments` are as they were given, `result` as the command says: both may hold what people wrote, never secrets.

    What the command was when it was run is kept: `least_role` is who may see those two, `mutating` and `repeatable`
    say what may be done where nobody knows what came of it. `actor` and `origin` are of whoever asked for it.
    """

    id: UUID
    organization_id: UUID
    connection_id: UUID
    command: str
    arguments: Mapping[str, Json] = field(repr=False)
    least_role: Role
    mutating: bool
    repeatable: bool
    actor: Actor
    created_at: datetime
    origin: RequestOrigin = field(default_factory=request_origin)
    status: CommandRunStatus = CommandRunStatus.QUEUED
    attempts: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Mapping[str, Json] | None = field(default=None, repr=False)
    url: str | None = None
    error: CommandRunError | None = None
    lease: UUID | None = None
    leased_until: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether it waits for nothing more. UNKNOWN may still become known."""
        return self.status in FINISHED

    @property
    def duration_ms(self) -> int | None:
        """From its beginning to its end; None for one that hasn't come to both."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0, (self.finished_at - self.started_at) // timedelta(milliseconds=1))

    def told(self, now: datetime) -> EventDraft:
        """That it has been run, and how it ended; without what was said to it and what it said."""
        data: dict[str, Json] = {
            "runId": typed_id(Kind.COMMAND_RUN, self.id),
            "command": self.command,
            "status": self.status.value,
            "durationMs": self.duration_ms,
            "code": None if self.error is None else self.error.code,
            "url": self.url,
        }
        return EventDraft(ConnectionEventType.COMMAND_RUN, self.organization_id, self.connection_id, now, data=data)

    def begin(self, lease: UUID, now: datetime, until: datetime) -> None:
        """It is about to be called for."""
        self._step(CommandRunStatus.RUNNING)
        self.attempts += 1
        self.started_at = now if self.started_at is None else self.started_at
        self.lease, self.leased_until = lease, until

    def attempt_again(self, until: datetime) -> None:
        """Whoever has it calls once more."""
        if self.status is not CommandRunStatus.RUNNING:
            raise ValueError(f"a run that is {self.status} isn't being called for")
        self.attempts += 1
        self.leased_until = until

    def abandoned_at(self, now: datetime) -> bool:
        """Whether whoever called for it should have told by now what came of it."""
        if self.status is not CommandRunStatus.RUNNING or self.leased_until is None:
            return False
        return not now < self.leased_until <= now + LONGEST_LEASE

    def queue_again(self) -> None:
        """Somebody else is to call for it, since whoever did never told. Raises ValueError where that isn't safe."""
        if not self.repeatable:
            raise ValueError("what isn't repeatable is never run again by itself")
        self._step(CommandRunStatus.QUEUED)
        self.lease = self.leased_until = None

    def succeed(self, result: Mapping[str, Json], url: str | None, now: datetime) -> None:
        """It was done."""
        self._finish(CommandRunStatus.SUCCEEDED, now)
        self.result, self.url, self.error = result, url, None

    def fail(self, error: CommandRunError, now: datetime) -> None:
        """It wasn't done."""
        self._finish(CommandRunStatus.FAILED, now)
        self.error = error

    def lose_sight(self, error: CommandRunError, now: datetime) -> None:
        """Nobody knows whether it was done. The token stays: who called may still tell."""
        lease = self.lease
        self._finish(CommandRunStatus.UNKNOWN, now)
        self.error, self.lease = error, lease

    def _finish(self, status: CommandRunStatus, now: datetime) -> None:
        self._step(status)
        self.finished_at = now
        self.lease = self.leased_until = None

    def _step(self, status: CommandRunStatus) -> None:
        if status not in _STEPS[self.status]:
            raise ValueError(f"a run that is {self.status} doesn't become {status}")
        self.status = status
