"""ServiceBoard: which services are down, as a process knows it. Kept current by `keep_current`, and by ServiceBreakers.

Read by everything that calls services with stored credentials, and by the interface: `Service.status`.
"""

import asyncio
import logging
from typing import Final

from domain.entities.health import Remedy
from domain.entities.service_incident import ServiceIncident
from domain.errors import ServiceUnavailable
from domain.ports import UnitsOfWork
from domain.services.service_fault import FaultKind, ServiceFault

EVERY_SECONDS: Final = 1.0
AGAIN_AFTER_SECONDS: Final = 60
"""What to tell those whose calls aren't made."""

_log: Final = logging.getLogger(__name__)


class ServiceBoard:
    """One a process."""

    def __init__(self, units_of_work: UnitsOfWork) -> None:
        self._units_of_work = units_of_work
        self._incidents: dict[str, ServiceIncident] = {}

    def incident(self, service_id: str) -> ServiceIncident | None:
        """The incident of a service that is down."""
        return self._incidents.get(service_id)

    def fault(self, service_id: str) -> ServiceFault | None:
        """The fault that a call would end with, which then needn't be made; None for a service that isn't down."""
        incident = self._incidents.get(service_id)
        if incident is None:
            return None
        return ServiceFault(
            FaultKind.UNREACHABLE,
            f"{service_id}_down",
            f"The service is down since {incident.started_at:%Y-%m-%d %H:%M} UTC, so it wasn't asked. "
            "Tether asks again by itself.",
            Remedy.WAIT,
            retry_after_seconds=AGAIN_AFTER_SECONDS,
        )

    async def refresh(self) -> None:
        """Learn of incidents that others have begun or ended. Raises ServiceUnavailable."""
        async with self._units_of_work.reading_everywhere() as unit:
            self._incidents = {incident.service: incident for incident in await unit.service_incidents.open()}

    async def keep_current(self) -> None:
        """Refresh it every second, until cancelled."""
        while True:
            try:
                await self.refresh()
            except ServiceUnavailable:
                _log.debug("The board of services waits for the database.")  # others say so
            except Exception:  # noqa: BLE001 - the next turn may do better
                _log.exception("The board of services couldn't be refreshed.")
            await asyncio.sleep(EVERY_SECONDS)
