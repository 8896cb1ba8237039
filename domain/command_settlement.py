"""CommandSettlement: the end of runs that end without an answer. Used by CommandRuns and the runner.

Whoever calls for a run leaves a lease. Once that is over without a word, what is repeatable waits for another turn, and
nobody knows of anything else whether it was done.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.command_call import MOST_ATTEMPTS
from domain.command_failures import SIGHT_LOST, TRIED_OFTEN
from domain.command_record import find_connection, record_run
from domain.entities.command_run import CommandRun, CommandRunError, CommandRunStatus
from domain.entities.identifiers import new_id
from domain.entities.task import Task, TaskKind
from domain.measurements import NO_MEASUREMENTS, Measurements
from domain.ports import UnitsOfWork
from domain.task_outcome import TaskOutcome

SETTLED_AT_ONCE: Final = 100

_log: Final = logging.getLogger(__name__)


class CommandSettlement:
    """Stateless."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        clock: Callable[[], datetime],
        measurements: Measurements = NO_MEASUREMENTS,
    ) -> None:
        self._units_of_work = units_of_work
        self._clock = clock
        self._measurements = measurements

    async def settle_abandoned(self, task: Task) -> TaskOutcome:
        """For the task SETTLE_COMMAND_RUNS: see to the runs of which whoever called never told."""
        while True:
            async with self._units_of_work.reading_everywhere() as unit:
                found = await unit.command_run_history.abandoned(self._clock(), SETTLED_AT_ONCE)
            for organization_id, run_id in found:
                await self.settle(organization_id, run_id)
            if len(found) < SETTLED_AT_ONCE:
                return None

    async def settle(self, organization_id: UUID, run_id: UUID) -> CommandRun:
        """See to a run of which whoever called never told: it waits for another turn, or is UNKNOWN from now on."""
        async with self._units_of_work.writing(organization_id) as unit:
            seen = await unit.command_runs.find(run_id)  # without a lock: the connection's comes first, as everywhere
            connection = None if seen is None else await find_connection(unit, seen.connection_id)
            run, now = await unit.command_runs.get(run_id), self._clock()
            if not run.abandoned_at(now):
                return run
            if run.repeatable and run.attempts < MOST_ATTEMPTS:
                run.queue_again()
                await unit.command_runs.save(run)
                await unit.tasks.put(Task(new_id(), TaskKind.RUN_COMMAND, run.id, run.organization_id, now))
            else:
                run.lose_sight(TRIED_OFTEN if run.repeatable else SIGHT_LOST, now)
                await record_run(unit, connection, run, None, now, now)
            await unit.commit()
        if run.duration_ms is not None:
            service_id = run.command.partition(".")[0]
            self._measurements.command_run(service_id, run.command, run.status.value, run.duration_ms / 1_000)
        _log.warning("The run %s of %s was left by whoever called for it: it is %s.", run.id, run.command, run.status)
        return run

    async def fail(self, run: CommandRun, error: CommandRunError) -> None:
        """End a run that isn't called for any more, unless it isn't waiting."""
        async with self._units_of_work.writing(run.organization_id) as unit:
            connection = await find_connection(unit, run.connection_id)
            current, now = await unit.command_runs.get(run.id), self._clock()
            if current.status is CommandRunStatus.QUEUED:
                if current.mutating and current.attempts:  # somebody called before, and never told
                    current.lose_sight(SIGHT_LOST, now)
                else:
                    current.fail(error, now)
                await record_run(unit, connection, current, None, now, now)
                await unit.commit()
