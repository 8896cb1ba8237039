"""The end of a run, kept: the run itself, its event and audit record, and what it tells of the connection.

Used by CommandCall, which has an answer, and by CommandRuns for runs that end without one.
"""

from datetime import datetime
from uuid import UUID

from domain.call_budget import limit_after
from domain.connection_units import save_findings
from domain.entities.audit import AuditAction, AuditRecord
from domain.entities.command_run import CommandRun
from domain.entities.event import ANSWERABLE, EventDraft
from domain.entities.health import HealthCheckTrigger
from domain.entities.identifiers import Kind, typed_id
from domain.entities.service_connection import ServiceConnection
from domain.errors import NotFound
from domain.ports import UnitOfWork
from domain.request_origin import request_from
from domain.services.commands import CommandResult
from domain.services.service_fault import FaultKind, ServiceFault
from domain.use_evidence import record_fault, record_success


async def find_connection(unit: UnitOfWork, connection_id: UUID) -> ServiceConnection | None:
    """The connection, locked where the unit writes; None once it is deleted. Before the run, as all lock them."""
    try:
        return await unit.connections.get(connection_id)
    except NotFound:
        return None


async def record_run(
    unit: UnitOfWork,
    connection: ServiceConnection | None,
    run: CommandRun,
    answer: CommandResult | ServiceFault | None,
    asked_at: datetime,
    now: datetime,
) -> None:
    """Store a run that has ended, and tell of it. `answer`: what it ended with; None where nobody knows."""
    await unit.command_runs.save(run)
    if connection is None:
        if run.actor.kind in ANSWERABLE:
            await unit.audit.add(_audit_record(run, now))
        return
    events = [*await _learn(unit, connection, answer, asked_at, now), run.told(now)]
    with request_from(run.origin):
        await save_findings(unit, connection, events, run.actor)


async def _learn(
    unit: UnitOfWork,
    connection: ServiceConnection,
    answer: CommandResult | ServiceFault | None,
    asked_at: datetime,
    now: datetime,
) -> list[EventDraft]:
    """Take the answer as evidence of the connection's health, and of its quota."""
    if answer is None or answer.latency_ms is None:
        return []  # nobody was asked
    await unit.credentials.mark_used(connection.id, asked_at)
    if isinstance(answer, CommandResult):
        connection.learn_rate_limit(answer.rate_limit, now)
        return list(await record_success(unit, connection, asked_at, now, answer.rate_limit))
    connection.learn_rate_limit(limit_after(answer, connection.rate_limit, now), now)
    events = list(await record_fault(unit, connection, answer, asked_at, now))
    if answer.kind is FaultKind.SCOPE_MISSING:
        connection.check_soon(now, HealthCheckTrigger.USE)
    return events


def _audit_record(run: CommandRun, now: datetime) -> AuditRecord:
    """Of a run through a connection that has been deleted meanwhile, whose feed is at its end."""
    return AuditRecord(
        run.organization_id,
        AuditAction.CONNECTION_COMMAND_RUN,
        run.actor,
        now,
        typed_id(Kind.CONNECTION, run.connection_id),
        data=run.told(now).data,
        origin=run.origin,
    )
