"""ConnectionCreation: the storing end of createConnection: a free name for each, and for equal calls one answer.

Used by ServiceConnectionManager; what it stores and how names are found, by AuthorizationCompletion too.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.authorization import authorize
from domain.entities.credential import ServiceCredential
from domain.entities.event import Actor, EventDraft
from domain.entities.health import HealthCheck
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task
from domain.entities.user import Action, Viewer
from domain.errors import InvalidInput, NameTaken
from domain.idempotency import IdempotentCall
from domain.ports import UnitOfWork, UnitsOfWork


@dataclass(frozen=True, slots=True)
class NewConnection:
    """All that comes to be together: the connection, its credential, its first check, and what that check did."""

    connection: ServiceConnection
    credential: ServiceCredential
    check: HealthCheck
    checked: Sequence[EventDraft]
    tasks: Sequence[Task]
    """What is to be done for it from now on."""

    async def store(self, unit: UnitOfWork, viewer: Viewer, *also: EventDraft) -> None:
        """The last thing in a unit before its commit; `also`: what else happened between creation and check."""
        await unit.connections.add(self.connection)
        await unit.credentials.add(self.credential)
        await unit.health_checks.add(self.check)
        for task in self.tasks:
            await unit.tasks.put_at(task)
        await unit.events.append([self.connection.created(), *also, *self.checked], Actor.of(viewer))


class ConnectionCreation:
    """Stores new connections. Raises NotFound or Forbidden for a viewer who may not create any there."""

    def __init__(self, units_of_work: UnitsOfWork) -> None:
        self._units_of_work = units_of_work

    async def earlier_answer(
        self, viewer: Viewer, organization_id: UUID, call: IdempotentCall
    ) -> ServiceConnection | None:
        """What this very call created before. Raises IdempotencyKeyReused."""
        async with self._units_of_work.reading(organization_id) as unit:
            await authorize(unit, viewer, organization_id, Action.MANAGE_CONNECTIONS)
            connection_id = await call.earlier_result(unit)
            return None if connection_id is None else await _created_before(unit, connection_id)

    async def add(
        self, viewer: Viewer, call: IdempotentCall, new: NewConnection, names: Iterator[str], now: datetime
    ) -> ServiceConnection:
        """Store it under the first of `names` that is free; or give what an equal call has created meanwhile.

        Raises NameTaken if none is free.
        """
        return await under_free_name(new.connection, names, lambda: self._store(viewer, call, new, now))

    async def _store(
        self, viewer: Viewer, call: IdempotentCall, new: NewConnection, now: datetime
    ) -> ServiceConnection:
        connection = new.connection
        async with self._units_of_work.writing(connection.organization_id) as unit:
            await authorize(unit, viewer, connection.organization_id, Action.MANAGE_CONNECTIONS)
            if not await call.claim(unit, connection.organization_id, connection.id, now):
                return await _created_before(unit, await call.earlier_result(unit))
            await new.store(unit, viewer)
            await unit.commit()
            return connection


async def under_free_name(
    connection: ServiceConnection, names: Iterator[str], store: Callable[[], Awaitable[ServiceConnection]]
) -> ServiceConnection:
    """What `store` gives for the first of `names` that is free. Raises NameTaken if none is."""
    connection.name = next(names)
    while True:
        try:
            return await store()
        except NameTaken:
            another = next(names, None)
            if another is None:
                raise
            connection.name = another


async def _created_before(unit: UnitOfWork, connection_id: UUID | None) -> ServiceConnection:
    connection = None if connection_id is None else await unit.connections.find(connection_id)
    if connection is None:
        raise InvalidInput(
            "The connection that was created with this idempotency key is deleted. Take a new key for a new one.",
            ("input", "idempotencyKey"),
        )
    return connection
