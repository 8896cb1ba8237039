"""CommandCalls: the calls of runs that have begun in this process. Each goes on if its caller goes away.

Made by CommandRuns, which starts them and, at its end, waits for them.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.command_admission import Known
from domain.command_call import CallTimes, CommandCall
from domain.credential_refresh import CredentialRefresher
from domain.credential_vault import CredentialVault
from domain.entities.command_run import CommandRun
from domain.measurements import Measurements
from domain.own_work import begin_own_work
from domain.ports import UnitsOfWork
from domain.services.service_fault import ServiceFault

CLOSING_SECONDS: Final = 11.0
"""For calls that have begun: a little more than one takes. The refresher, which they may need, closes meanwhile."""

_log: Final = logging.getLogger(__name__)


class CommandCalls:
    """One a process."""

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
    ) -> None:
        self._units_of_work = units_of_work
        self._refresher = refresher
        self._vault = vault
        self._clock = clock
        self._chance = chance
        self._times = times
        self._measurements = measurements
        self._calls: set[asyncio.Task[None]] = set()

    def start(self, known: Known, run: CommandRun, lease: UUID) -> asyncio.Task[None]:
        """Call the service for a run that is this lease's."""
        return self._keep(self._call(known, run, lease).make(), run)

    def withdraw(self, known: Known, run: CommandRun, lease: UUID, why: ServiceFault) -> None:
        """End a run that may have been kept, and for which nobody will call."""
        self._keep(self._call(known, run, lease).withdraw(why), run)

    async def aclose(self) -> None:
        """Wait for the calls that have begun: nobody knows what comes of one that is cut off."""
        if not self._calls:
            return
        calls = set(self._calls)
        _, left = await asyncio.wait(calls, timeout=CLOSING_SECONDS)
        for calling in left:
            _log.error("The %s is cut off. Nobody will know what came of it.", calling.get_name())
            calling.cancel()
        if left:
            await asyncio.wait(left)

    def _call(self, known: Known, run: CommandRun, lease: UUID) -> CommandCall:
        return CommandCall(
            self._units_of_work,
            self._refresher,
            self._vault,
            self._clock,
            self._chance,
            times=self._times,
            measurements=self._measurements,
            known=known,
            run=run,
            lease=lease,
        )

    def _keep(self, work: Coroutine[None, None, None], run: CommandRun) -> asyncio.Task[None]:
        calling = begin_own_work(work, f"run {run.id} of {run.command}")
        self._calls.add(calling)
        calling.add_done_callback(self._ended)
        return calling

    def _ended(self, calling: asyncio.Task[None]) -> None:
        self._calls.discard(calling)
        if not calling.cancelled() and (error := calling.exception()) is not None:
            _log.error("The %s has failed by a mistake of ours.", calling.get_name(), exc_info=error)
