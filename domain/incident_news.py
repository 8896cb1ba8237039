"""IncidentNews: tells each organization that has connections to a service that it is down, or back. Run by the runner.

One event an organization, however many connections it has: it names one of them, and how many there are.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from domain.entities.event import Actor, ActorKind, ConnectionEventType, EventDraft
from domain.entities.health import Json
from domain.entities.service_incident import ServiceIncident, ServiceStatus
from domain.entities.task import Task
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
        """For tasks of the kind TELL_SERVICE_DOWN."""
        return await self._tell(task.subject_id, ServiceStatus.DOWN)

    async def tell_back(self, task: Task) -> TaskOutcome:
        """For tasks of the kind TELL_SERVICE_BACK."""
        return await self._tell(task.subject_id, ServiceStatus.OPERATIONAL)

    async def _tell(self, incident_id: UUID, status: ServiceStatus) -> TaskOutcome:
        async with self._units_of_work.reading() as unit:
            incident = await unit.service_incidents.find(incident_id)
        if incident is None:
            return Ended()
        after: UUID | None = None
        while True:
            async with self._units_of_work.reading() as unit:
                affected = await unit.service_incidents.affected(
                    incident.service, after=after, limit=ORGANIZATIONS_AT_ONCE
                )
            for organization_id, connection_id, connections in affected:
                await self._tell_one(incident, status, organization_id, connection_id, connections)
                after = organization_id
            if len(affected) < ORGANIZATIONS_AT_ONCE:
                return Ended()

    async def _tell_one(
        self,
        incident: ServiceIncident,
        status: ServiceStatus,
        organization_id: UUID,
        connection_id: UUID,
        connections: int,
    ) -> None:
        service = self._catalogue.find(incident.service)
        name = incident.service if service is None else service.name
        event_id = uuid5(incident.id, f"{status} {organization_id}")
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
            if await unit.events.has(event_id):
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
