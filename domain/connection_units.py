"""Units of work around one connection: begun for a viewer who may, ended with the connection and its events saved.

Used by ServiceConnectionManager and ScheduledChecks.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from domain.authorization import authorize_connection
from domain.entities.credential import ServiceCredential
from domain.entities.event import Actor, ConnectionEventType, EventDraft
from domain.entities.service_connection import ServiceConnection
from domain.entities.user import Action, Viewer
from domain.errors import NotFound
from domain.ports import UnitOfWork, UnitsOfWork

_FINDINGS = {
    ConnectionEventType.HEALTH_CHECKED,
    ConnectionEventType.HEALTH_CHANGED,
    ConnectionEventType.REPOSITORIES_SYNCED,
    ConnectionEventType.COMMAND_RUN,
}
"""Findings come every few minutes. They leave the version, or nobody could hold one long enough to decide on it."""


class ConnectionUnits:
    """Begins them. A connection that isn't there, or isn't the viewer's to see, raises the same NotFound."""

    def __init__(self, units_of_work: UnitsOfWork) -> None:
        self._units_of_work = units_of_work

    @asynccontextmanager
    async def reading(
        self, viewer: Viewer, connection_id: UUID, action: Action
    ) -> AsyncIterator[tuple[UnitOfWork, ServiceConnection]]:
        """A unit that only looks, and the connection."""
        organization_id = await self._owner(viewer, connection_id, action)
        async with self._units_of_work.reading(organization_id) as unit:
            connection = await unit.connections.find(connection_id)
            if connection is None:
                raise NotFound.connection()
            yield unit, connection

    @asynccontextmanager
    async def writing(
        self, viewer: Viewer, connection_id: UUID, action: Action, *, expected_version: int | None = None
    ) -> AsyncIterator[tuple[UnitOfWork, ServiceConnection]]:
        """A unit that holds the connection against other writers. Raises VersionConflict if it isn't as expected."""
        organization_id = await self._owner(viewer, connection_id, action)
        async with self._units_of_work.writing(organization_id) as unit:
            connection = await unit.connections.get(connection_id)
            connection.expect(expected_version)
            yield unit, connection

    async def _owner(self, viewer: Viewer, connection_id: UUID, action: Action) -> UUID:
        async with self._units_of_work.reading_for(viewer) as unit:
            return await authorize_connection(unit, viewer, connection_id, action)


async def credential_of(unit: UnitOfWork, connection: ServiceConnection) -> ServiceCredential:
    """The connection's credential. It goes only together with the connection: raises NotFound."""
    credential = await unit.credentials.find(connection.id)
    if credential is None:
        raise NotFound.connection()
    return credential


async def save(unit: UnitOfWork, viewer: Viewer, connection: ServiceConnection, events: Sequence[EventDraft]) -> None:
    """Store the connection with what has happened to it, and commit. Does nothing where nothing has happened."""
    if events:
        await save_findings(unit, connection, events, Actor.of(viewer))
        await unit.commit()


async def save_findings(
    unit: UnitOfWork, connection: ServiceConnection, events: Sequence[EventDraft], actor: Actor
) -> None:
    """Store it with what has happened to it, or with what was found where that is nothing to tell of."""
    await unit.connections.save(connection, keep_version=all(event.type in _FINDINGS for event in events))
    await share_wait(unit, connection)
    await unit.events.append(events, actor)


async def share_wait(unit: UnitOfWork, connection: ServiceConnection) -> None:
    """Where the service has said that it takes no calls, let that be so for all connections of the same account."""
    limit, account = connection.rate_limit, connection.external_account
    if limit is not None and limit.blocked_until is not None and account is not None:
        await unit.call_budgets.block(connection.service, account.id, limit.blocked_until)
