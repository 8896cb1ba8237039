"""All that Tether does by itself: each kind of task with who does it, for how long it is leased, and how often.

The runner works by this table; the composition root names who does it. `tasks_for` are the tasks of a new credential.
Health checks aren't tasks, being far more than all else together: `domain/health_worker.py` makes them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from domain.credential_schedule import first_warning_at, refresh_at
from domain.entities.credential import ServiceCredential
from domain.entities.identifiers import new_id
from domain.entities.task import Task, TaskKind
from domain.runner import PlannedWork
from domain.services.base import Service
from domain.task_outcome import Work


def periodic_work(
    *,
    refresh_credential: Work,
    warn_of_expiry: Work,
    sync_repositories: Work,
    revoke_credential: Work,
    process_webhook: Work,
    run_command: Work,
    tell_service_down: Work,
    tell_service_back: Work,
    bring_checks_forward: Work,
    forget_flows: Work,
    forget_sign_ins: Work,
    forget_deliveries: Work,
    forget_deleted_connections: Work,
    forget_idempotency_keys: Work,
    forget_call_budgets: Work,
    forget_invitations: Work,
    compact_health: Work,
    forget_health_checks: Work,
    forget_events: Work,
    forget_audit_records: Work,
    settle_command_runs: Work,
    forget_command_runs: Work,
) -> Mapping[TaskKind, PlannedWork]:
    """The table. What has no next turn is put where its reason arises: a new credential, a deletion, a webhook …"""
    return {
        # Which kind: who does it, for how long it is leased at a time, how many at once in a process, how often again.
        TaskKind.REFRESH_CREDENTIAL: PlannedWork(refresh_credential, _seconds(60), 8),
        TaskKind.WARN_OF_EXPIRY: PlannedWork(warn_of_expiry, _seconds(30), 2),
        TaskKind.SYNC_REPOSITORIES: PlannedWork(sync_repositories, _seconds(60), 4, _HOURLY),
        TaskKind.REVOKE_CREDENTIAL: PlannedWork(revoke_credential, _seconds(60), 2),
        TaskKind.PROCESS_WEBHOOK: PlannedWork(process_webhook, _seconds(30), 8),
        TaskKind.RUN_COMMAND: PlannedWork(run_command, _seconds(60), 8),
        TaskKind.TELL_SERVICE_DOWN: PlannedWork(tell_service_down, _seconds(60), 1),
        TaskKind.TELL_SERVICE_BACK: PlannedWork(tell_service_back, _seconds(60), 1),
        TaskKind.BRING_CHECKS_FORWARD: PlannedWork(bring_checks_forward, _seconds(60), 1),
        TaskKind.FORGET_FLOWS: PlannedWork(forget_flows, _seconds(60), 1, _EVERY_TEN_MINUTES, whole_server=True),
        TaskKind.FORGET_SIGN_INS: PlannedWork(forget_sign_ins, _seconds(60), 1, _EVERY_TEN_MINUTES, whole_server=True),
        TaskKind.FORGET_DELIVERIES: PlannedWork(forget_deliveries, _seconds(60), 1, _HOURLY, whole_server=True),
        TaskKind.FORGET_DELETED_CONNECTIONS: PlannedWork(
            forget_deleted_connections, _seconds(60), 1, _HOURLY, whole_server=True
        ),
        TaskKind.FORGET_IDEMPOTENCY_KEYS: PlannedWork(
            forget_idempotency_keys, _seconds(60), 1, _HOURLY, whole_server=True
        ),
        TaskKind.FORGET_CALL_BUDGETS: PlannedWork(forget_call_budgets, _seconds(60), 1, _HOURLY, whole_server=True),
        TaskKind.FORGET_INVITATIONS: PlannedWork(forget_invitations, _seconds(60), 1, _HOURLY, whole_server=True),
        TaskKind.COMPACT_HEALTH: PlannedWork(compact_health, _seconds(60), 1, _HOURLY, whole_server=True),
        TaskKind.FORGET_HEALTH_CHECKS: PlannedWork(forget_health_checks, _seconds(60), 1, _HOURLY, whole_server=True),
        TaskKind.FORGET_EVENTS: PlannedWork(forget_events, _seconds(60), 1, _HOURLY, whole_server=True),
        TaskKind.FORGET_AUDIT_RECORDS: PlannedWork(forget_audit_records, _seconds(60), 1, _HOURLY, whole_server=True),
        TaskKind.SETTLE_COMMAND_RUNS: PlannedWork(
            settle_command_runs, _seconds(60), 1, _EVERY_HALF_MINUTE, whole_server=True
        ),
        TaskKind.FORGET_COMMAND_RUNS: PlannedWork(forget_command_runs, _seconds(60), 1, _HOURLY, whole_server=True),
    }


def tasks_for(
    credential: ServiceCredential, service: Service, now: datetime, chance: Callable[[], float]
) -> Sequence[Task]:
    """What follows from a credential that was just made, or replaced by a person: for `unit.tasks.put`, in its unit.

    Each task looks at the credential again when its turn comes, so that one left over from an earlier credential does
    no harm.
    """
    moments = {
        TaskKind.REFRESH_CREDENTIAL: refresh_at(credential, chance),
        TaskKind.WARN_OF_EXPIRY: first_warning_at(credential, now),
        TaskKind.SYNC_REPOSITORIES: None if service.repositories is None else now,
    }
    return [_task(kind, credential, at) for kind, at in moments.items() if at is not None]


def refresh_task(credential: ServiceCredential, chance: Callable[[], float]) -> Task | None:
    """The next refresh of one that was just refreshed; None where none is needed."""
    at = refresh_at(credential, chance)
    return None if at is None else _task(TaskKind.REFRESH_CREDENTIAL, credential, at)


def warning_task(credential: ServiceCredential, now: datetime) -> Task | None:
    """The warning of an end that a refresh has brought; None where none is known."""
    at = first_warning_at(credential, now)
    return None if at is None else _task(TaskKind.WARN_OF_EXPIRY, credential, at)


def _task(kind: TaskKind, credential: ServiceCredential, due_at: datetime) -> Task:
    return Task(new_id(), kind, credential.connection_id, credential.organization_id, due_at)


def _seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


_EVERY_HALF_MINUTE: Final = timedelta(seconds=30)
_HOURLY: Final = timedelta(hours=1)
_EVERY_TEN_MINUTES: Final = timedelta(minutes=10)
