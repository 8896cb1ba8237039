"""CredentialRefresher: keeps credentials that end alive, ahead of their end and where a service refuses one.

Called by the runner, by ServiceConnectionManager and by whatever calls services with stored credentials. How a single
refresh goes, against other processes and crashes, is in `domain/refresh_flight.py`.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from domain.call_budget import may_call
from domain.call_budgets import CallBudgets, budget_key
from domain.credential_schedule import refresh_at, refreshable_from
from domain.credential_secrets import CredentialSecret
from domain.credential_vault import CredentialVault
from domain.entities.credential import ServiceCredential
from domain.entities.event import SCHEDULER, Actor
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task
from domain.errors import CredentialUnreadable, NotFound
from domain.measurements import NO_MEASUREMENTS, Measurements
from domain.own_work import begin_own_work
from domain.ports import UnitOfWork, UnitsOfWork
from domain.refresh_flight import LEASE, RefreshFlight
from domain.refresh_outcome import NotRefreshable, Refreshed, RefreshFailed, RefreshOutcome
from domain.refresh_refusal import ENDED
from domain.service_board import AGAIN_AFTER_SECONDS, ServiceBoard
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import FaultKind, ServiceFault
from domain.task_outcome import Again, Ended, Failed, TaskOutcome

CLOSING_SECONDS: Final = 11.5
"""For a refresh that has begun: longer than its call takes, since what the service answers is given only once.

With the time of requests and of the runner's work before it, it makes less than the 20 seconds of a shutdown.
"""

Answer = TypeVar("Answer")
_REFUSALS: Final = {FaultKind.CREDENTIAL_REFUSED}
_log: Final = logging.getLogger(__name__)


class CredentialRefresher:
    """One a process. A refresh that has begun goes on if its caller goes away; `aclose` waits for it."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        vault: CredentialVault,
        clock: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
        *,
        lease: timedelta = LEASE,
        board: ServiceBoard | None = None,
        budgets: CallBudgets | None = None,
        measurements: Measurements = NO_MEASUREMENTS,
    ) -> None:
        """`board`: the services that are down, which aren't called. `budgets`: what all may call."""
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._vault = vault
        self._clock = clock
        self._chance = chance
        self._lease = lease
        self._board = board or ServiceBoard(units_of_work)
        self._budgets = budgets or CallBudgets(units_of_work, catalogue, clock)
        self._measurements = measurements
        self._flights: dict[UUID, asyncio.Task[RefreshOutcome]] = {}

    async def refresh(
        self,
        organization_id: UUID,
        connection_id: UUID,
        *,
        seen_generation: int | None = None,
        actor: Actor = SCHEDULER,
    ) -> RefreshOutcome:
        """Refresh a connection's credential, or wait for whoever does already, in this process or another.

        With `seen_generation` (the one that the service refused), a newer one is the answer as it is. Raises NotFound,
        CredentialUnreadable and ServiceUnavailable.
        """
        while True:
            flight = self._flights.get(connection_id)
            if flight is None or flight.done():
                flight = self._start(organization_id, connection_id, seen_generation, actor)
            outcome = await asyncio.shield(flight)
            # One that was joined late may have ended with the very credential that has been refused since.
            if not isinstance(outcome, Refreshed) or seen_generation is None or outcome.generation > seen_generation:
                return outcome

    async def call(
        self,
        organization_id: UUID,
        connection_id: UUID,
        call: Callable[[CredentialSecret], Awaitable[Answer | ServiceFault]],
        *,
        actor: Actor = SCHEDULER,
        although_down: bool = False,
    ) -> Answer | ServiceFault:
        """Call a service with a connection's secret; where it is refused, refresh it and call once more.

        Where refreshing fails, the fault is that of the refresh: UNREACHABLE, say, speaks against no credential. Calls
        nobody while the service has said that it takes no calls or is down, the latter unless `although_down`. Raises
        as `refresh` does.
        """
        async with self._units_of_work.reading(organization_id) as unit:
            connection, credential = await _stored(unit, connection_id)
        limited = may_call(connection.service, connection.rate_limit, self._clock())
        if limited is None:
            service = self._catalogue.get_connected(connection.service)
            limited = await self._budgets.take(budget_key(service, connection.external_account))
        if limited is not None:
            return limited
        down = None if although_down else self._board.fault(connection.service)
        if down is not None:
            return down
        secret = self._vault.open(credential)
        if isinstance(secret, CredentialUnreadable):
            raise secret
        answer, _ = await self.call_opened(credential, secret, call, actor=actor)
        return answer

    async def call_opened(
        self,
        credential: ServiceCredential,
        secret: CredentialSecret,
        call: Callable[[CredentialSecret], Awaitable[Answer | ServiceFault]],
        *,
        actor: Actor = SCHEDULER,
    ) -> tuple[Answer | ServiceFault, int]:
        """The same for one that has been read and opened; also tells the generation that the answer is about."""
        answer = await call(secret)
        if not (credential.refreshable and isinstance(answer, ServiceFault) and answer.kind in _REFUSALS):
            return answer, credential.generation
        match await self.refresh(
            credential.organization_id, credential.connection_id, seen_generation=credential.generation, actor=actor
        ):
            case Refreshed() as refreshed:
                return await call(refreshed.secret), refreshed.generation
            case RefreshFailed() as failed:
                return failed.fault, credential.generation
            case NotRefreshable():
                return answer, credential.generation

    async def refresh_due(self, task: Task) -> TaskOutcome:
        """For tasks of the kind REFRESH_CREDENTIAL. Storing the new credential puts the next one."""
        if task.organization_id is None:
            raise AssertionError("a credential is an organization's")
        async with self._units_of_work.reading(task.organization_id) as unit:
            connection, credential = await _stored(unit, task.subject_id)
        now, due_from = self._clock(), refreshable_from(credential)
        if due_from is None or connection.status in ENDED:
            return Ended()
        if self._board.fault(connection.service) is not None:
            return Failed(now + timedelta(seconds=AGAIN_AFTER_SECONDS))
        if due_from > now:
            return Again(refresh_at(credential, self._chance) or due_from)  # it was refreshed on demand
        outcome = await self.refresh(
            connection.organization_id, connection.id, seen_generation=credential.generation, actor=SCHEDULER
        )
        if isinstance(outcome, RefreshFailed) and not outcome.ended:
            return Failed(outcome.not_before)
        return Ended()

    async def aclose(self) -> None:
        """Wait for the refreshes that have begun: a new token that isn't stored is lost."""
        if not self._flights:
            return
        flights = dict(self._flights)
        _, left = await asyncio.wait(flights.values(), timeout=CLOSING_SECONDS)
        for connection_id, flight in flights.items():
            if flight in left:
                _log.error("The refresh of %s is cut off. Its connection may have to be reconnected.", connection_id)
                flight.cancel()
        if left:
            await asyncio.wait(left)

    def _start(
        self, organization_id: UUID, connection_id: UUID, seen_generation: int | None, actor: Actor
    ) -> asyncio.Task[RefreshOutcome]:
        flight = RefreshFlight(
            self._units_of_work,
            self._catalogue,
            self._vault,
            self._clock,
            self._chance,
            organization_id=organization_id,
            connection_id=connection_id,
            actor=actor,
            lease=self._lease,
            measurements=self._measurements,
        )
        flying = begin_own_work(flight.fly(seen_generation), f"refresh of {connection_id}")
        self._flights[connection_id] = flying
        flying.add_done_callback(lambda ended: self._landed(connection_id, ended))
        return flying

    def _landed(self, connection_id: UUID, flight: asyncio.Task[RefreshOutcome]) -> None:
        if self._flights.get(connection_id) is flight:
            del self._flights[connection_id]
        if not flight.cancelled():
            flight.exception()  # its callers are told; if they have gone away, nobody has to be


async def _stored(unit: UnitOfWork, connection_id: UUID) -> tuple[ServiceConnection, ServiceCredential]:
    connection = await unit.connections.find(connection_id)
    credential = None if connection is None else await unit.credentials.find(connection_id)
    if connection is None or credential is None:
        raise NotFound.connection()
    return connection, credential
