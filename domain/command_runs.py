"""CommandRuns: runs commands through connections, each once for its idempotency key, and keeps what came of them.

Called by the mutation runCommand and by the runner. A run is committed before the service is called, with a lease: a
process that ends in between leaves a run of which nobody knows what happened, and which is never repeated silently.
"""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from domain.authorization import authorize_command, may_still_run
from domain.command_admission import Carrier, CommandAdmission, Known
from domain.command_call import CallTimes
from domain.command_calls import CommandCalls
from domain.command_failures import (
    ASKER_GONE,
    ASKER_NOT_ALLOWED,
    COMMAND_GONE,
    CONNECTION_GONE,
    DATABASE_AWAY,
    error_of,
    refused,
)
from domain.command_record import find_connection
from domain.command_settlement import CommandSettlement
from domain.connection_units import credential_of
from domain.credential_refresh import CredentialRefresher
from domain.credential_vault import CredentialVault
from domain.entities.command_run import CommandRun, CommandRunStatus
from domain.entities.event import Actor
from domain.entities.health import Json, Remedy
from domain.entities.identifiers import new_id
from domain.entities.repository import Repository
from domain.entities.task import Task, TaskKind
from domain.entities.user import Viewer
from domain.errors import InvalidInput, NotFound, ServiceUnavailable
from domain.idempotency import IdempotentCall
from domain.measurements import NO_MEASUREMENTS, Measurements
from domain.ports import UnitsOfWork
from domain.services.service_fault import ServiceFault
from domain.task_outcome import Again, Ended, TaskOutcome

PATIENCE_SECONDS: Final = 8
"""How long a person waits for a run, more or less. It goes on without them."""
MOST_PATIENCE_SECONDS: Final = 25
QUEUED_AT_MOST: Final = timedelta(minutes=15)
"""How long a run waits for its turn where the service takes no calls. Then it fails."""
WAIT: Final = timedelta(seconds=60)
FIRST_PAUSE_SECONDS: Final = 0.02
LONGEST_PAUSE_SECONDS: Final = 0.5


class CommandRuns:
    """One a process. A run that has begun goes on if its caller goes away; `aclose` waits for it."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        admission: CommandAdmission,
        refresher: CredentialRefresher,
        vault: CredentialVault,
        clock: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
        *,
        times: CallTimes | None = None,
        measurements: Measurements = NO_MEASUREMENTS,
    ) -> None:
        self._units_of_work = units_of_work
        self._admission = admission
        self._clock = clock
        self._times = times or CallTimes()
        self._settlement = CommandSettlement(units_of_work, clock, measurements)
        self._calls = CommandCalls(
            units_of_work, refresher, vault, clock, chance, times=self._times, measurements=measurements
        )

    async def run(
        self,
        viewer: Viewer,
        connection_id: UUID,
        command_id: str,
        arguments: Json,
        *,
        repository_id: UUID | None = None,
        idempotency_key: str | None = None,
        wait_seconds: int = PATIENCE_SECONDS,
    ) -> CommandRun:
        """Run a command, and wait so long for its end. The same call with the same key gives the same run.

        Raises NotFound, Forbidden, InvalidInput, InvalidArguments, IdempotencyKeyReused, and CommandFailure where it
        can't be run now; then there is no run.
        """
        if not 0 <= wait_seconds <= MOST_PATIENCE_SECONDS:
            message = f"It is at least 0 and at most {MOST_PATIENCE_SECONDS}; it is {wait_seconds}."
            raise InvalidInput(message, ("input", "waitSeconds"))
        until_seconds, known = time.monotonic() + wait_seconds, self._admission.get(command_id)
        async with self._units_of_work.reading_for(viewer) as unit:
            organization_id = await authorize_command(unit, viewer, connection_id, known.command.least_role)
        call = IdempotentCall.of(
            viewer,
            "runCommand",
            idempotency_key,
            connection=str(connection_id),
            command=command_id,
            arguments=arguments,
            repository=None if repository_id is None else str(repository_id),
        )
        earlier = await self._earlier(organization_id, call)
        if earlier is not None:
            return await self._come(organization_id, earlier, until_seconds)
        carrier = await self._carrier(organization_id, connection_id)
        if carrier is None:
            raise NotFound.connection()
        if carrier.connection.service != known.service.id:
            message = (
                f"This is a command of {known.service.name}, and the connection is to {carrier.connection.service}."
            )
            raise InvalidInput(message, ("input", "commandId"))
        repository = await self._repository(organization_id, connection_id, repository_id)
        wanted = self._admission.arguments(known.command, arguments, repository)
        refusal = await self._admission.admit(known, carrier)
        if refusal is not None:
            raise refused(known.service.id, refusal)
        run = CommandRun(
            id=new_id(),
            organization_id=organization_id,
            connection_id=connection_id,
            command=command_id,
            arguments=wanted,
            least_role=known.command.least_role,
            mutating=known.command.mutating,
            repeatable=known.command.repeatable,
            actor=Actor.of(viewer),
            created_at=self._clock(),
        )
        lease = None if known.command.long_running or wait_seconds == 0 else uuid4()
        try:
            claimed = await self._claim(known, run, call, lease)
        except (ServiceUnavailable, asyncio.CancelledError) as error:
            if lease is not None:  # it may have been kept all the same, and nobody will call for it
                why = DATABASE_AWAY if isinstance(error, ServiceUnavailable) else ASKER_GONE
                self._calls.withdraw(known, run, lease, why)
            raise
        if not claimed:
            run_id = await self._earlier(organization_id, call)
            if run_id is None:
                raise AssertionError("an idempotency key is taken by whoever has committed a run")
            return await self._come(organization_id, run_id, until_seconds)
        if lease is not None:
            calling = self._calls.start(known, run, lease)
            await asyncio.wait([calling], timeout=max(0.0, until_seconds - time.monotonic()))
        return await self._come(organization_id, run.id, until_seconds)

    async def run_due(self, task: Task) -> TaskOutcome:
        """For tasks of the kind RUN_COMMAND: the calls of a run that waits for its turn."""
        if task.organization_id is None:
            raise AssertionError("a run is an organization's")
        run = await self._known(task.organization_id, task.subject_id)
        if run.status is CommandRunStatus.RUNNING:
            run = await self._settlement.settle(task.organization_id, run.id)
        if run.finished:
            return Ended()
        if run.status is CommandRunStatus.RUNNING:
            return Again(run.leased_until or self._clock())
        known = self._admission.find(run.command)
        refusal = COMMAND_GONE if known is None else await self._refusal(known, run)
        if refusal is not None or known is None:
            return await self._put_off(run, refusal or COMMAND_GONE)
        lease = uuid4()
        if not await self._begin(known, run, lease):
            return Again(self._clock())
        await asyncio.shield(self._calls.start(known, run, lease))
        return Ended()

    async def aclose(self) -> None:
        """Wait for the calls that have begun."""
        await self._calls.aclose()

    async def _earlier(self, organization_id: UUID, call: IdempotentCall) -> UUID | None:
        async with self._units_of_work.reading(organization_id) as unit:
            return await call.earlier_result(unit)

    async def _carrier(self, organization_id: UUID, connection_id: UUID) -> Carrier | None:
        async with self._units_of_work.reading(organization_id) as unit:
            connection = await find_connection(unit, connection_id)
            credential = None if connection is None else await unit.credentials.find(connection_id)
        # It may be deleted between the two: then nobody may take that for the end of a run's turn.
        return None if connection is None or credential is None else Carrier(connection, credential)

    async def _refusal(self, known: Known, run: CommandRun) -> ServiceFault | None:
        """Why a run whose turn has come can't be made: much may have changed since it was asked for."""
        carrier = await self._carrier(run.organization_id, run.connection_id)
        if carrier is None:
            return CONNECTION_GONE
        async with self._units_of_work.reading_everywhere() as unit:
            least_role, now = known.command.least_role, self._clock()
            if not await may_still_run(unit, run.actor, run.connection_id, least_role, now):
                return ASKER_NOT_ALLOWED
        return await self._admission.admit(known, carrier)

    async def _repository(
        self, organization_id: UUID, connection_id: UUID, repository_id: UUID | None
    ) -> Repository | None:
        """One of the connection's. Raises NotFound."""
        if repository_id is None:
            return None
        async with self._units_of_work.reading(organization_id) as unit:
            repository = await unit.repositories.get(repository_id)
        if repository.connection_id != connection_id:
            raise NotFound.repository()
        return repository

    async def _claim(self, known: Known, run: CommandRun, call: IdempotentCall, lease: UUID | None) -> bool:
        """Commit the run before anything is done for it, begun by a lease or else queued. False: the key is taken."""
        async with self._units_of_work.writing(run.organization_id) as unit:
            connection = await find_connection(unit, run.connection_id)
            if connection is None:
                raise NotFound.connection()
            refusal = self._admission.refusal(known, Carrier(connection, await credential_of(unit, connection)))
            if refusal is not None:  # by what has happened in this very moment
                raise refused(known.service.id, refusal)
            now = self._clock()
            if not await call.claim(unit, run.organization_id, run.id, now):
                return False
            if lease is None:
                await unit.tasks.put(Task(new_id(), TaskKind.RUN_COMMAND, run.id, run.organization_id, now))
            else:
                run.begin(lease, now, now + self._times.lease(known.command))
            await unit.command_runs.add(run)
            await unit.commit()
        return True

    async def _begin(self, known: Known, run: CommandRun, lease: UUID) -> bool:
        """Lease a run that waits; False where somebody else has."""
        async with self._units_of_work.writing(run.organization_id) as unit:
            current, now = await unit.command_runs.get(run.id), self._clock()
            if current.status is not CommandRunStatus.QUEUED:
                return False
            for each in (current, run):
                each.begin(lease, now, now + self._times.lease(known.command))
            await unit.command_runs.save(current)
            await unit.commit()
        return True

    async def _come(self, organization_id: UUID, run_id: UUID, until_seconds: float) -> CommandRun:
        """The run, as soon as it has ended or there is no more patience for it, whoever runs it."""
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            run = await self._known(organization_id, run_id)
            if run.abandoned_at(self._clock()):
                run = await self._settlement.settle(organization_id, run_id)
            if run.finished or time.monotonic() >= until_seconds:
                return run
            await asyncio.sleep(min(pause_seconds, max(0.0, until_seconds - time.monotonic())))
            pause_seconds = min(LONGEST_PAUSE_SECONDS, pause_seconds * 2)

    async def _known(self, organization_id: UUID, run_id: UUID) -> CommandRun:
        async with self._units_of_work.reading(organization_id) as unit:
            return await unit.command_runs.get(run_id)

    async def _put_off(self, run: CommandRun, refusal: ServiceFault) -> TaskOutcome:
        """Have the run wait where waiting helps and it hasn't for long; else it fails, and nobody was called."""
        now, latest = self._clock(), run.created_at + QUEUED_AT_MOST
        if refusal.remedy is Remedy.WAIT and now < latest:
            seconds = refusal.retry_after_seconds
            return Again(min(latest, now + (WAIT if seconds is None else timedelta(seconds=seconds))))
        await self._settlement.fail(run, error_of(refusal))
        return Ended()
