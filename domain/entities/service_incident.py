"""ServiceIncident: that a service itself is down, as opposed to a connection. Begun and ended by ServiceBreakers."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class ServiceStatus(StrEnum):
    """How a service is, for everybody."""

    OPERATIONAL = "OPERATIONAL"
    DOWN = "DOWN"


@dataclass(frozen=True, slots=True)
class ServiceIncident:
    """There is at most one that hasn't ended for each service on each host.

    `code` and `message` are of what most checks had found. While it lasts, one call asks at `next_probe_at` whether
    the service is back.
    """

    id: UUID
    service: str
    host: str
    code: str
    message: str
    started_at: datetime
    next_probe_at: datetime
    ended_at: datetime | None = None
