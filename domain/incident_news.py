"""IncidentNews: tells each organization that has connections to a service that it is down, or back. Run by the runner.

One event an organization, however many connections it has: it names one of them, and how many there are.
"""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from domain.entities.event import Actor, ActorKind, ConnectionEventType, EventDraft
from domain.entities.health import Json
from domain.entities.identifiers import new_id
from domain.entities.service_incident import ServiceIncident, ServiceStatus
from domain.entities.task import Task, TaskKind
from domain.ports import UnitsOfWork
from domain.services.catalogue import ServiceCatalogue
from domain.task_outcome import Ended, TaskOutcome

ORGANIZATIONS_AT_ONCE: Final = 100


class IncidentNews:
    """Each organization is told in a unit of work of its own, and once: its event is named for the incident."""

    def __init__(self, units_of_work: UnitsOfWork, catalogue: ServiceCatalogue, clock: Callable[[], datetime]) -> None:
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._clock = clock

    async def tell_down(self, task: Task) -> TaskOutcome:
        """For tasks of the kind TELL_SERVICE_DOWN. What has ended meanwhile needn't be told."""
        incident = await self._find(task.subject_id)
        if incident is None or incident.ended_at is not None:
            return Ended()
        async for organization_id, connection_id, connections in self._affected(incident):
            if connections:
                await self._tell(incident, ServiceStatus.DOWN, organization_id, connection_id, connections)
        ended = await self._find(task.subject_id)
        if ended is not None and ended.ended_at is not None:  # those that heard of it last may have been left out
            async with self._units_of_work.writing_everywhere() as unit:
                await unit.tasks.put(Task(new_id(), TaskKind.TELL_SERVICE_BACK, ended.id, None, self._clock()))
                await unit.commit()
        return Ended()

    async def tell_back(self, task: Task) -> TaskOutcome:
        """For tasks of the kind TELL_SERVICE_BACK: whoever was told that it is down hears that it isn't any more."""
        incident = await self._find(task.subject_id)
        if incident is None:
            return Ended()
        async for organization_id, connection_id, connections in self._affected(incident):
            await self._tell(incident, ServiceStatus.OPERATIONAL, organization_id, connection_id, connections)
        return Ended()

    async def _find(self, incident_id: UUID) -> ServiceIncident | None:
        async with self._units_of_work.reading_everywhere() as unit:
            return await unit.service_incidents.find(incident_id)

    async def _affected(self, incident: ServiceIncident) -> AsyncIterator[tuple[UUID, UUID, int]]:
        after: UUID | None = None
        while True:
            async with self._units_of_work.reading_everywhere() as unit:
                page = await unit.service_incidents.affected(incident.service, after=after, limit=ORGANIZATIONS_AT_ONCE)
            for affected in page:
                yield affected
                after = affected[0]
            if len(page) < ORGANIZATIONS_AT_ONCE:
                return

    async def _tell(
        self,
        incident: ServiceIncident,
        status: ServiceStatus,
        organization_id: UUID,
        connection_id: UUID,
        connections: int,
    ) -> None:
        service = self._catalogue.find(incident.service)
        name = incident.service if service is None else service.name
        data: dict[str, Json] = {
            "service": incident.service,
            "status": status.value,
            "code": incident.code,
            "message": incident.message if status is ServiceStatus.DOWN else f"{name} answers again.",
            "startedAt": incident.started_at.isoformat(),
            "endedAt": None if incident.ended_at is None else incident.ended_at.isoformat(),
            "connections": connections,
        }
        async with self._units_of_work.writing(organization_id) as unit:
            event_id = _event_id(incident, status, organization_id)
            if await unit.events.has(event_id):
                return
            told_down = await unit.events.has(_event_id(incident, ServiceStatus.DOWN, organization_id))
            if status is ServiceStatus.OPERATIONAL and not told_down:
                return
            draft = EventDraft(
                ConnectionEventType.SERVICE_STATUS_CHANGED,
                organization_id,
                connection_id,
                self._clock(),
                data=data,
                id=event_id,
            )
            await unit.events.append([draft], Actor(ActorKind.SERVICE, name))
            await unit.commit()


def _event_id(incident: ServiceIncident, status: ServiceStatus, organization_id: UUID) -> UUID:
    return uuid5(incident.id, f"{status} {organization_id}")
