"""Task: a piece of work that waits for its moment, and is done by one process at a time. Run by `domain/runner.py`."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.entities.health import Json


class TaskKind(StrEnum):
    """What is to be done. `domain/periodic_work.py` says how each is, and when again."""

    REFRESH_CREDENTIAL = "REFRESH_CREDENTIAL"  # subject: the connection
    WARN_OF_EXPIRY = "WARN_OF_EXPIRY"  # subject: the connection
    SYNC_REPOSITORIES = "SYNC_REPOSITORIES"  # subject: the connection
    REVOKE_CREDENTIAL = "REVOKE_CREDENTIAL"  # subject: the credential; payload: what is sealed of it
    PROCESS_WEBHOOK = "PROCESS_WEBHOOK"  # subject: the delivery
    RUN_COMMAND = "RUN_COMMAND"  # subject: the run
    TELL_SERVICE_DOWN = "TELL_SERVICE_DOWN"  # subject: the incident
    TELL_SERVICE_BACK = "TELL_SERVICE_BACK"  # subject: the incident
    BRING_CHECKS_FORWARD = "BRING_CHECKS_FORWARD"  # subject: the organization
    FORGET_FLOWS = "FORGET_FLOWS"  # of the whole server, as the next ones
    FORGET_SIGN_INS = "FORGET_SIGN_INS"
    FORGET_DELIVERIES = "FORGET_DELIVERIES"
    FORGET_DELETED_CONNECTIONS = "FORGET_DELETED_CONNECTIONS"
    FORGET_IDEMPOTENCY_KEYS = "FORGET_IDEMPOTENCY_KEYS"
    FORGET_CALL_BUDGETS = "FORGET_CALL_BUDGETS"
    FORGET_INVITATIONS = "FORGET_INVITATIONS"
    COMPACT_HEALTH = "COMPACT_HEALTH"
    FORGET_HEALTH_CHECKS = "FORGET_HEALTH_CHECKS"
    FORGET_EVENTS = "FORGET_EVENTS"
    FORGET_AUDIT_RECORDS = "FORGET_AUDIT_RECORDS"
    SETTLE_COMMAND_RUNS = "SETTLE_COMMAND_RUNS"
    FORGET_COMMAND_RUNS = "FORGET_COMMAND_RUNS"


WHOLE_SERVER = UUID(int=0)
"""The subject of tasks that are about no one thing."""


@dataclass(frozen=True, slots=True)
class Task:
    """There is at most one of a kind for a subject. `payload` holds no secret that isn't sealed.

    `lease` is the fencing token of whoever has claimed it: what they write about the task counts only while it is
    still theirs. None for a task that nobody has.
    """

    id: UUID
    kind: TaskKind
    subject_id: UUID
    organization_id: UUID | None
    due_at: datetime
    attempts: int = 0
    payload: dict[str, Json] = field(default_factory=dict, repr=False)
    lease: UUID | None = None
    leased_until: datetime | None = None
