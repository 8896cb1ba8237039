"""Runs of commands as rows: of one organization, as `unit.command_runs`; of all, as `unit.command_run_history`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, insert, select, update

from domain.entities.command_run import FINISHED, CommandRun, CommandRunError, CommandRunStatus
from domain.entities.event import Actor, ActorKind
from domain.entities.health import Remedy
from domain.entities.user import Role
from domain.errors import NotFound
from domain.request_origin import RequestOrigin
from domain.services.service_fault import FaultKind
from persistence.repositories.leases import is_over
from persistence.repositories.tenant import Tenant
from persistence.tables import command_runs
from persistence.transaction import Transaction

_c = command_runs.c


class SqlCommandRunRepository:
    """Implements CommandRunRepository."""

    def __init__(self, tenant: Tenant) -> None:
        self._transaction = tenant.transaction
        self._organization_id = tenant.organization_id
        self._own = tenant.own

    async def get(self, run_id: UUID) -> CommandRun:
        statement = self._one(run_id)
        found = await self._read(statement.with_for_update() if self._transaction.writes else statement)
        if found is None:
            raise NotFound("There is no run of a command with this id.")
        return found

    async def find(self, run_id: UUID) -> CommandRun | None:
        return await self._read(self._one(run_id))

    async def add(self, run: CommandRun) -> None:
        self._own(run.organization_id)
        await self._transaction.execute(insert(command_runs).values({**_wish(run), **_progress(run)}))

    async def save(self, run: CommandRun) -> None:
        self._own(run.organization_id)
        await self._transaction.execute(
            update(command_runs)
            .where(_c.organization_id == self._organization_id, _c.id == run.id)
            .values(_progress(run))
        )

    def _one(self, run_id: UUID) -> Select[Any]:
        return select(command_runs).where(_c.organization_id == self._organization_id, _c.id == run_id)

    async def _read(self, statement: Select[Any]) -> CommandRun | None:
        row = (await self._transaction.execute(statement)).one_or_none()
        return None if row is None else _entity(row)


class SqlCommandRunHistory:
    """Implements CommandRunHistory."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def abandoned(self, now: datetime, limit: int) -> Sequence[tuple[UUID, UUID]]:
        rows = await self._transaction.execute(
            select(_c.organization_id, _c.id)
            .where(_c.leased_until.is_not(None), is_over(_c, now))
            .order_by(_c.leased_until)
            .limit(limit)
        )
        return [(row.organization_id, row.id) for row in rows]

    async def forget(self, created_before: datetime, limit: int) -> int:
        finished = [status.value for status in FINISHED]
        old = select(_c.id).where(_c.created_at < created_before, _c.status.in_(finished))
        oldest = old.order_by(_c.created_at).limit(limit)
        return (await self._transaction.execute(delete(command_runs).where(_c.id.in_(oldest)))).rowcount


def _wish(run: CommandRun) -> dict[str, Any]:
    """What stays."""
    return {
        "organization_id": run.organization_id,
        "id": run.id,
        "connection_id": run.connection_id,
        "command": run.command,
        "arguments": run.arguments,
        "least_role": run.least_role.value,
        "mutating": run.mutating,
        "repeatable": run.repeatable,
        "actor_kind": run.actor.kind.value,
        "actor_name": run.actor.name,
        "actor_user_id": run.actor.user_id,
        "actor_api_key_id": run.actor.api_key_id,
        "address": run.origin.address,
        "request_id": run.origin.request_id,
        "created_at": run.created_at,
    }


def _progress(run: CommandRun) -> dict[str, Any]:
    """What changes."""
    error = run.error
    return {
        "status": run.status.value,
        "attempts": run.attempts,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "duration_ms": run.duration_ms,
        "result": run.result,
        "url": run.url,
        "error_kind": error and error.kind.value,
        "error_code": error and error.code,
        "error_message": error and error.message,
        "error_remedy": error and error.remedy.value,
        "error_retry_after_seconds": error and error.retry_after_seconds,
        "error_argument": error and error.argument,
        "lease": run.lease,
        "leased_until": run.leased_until,
    }


def _entity(row: Row[Any]) -> CommandRun:
    return CommandRun(
        id=row.id,
        organization_id=row.organization_id,
        connection_id=row.connection_id,
        command=row.command,
        arguments=row.arguments,
        least_role=Role(row.least_role),
        mutating=row.mutating,
        repeatable=row.repeatable,
        actor=Actor(ActorKind(row.actor_kind), row.actor_name, row.actor_user_id, row.actor_api_key_id),
        created_at=row.created_at,
        origin=RequestOrigin(row.address, row.request_id),
        status=CommandRunStatus(row.status),
        attempts=row.attempts,
        started_at=row.started_at,
        finished_at=row.finished_at,
        result=row.result,
        url=row.url,
        error=_error(row),
        lease=row.lease,
        leased_until=row.leased_until,
    )


def _error(row: Row[Any]) -> CommandRunError | None:
    if row.error_code is None:
        return None
    return CommandRunError(
        kind=FaultKind(row.error_kind),
        code=row.error_code,
        message=row.error_message,
        remedy=Remedy(row.error_remedy),
        retry_after_seconds=row.error_retry_after_seconds,
        argument=row.error_argument,
    )
