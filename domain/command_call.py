"""CommandCall: the calls of one run, alone among all processes, and what came of them. Made by CommandRuns.

The run is leased and committed before; the service is called with no transaction open; then the run, its event, its
audit record and what it tells of the connection are stored in one. Whoever has lost the lease stores nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.command_admission import Known
from domain.command_failures import (
    CONNECTION_GONE,
    DATABASE_AWAY,
    broken_here,
    error_of,
    timed_out,
)
from domain.command_record import find_connection, record_run
from domain.connection_units import credential_of
from domain.credential_refresh import CredentialRefresher
from domain.credential_secrets import CredentialSecret
from domain.credential_vault import CredentialVault
from domain.entities.command_run import CommandRun, CommandRunStatus
from domain.entities.health import Remedy
from domain.errors import CredentialUnreadable, LeaseLost, NotFound, ServiceUnavailable
from domain.measurements import Measurements
from domain.ports import UnitsOfWork
from domain.refresh_outcome import Refreshed, RefreshFailed
from domain.service_failures import CREDENTIAL_UNREADABLE
from domain.services.commands import Command, CommandResult
from domain.services.service_fault import FaultKind, ServiceFault

MOST_ATTEMPTS: Final = 3
"""Of what is repeatable; anything else is called for once."""
LONGEST_PAUSE_SECONDS: Final = 5.0
"""Between two attempts. A service that wants a longer one is left alone, and the run fails."""
FIRST_PAUSE_SECONDS: Final = 0.5
STORE_AGAIN_SECONDS: Final = 0.5
ENDS_NOW: Final = timedelta(seconds=5)
"""A token that ends within this is refreshed before the call."""

_MAY_PASS: Final = {FaultKind.UNREACHABLE, FaultKind.SERVICE_ERROR, FaultKind.RATE_LIMITED}
_log: Final = logging.getLogger(__name__)

Answer = CommandResult | ServiceFault


@dataclass(frozen=True, slots=True)
class CallTimes:
    """`seconds`: for one call; `long_seconds`: of a long-running command. `around`: what else an attempt may take."""

    seconds: float = 20.0
    long_seconds: float = 120.0
    around: timedelta = timedelta(seconds=45)

    def patience(self, command: Command) -> float:
        """How long one call is waited for."""
        return self.long_seconds if command.long_running else self.seconds

    def lease(self, command: Command) -> timedelta:
        """More than an attempt takes: two calls, with a refresh between them."""
        return 2 * timedelta(seconds=self.patience(command)) + self.around


class CommandCall:
    """Made once for each beginning of a run."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        refresher: CredentialRefresher,
        vault: CredentialVault,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
        *,
        times: CallTimes,
        measurements: Measurements,
        known: Known,
        run: CommandRun,
        lease: UUID,
    ) -> None:
        """`run`: as it was committed when it began."""
        self._units_of_work = units_of_work
        self._refresher = refresher
        self._vault = vault
        self._clock = clock
        self._chance = chance
        self._times = times
        self._measurements = measurements
        self._known = known
        self._run = run
        self._lease = lease

    async def make(self) -> None:
        """Call, and store what comes of it. Where the lease is lost meanwhile, somebody else knows better."""
        started, run = time.perf_counter(), self._run
        try:
            answer, asked_at = await self._call()
            status = await self._store(answer, asked_at)
        except LeaseLost:
            self._measurements.lease_lost("COMMAND_RUN")
            _log.warning("The run %s of %s was taken over: its lease had ended.", run.id, run.command)
            return
        seconds = time.perf_counter() - started
        self._measurements.command_run(self._known.service.id, run.command, status.value, seconds)
        _log.info("%s through %s is %s (run %s).", run.command, run.connection_id, status, run.id)

    async def withdraw(self, why: ServiceFault) -> None:
        """End the run without a call, if its beginning was kept at all: whoever began it couldn't be told."""
        with suppress(NotFound, LeaseLost):
            await self._store(why, self._clock())

    async def _call(self) -> tuple[Answer, datetime]:
        """What the service says in the end, and when it was asked for that."""
        first, attempts = True, self._run.attempts
        unsure = self._run.mutating and attempts > 1  # of the call of somebody who never told
        while True:
            asked_at = self._clock()
            answer = await self._attempt(first)
            if isinstance(answer, ServiceFault) and unsure:
                answer = replace(answer, may_have_happened=True)  # earlier, though not by this call
            pause_seconds = self._pause(answer, attempts)
            if pause_seconds is None:
                return answer, asked_at
            unsure = isinstance(answer, ServiceFault) and answer.may_have_happened
            await asyncio.sleep(pause_seconds)
            await self._begin_again()
            first, attempts = False, attempts + 1

    async def _attempt(self, first: bool) -> Answer:
        """One call, or two where the credential has to be refreshed between them. Only the first is paid for."""
        run = self._run
        try:
            if first:
                return await self._first_call()
            return await self._refresher.call(run.organization_id, run.connection_id, self._ask, actor=run.actor)
        except CredentialUnreadable:
            return CREDENTIAL_UNREADABLE
        except NotFound:
            return CONNECTION_GONE
        except ServiceUnavailable:  # never after a call that may have done something
            return DATABASE_AWAY

    async def _first_call(self) -> Answer:
        run = self._run
        async with self._units_of_work.reading(run.organization_id) as unit:
            connection = await find_connection(unit, run.connection_id)
            if connection is None:
                return CONNECTION_GONE
            credential = await credential_of(unit, connection)
        ends_at = credential.expires_at
        if credential.refreshable and ends_at is not None and ends_at <= self._clock() + ENDS_NOW:
            refreshed = await self._refresher.refresh(
                run.organization_id, run.connection_id, seen_generation=credential.generation, actor=run.actor
            )
            if isinstance(refreshed, RefreshFailed):
                return refreshed.fault
            if isinstance(refreshed, Refreshed):
                newer = replace(credential, generation=refreshed.generation)
                answer, _ = await self._refresher.call_opened(newer, refreshed.secret, self._ask, actor=run.actor)
                return answer
        secret = self._vault.open(credential)
        if isinstance(secret, CredentialUnreadable):
            raise secret
        answer, _ = await self._refresher.call_opened(credential, secret, self._ask, actor=run.actor)
        return answer

    async def _ask(self, secret: CredentialSecret) -> Answer:
        command = self._known.command
        seconds = self._times.patience(command)
        try:
            async with asyncio.timeout(seconds):
                return await self._known.commands.run(command, secret, self._run.arguments)
        except TimeoutError:
            return timed_out(command, seconds)
        except Exception:  # noqa: BLE001 - the call may have been made, so that the run mustn't be left without a word
            _log.exception("Running %s has failed by a mistake of ours (run %s).", command.id, self._run.id)
            return broken_here(command)

    def _pause(self, answer: Answer, attempts: int) -> float | None:
        """How long to wait before another attempt; None where there is to be none."""
        if isinstance(answer, CommandResult) or not self._run.repeatable or attempts >= MOST_ATTEMPTS:
            return None
        if answer.kind not in _MAY_PASS or answer.remedy is not Remedy.WAIT:
            return None
        if answer.retry_after_seconds is not None:
            wanted = float(answer.retry_after_seconds)
            return wanted * (1 + 0.1 * self._chance()) if wanted <= LONGEST_PAUSE_SECONDS else None
        return FIRST_PAUSE_SECONDS * (1 << attempts) * self._chance()

    async def _begin_again(self) -> None:
        """Note the attempt before it is made. Raises LeaseLost."""
        while True:
            try:
                async with self._units_of_work.writing(self._run.organization_id) as unit:
                    run = await unit.command_runs.get(self._run.id)
                    if run.lease != self._lease or run.status is not CommandRunStatus.RUNNING:
                        raise LeaseLost
                    run.attempt_again(self._clock() + self._times.lease(self._known.command))
                    await unit.command_runs.save(run)
                    await unit.commit()
            except ServiceUnavailable:
                await asyncio.sleep(STORE_AGAIN_SECONDS)
            else:
                return

    async def _store(self, answer: Answer, asked_at: datetime) -> CommandRunStatus:
        """Keep it, however long the database is away: it is known here alone. Raises LeaseLost."""
        while True:
            try:
                return await self._store_now(answer, asked_at)
            except ServiceUnavailable:
                _log.warning("What came of the run %s waits for the database.", self._run.id)
                await asyncio.sleep(STORE_AGAIN_SECONDS)

    async def _store_now(self, answer: Answer, asked_at: datetime) -> CommandRunStatus:
        async with self._units_of_work.writing(self._run.organization_id) as unit:
            connection = await find_connection(unit, self._run.connection_id)
            run, now = await unit.command_runs.get(self._run.id), self._clock()
            unknown = isinstance(answer, ServiceFault) and answer.may_have_happened
            if run.lease != self._lease:
                if run.finished and run.lease is None:
                    return run.status  # stored by us, and we weren't told
                raise LeaseLost
            if run.status is CommandRunStatus.UNKNOWN and unknown:
                return run.status
            if isinstance(answer, CommandResult):
                run.succeed(answer.data, answer.url, now)
            elif unknown:
                run.lose_sight(error_of(answer), now)
            else:
                run.fail(error_of(answer), now)
            await record_run(unit, connection, run, answer, asked_at, now)
            await unit.commit()
        return run.status
