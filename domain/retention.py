"""Retention: forgets what is no longer needed, a batch at a time. Run by the runner, for the whole server."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from domain.entities.task import Task
from domain.ports import UnitsOfWork
from domain.task_outcome import TaskOutcome

DELIVERIES_KEPT: Final = timedelta(days=30)
DELETED_CONNECTIONS_KEPT: Final = timedelta(days=30)
IDEMPOTENCY_KEYS_KEPT: Final = timedelta(hours=24)
CALL_BUDGETS_KEPT: Final = timedelta(hours=1)
INVITATIONS_KEPT: Final = timedelta(days=30)
"""After their end, so that whoever manages people sees who hasn't come."""
COMMAND_RUNS_KEPT: Final = timedelta(days=90)
BATCH: Final = 500
CONNECTIONS_AT_ONCE: Final = 5
"""Each has as many checks as were made of it: thousands."""


class Retention:
    """Each batch is a unit of work of its own, so that nobody waits long for it."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        clock: Callable[[], datetime],
        audit_kept: timedelta,
        command_runs_kept: timedelta = COMMAND_RUNS_KEPT,
    ) -> None:
        self._units_of_work = units_of_work
        self._clock = clock
        self._audit_kept = audit_kept
        self._command_runs_kept = command_runs_kept

    async def forget_deliveries(self, task: Task) -> TaskOutcome:
        """Webhooks that have been processed."""
        await in_batches(self._forget_deliveries)
        return None

    async def forget_idempotency_keys(self, task: Task) -> TaskOutcome:
        """After this, a call with the same key is another call."""
        await in_batches(self._forget_idempotency_keys)
        return None

    async def forget_call_budgets(self, task: Task) -> TaskOutcome:
        """Those that have been full for a while, as ones that nobody knows are; and people's budgets likewise."""
        await in_batches(self._forget_call_budgets)
        await in_batches(self._forget_operation_budgets)
        return None

    async def forget_audit_records(self, task: Task) -> TaskOutcome:
        """Older ones than are kept."""
        await in_batches(self._forget_audit_records)
        return None

    async def forget_command_runs(self, task: Task) -> TaskOutcome:
        """Older ones than are kept, with what was said to them and what they said."""
        await in_batches(self._forget_command_runs)
        return None

    async def forget_invitations(self, task: Task) -> TaskOutcome:
        """Those that nobody has claimed in time."""
        await in_batches(self._forget_invitations)
        return None

    async def forget_deleted_connections(self, task: Task) -> TaskOutcome:
        """Their repositories, runs of commands, checks and account; the events stay."""
        await in_batches(self._forget_deleted_connections, CONNECTIONS_AT_ONCE)
        return None

    async def _forget_deliveries(self, limit: int) -> int:
        async with self._units_of_work.writing_everywhere() as unit:
            forgotten = await unit.webhook_deliveries.forget(self._clock() - DELIVERIES_KEPT, limit)
            await unit.commit()
        return forgotten

    async def _forget_deleted_connections(self, limit: int) -> int:
        async with self._units_of_work.writing_everywhere() as unit:
            before = self._clock() - DELETED_CONNECTIONS_KEPT
            forgotten = await unit.deleted_connections.forget(before, limit)
            await unit.commit()
        return forgotten

    async def _forget_audit_records(self, limit: int) -> int:
        async with self._units_of_work.writing_everywhere() as unit:
            forgotten = await unit.audit.forget(self._clock() - self._audit_kept, limit)
            await unit.commit()
        return forgotten

    async def _forget_command_runs(self, limit: int) -> int:
        async with self._units_of_work.writing_everywhere() as unit:
            forgotten = await unit.command_run_history.forget(self._clock() - self._command_runs_kept, limit)
            await unit.commit()
        return forgotten

    async def _forget_call_budgets(self, limit: int) -> int:
        async with self._units_of_work.writing_everywhere() as unit:
            forgotten = await unit.call_budgets.forget(self._clock() - CALL_BUDGETS_KEPT, limit)
            await unit.commit()
        return forgotten

    async def _forget_operation_budgets(self, limit: int) -> int:
        async with self._units_of_work.writing_everywhere() as unit:
            forgotten = await unit.operation_budgets.forget(self._clock() - CALL_BUDGETS_KEPT, limit)
            await unit.commit()
        return forgotten

    async def _forget_invitations(self, limit: int) -> int:
        async with self._units_of_work.writing_everywhere() as unit:
            forgotten = await unit.invitations.forget(self._clock() - INVITATIONS_KEPT, limit)
            await unit.commit()
        return forgotten

    async def _forget_idempotency_keys(self, limit: int) -> int:
        async with self._units_of_work.writing_everywhere() as unit:
            forgotten = await unit.idempotency_keys.forget(self._clock() - IDEMPOTENCY_KEYS_KEPT, limit)
            await unit.commit()
        return forgotten


async def in_batches(forget: Callable[[int], Awaitable[int]], size: int = BATCH) -> None:
    """Until a batch isn't full."""
    while await forget(size) == size:
        pass
