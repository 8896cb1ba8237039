"""RepositoryManager: what members do to the repositories of a connection. Called by the mutations.

The syncing itself is RepositorySync's; here a person asks for it and doesn't wait for ever.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.authorization import authorize_repository
from domain.connection_units import ConnectionUnits, save
from domain.entities.audit import AuditAction, AuditRecord
from domain.entities.event import Actor
from domain.entities.identifiers import new_id
from domain.entities.repository import Repository
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task, TaskKind
from domain.entities.user import Action, Viewer
from domain.errors import InvalidInput
from domain.ports import UnitsOfWork
from domain.repository_sync import RepositorySync
from domain.repository_sync_outcome import SyncReport, SyncStopped
from domain.services.service_fault import FaultKind

PATIENCE_SECONDS: Final = 8.0
"""How long a person waits for a sync, a call to the service more or less. What is left is done after that."""


class RepositoryManager:
    """The use cases of repositories. Each raises NotFound and Forbidden, as those of connections do."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        sync: RepositorySync,
        clock: Callable[[], datetime],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._units_of_work = units_of_work
        self._connection_units = ConnectionUnits(units_of_work)
        self._sync = sync
        self._clock = clock
        self._patience_seconds = patience_seconds

    async def sync_repositories(self, viewer: Viewer, connection_id: UUID) -> SyncReport | SyncStopped:
        """Bring the connection's repositories up to date, as far as there is time; the runner does what is left.

        Raises InvalidInput for a service without repositories.
        """
        asked_at = self._clock()
        async with self._connection_units.reading(viewer, connection_id, Action.MANAGE_CONNECTIONS) as (_, connection):
            organization_id = connection.organization_id
            if not connection.checkable:
                message = f"The connection is {connection.status}: its service isn't asked before it is in use again."
                raise InvalidInput(message, ("input", "connectionId"))
        outcome = await self._sync.run(
            organization_id, connection_id, Actor.of(viewer), since=asked_at, seconds=self._patience_seconds
        )
        if isinstance(outcome, SyncStopped) or not outcome.complete:  # else the event of its end tells who asked
            again_at = _again_at(outcome, asked_at, self._clock())
            async with self._units_of_work.writing(organization_id) as unit:
                if again_at is not None:
                    task = Task(new_id(), TaskKind.SYNC_REPOSITORIES, connection_id, organization_id, again_at)
                    await unit.tasks.put(task)
                await unit.audit.add(_unfinished(viewer, connection, outcome, self._clock()))
                await unit.commit()
        return outcome

    async def update_repository(
        self, viewer: Viewer, repository_id: UUID, *, selected: bool, expected_version: int | None = None
    ) -> Repository:
        """Choose a repository to be used, or not to be. `expected_version` is its connection's: VersionConflict."""
        async with self._units_of_work.reading_for(viewer) as unit:
            organization_id = await authorize_repository(unit, viewer, repository_id, Action.MANAGE_CONNECTIONS)
        async with self._units_of_work.reading(organization_id) as unit:
            connection_id = (await unit.repositories.get(repository_id)).connection_id
        async with self._units_of_work.writing(organization_id) as unit:
            connection = await unit.connections.get(connection_id)  # first, as a sync locks them
            connection.expect(expected_version)
            repository = await unit.repositories.get(repository_id)
            if repository.selected is not selected:
                repository.selected = selected
                await unit.repositories.save(repository)
                chosen = connection.repository_selected(repository.full_name, selected, self._clock())
                await save(unit, viewer, connection, [chosen])
        return repository


def _unfinished(
    viewer: Viewer, connection: ServiceConnection, outcome: SyncReport | SyncStopped, now: datetime
) -> AuditRecord:
    report, failure = (outcome, None) if isinstance(outcome, SyncReport) else (outcome.report, outcome.fault.code)
    action = AuditAction.CONNECTION_REPOSITORIES_SYNCED
    counts = {"added": report.added, "updated": report.updated, "unchanged": report.unchanged}
    return AuditRecord.of_connection(viewer, connection, action, now, complete=False, failure=failure, **counts)


def _again_at(outcome: SyncReport | SyncStopped, asked_at: datetime, now: datetime) -> datetime | None:
    """When to go on, where that is known: at once, with a listing that is as new as was asked for, or after a limit."""
    if isinstance(outcome, SyncReport):
        return None if outcome.complete else asked_at
    return now + outcome.wait if outcome.fault.kind is FaultKind.RATE_LIMITED else None
