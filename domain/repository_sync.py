"""RepositorySync: keeps a connection's repositories as they are at the service, listing them page by page.

Called by RepositoryManager for a person and by the periodic work. Each page is stored in a unit of work of its own,
together with how far the listing has come: whoever comes next goes on from there, after a crash, too. Several at once
work on the same listing; a page counts for the first who stores it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.connection_units import save_findings
from domain.credential_refresh import CredentialRefresher
from domain.credential_secrets import CredentialSecret
from domain.entities.event import SCHEDULER, Actor
from domain.entities.health import HealthCheckTrigger, Remedy
from domain.entities.repository_sync import RepositorySyncState, SyncedPage
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task
from domain.errors import CredentialUnreadable, InvalidInput, ServiceFailure
from domain.ports import UnitOfWork, UnitsOfWork
from domain.repository_pages import apply_page, confirm_page, unseen
from domain.repository_sync_outcome import SyncReport, SyncStopped
from domain.service_failures import CREDENTIAL_UNREADABLE
from domain.services.base import Service
from domain.services.catalogue import ServiceCatalogue
from domain.services.repository_listing import PageUnchanged, RepositoryListing, RepositoryPage
from domain.services.service_fault import FaultKind, ServiceFault
from domain.task_outcome import Again, Ended, Failed, TaskOutcome
from domain.use_evidence import record_fault, record_success

MOST_CONFIRMATIONS: Final = 2
"""How often a listing is repeated at once, because something may have been missed. Then the next sync decides."""

TURN_SECONDS: Final = 20.0
"""After which a sync gives its place to others that wait. A page that was asked for by then is still taken."""

PageAnswer = RepositoryPage | PageUnchanged | ServiceFault


@dataclass(frozen=True, slots=True)
class _Stage:
    """How far a sync has come. `confirmations`: how often this run has begun to list anew in order to be certain."""

    connection: ServiceConnection
    state: RepositorySyncState
    confirmations: int = 0
    ended: SyncReport | None = None

    @property
    def report(self) -> SyncReport:
        return SyncReport(self.state.added, self.state.updated, 0, self.state.unchanged)


class RepositorySync:
    """Lists, compares and keeps. No transaction is open while a service is asked."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        refresher: CredentialRefresher,
        clock: Callable[[], datetime],
        *,
        turn_seconds: float = TURN_SECONDS,
    ) -> None:
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._refresher = refresher
        self._clock = clock
        self._turn_seconds = turn_seconds

    async def run(
        self, organization_id: UUID, connection_id: UUID, actor: Actor, *, since: datetime, seconds: float
    ) -> SyncReport | SyncStopped:
        """Sync until a listing is complete that began at `since` or later, for about so many seconds.

        At least one page is asked for. Raises NotFound, InvalidInput for a service without repositories, and
        ServiceFailure for one that this server no longer has.
        """
        ends_at, earlier = time.monotonic() + seconds, SyncReport()
        stage = await self._begin(organization_id, connection_id)
        service = self._catalogue.get_connected(stage.connection.service)
        listing = self._listing(service)
        while True:
            asked_at = self._clock()
            answer = await self._ask(listing, stage, actor)
            if isinstance(answer, ServiceFault):
                await self._learn(stage.connection, answer, asked_at, actor)
                return SyncStopped(service, answer, stage.report.after(earlier))
            began_at = stage.state.started_at
            stage = await self._store(stage, answer, asked_at, actor)
            if stage.ended is not None:
                earlier = stage.ended.after(earlier)
                if began_at is not None and began_at >= since:
                    return earlier
            if stage.state.started_at is None:
                stage = await self._begin(organization_id, connection_id)
            if time.monotonic() >= ends_at:
                return stage.report.after(earlier)

    async def sync_due(self, task: Task) -> TaskOutcome:
        """For tasks of the kind SYNC_REPOSITORIES. What takes longer than a turn goes on in the next one, which is due
        at once, after all that was due before.
        """
        if task.organization_id is None:
            raise AssertionError("a connection is an organization's")
        async with self._units_of_work.reading(task.organization_id) as unit:
            connection = await unit.connections.find(task.subject_id)
            wanted = await unit.repository_syncs.wanted(task.subject_id)
        if connection is None:
            return Ended()
        if not connection.checkable:
            return None
        since = wanted or task.due_at
        try:
            outcome = await self.run(
                task.organization_id, task.subject_id, SCHEDULER, since=since, seconds=self._turn_seconds
            )
        except InvalidInput:
            return Ended()
        except ServiceFailure:
            return None  # the operator may bring the service back
        if isinstance(outcome, SyncReport):
            return await self._turn_ended(connection, since, complete=outcome.complete)
        if outcome.fault.remedy is not Remedy.WAIT:
            return None
        again_at = self._clock() + outcome.wait
        return Again(again_at) if outcome.fault.kind is FaultKind.RATE_LIMITED else Failed(again_at)

    async def _turn_ended(self, connection: ServiceConnection, since: datetime, *, complete: bool) -> TaskOutcome:
        """`since` stays what it was through all turns: by each turn's own moment, the listing would begin anew."""
        async with self._units_of_work.writing(connection.organization_id) as unit:
            if complete:
                await unit.repository_syncs.satisfy(connection.id, since)
            else:
                await unit.repository_syncs.want(connection.id, since)
            await unit.commit()
        return None if complete else Again(self._clock())

    def _listing(self, service: Service) -> RepositoryListing:
        if service.repositories is None:
            raise InvalidInput(f"{service.name} has no repositories.", ("input", "connectionId"))
        return service.repositories

    async def _begin(self, organization_id: UUID, connection_id: UUID) -> _Stage:
        async with self._units_of_work.writing(organization_id) as unit:
            connection = await unit.connections.get(connection_id)
            self._listing(self._catalogue.get_connected(connection.service))
            state = await unit.repository_syncs.find(connection_id)
            state = state or RepositorySyncState(organization_id, connection_id)
            if state.begin(self._clock()):
                await unit.repository_syncs.save(state)
                await unit.commit()
        return _Stage(connection, state)

    async def _ask(self, listing: RepositoryListing, stage: _Stage, actor: Actor) -> PageAnswer:
        state = stage.state
        etag = None if state.known is None else state.known.etag

        async def call(secret: CredentialSecret) -> PageAnswer:
            return await listing.page(secret, state.at, etag)

        try:
            answer: PageAnswer = await self._refresher.call(
                state.organization_id, state.connection_id, call, actor=actor
            )
        except CredentialUnreadable:
            return CREDENTIAL_UNREADABLE
        places = {state.at, *(page.at for page in state.pages)}
        if isinstance(answer, RepositoryPage) and answer.next is not None and answer.next in places:
            return _endless(stage.connection)
        return answer

    async def _store(
        self, stage: _Stage, answer: RepositoryPage | PageUnchanged, asked_at: datetime, actor: Actor
    ) -> _Stage:
        """Keep a page, unless somebody else was faster; then theirs counts, and this one is forgotten."""
        asked = stage.state
        async with self._units_of_work.writing(asked.organization_id) as unit:
            connection = await unit.connections.get(asked.connection_id)
            if not await unit.repository_syncs.is_current(asked):
                state = await unit.repository_syncs.find(asked.connection_id)
                return replace(stage, connection=connection, state=state or _nothing_begun(asked), ended=None)
            stage = replace(stage, connection=connection, ended=None)
            await self._add_page(unit, asked, answer, asked_at)
            if asked.complete:
                stage = await self._complete(unit, stage)
                await unit.repository_syncs.save(asked)
            connection.learn_rate_limit(answer.rate_limit, self._clock())
            events = list(await record_success(unit, connection, asked_at, self._clock(), answer.rate_limit))
            await unit.credentials.mark_used(connection.id, asked_at)
            if stage.ended is not None:
                counts = stage.ended
                synced = connection.repositories_synced(
                    added=counts.added,
                    updated=counts.updated,
                    removed=counts.removed,
                    unchanged=counts.unchanged,
                    now=self._clock(),
                )
                events.append(synced)
            await save_findings(unit, connection, events, actor)
            await unit.commit()
        return stage

    async def _add_page(
        self, unit: UnitOfWork, state: RepositorySyncState, answer: RepositoryPage | PageUnchanged, asked_at: datetime
    ) -> None:
        moment = asked_at if state.started_at is None else max(asked_at, state.started_at)  # clocks differ
        if isinstance(answer, RepositoryPage):
            added, updated = await apply_page(unit, state, answer.repositories, moment)
            ids = tuple(remote.external_id for remote in answer.repositories)
            state.add(SyncedPage(state.at, answer.etag, answer.next, ids), added=added, updated=updated)
            await unit.repository_syncs.save_last_page(state)
            return
        if state.known is None:
            raise AssertionError("only a page that was asked for by its etag can be unchanged")
        if await confirm_page(unit, state, state.known.external_ids, moment):
            state.add(state.known, added=0, updated=0)
            await unit.repository_syncs.save_last_page(state)
        else:
            state.distrust()
            await unit.repository_syncs.save_distrust(state)

    async def _complete(self, unit: UnitOfWork, stage: _Stage) -> _Stage:
        """Remove what is gone for certain; where that isn't known, list once more."""
        state, now = stage.state, self._clock()
        gone = await unseen(unit, state)
        if gone and not state.certain:
            if stage.confirmations < MOST_CONFIRMATIONS:
                state.list_again(now)
                return replace(stage, confirmations=stage.confirmations + 1)
            gone = []
        await unit.repositories.remove([repository.id for repository in gone])
        state.end(now)
        return replace(stage, ended=replace(stage.report, removed=len(gone), complete=True))

    async def _learn(
        self, connection: ServiceConnection, fault: ServiceFault, asked_at: datetime, actor: Actor
    ) -> None:
        """Take what a fault says of the connection as evidence of its health, and of its quota."""
        if fault.latency_ms is None and fault.rate_limit is None:
            return  # nobody was asked
        async with self._units_of_work.writing(connection.organization_id) as unit:
            current, now = await unit.connections.get(connection.id), self._clock()
            current.learn_rate_limit(fault.rate_limit, now)
            events = await record_fault(unit, current, fault, asked_at, now)
            if fault.kind is FaultKind.SCOPE_MISSING:
                _log.warning("The repositories of %s can't be listed: %s.", connection.id, fault.code)
                current.check_soon(now, HealthCheckTrigger.USE)
            await save_findings(unit, current, events, actor)
            await unit.commit()


_log: Final = logging.getLogger(__name__)


def _nothing_begun(state: RepositorySyncState) -> RepositorySyncState:
    return RepositorySyncState(state.organization_id, state.connection_id)


def _endless(connection: ServiceConnection) -> ServiceFault:
    return ServiceFault(
        FaultKind.SERVICE_ERROR,
        f"{connection.service}_listing_without_end",
        "The pages of the service's list lead back to one another.",
        Remedy.WAIT,
    )
