"""DueCheck: a connection whose check is due, claimed for the time of a lease; and what comes of checking it.

Claimed and noted by many at once, so that a check that finds nothing new takes no entity to be loaded. Used by
ScheduledChecks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain.entities.credential import ServiceCredential
from domain.entities.health import HealthCheckTrigger, HealthProbe, Json, ServiceRateLimit


@dataclass(frozen=True, slots=True)
class DueCheck:
    """All that it takes to check a connection. What is found counts only while `lease` is still the row's.

    `due_at` is when it was to be checked; `finding`, `diagnosis_id` and `diagnosed_at` are as in ConnectionHealth.
    """

    organization_id: UUID
    connection_id: UUID
    service: str
    lease: UUID
    due_at: datetime
    trigger: HealthCheckTrigger
    account_id: str | None
    settings: Mapping[str, Json] = field(repr=False)
    status_changed_at: datetime
    interval: timedelta
    rate_limit: ServiceRateLimit | None
    finding: str | None
    diagnosis_id: UUID | None
    diagnosed_at: datetime | None
    credential: ServiceCredential


@dataclass(frozen=True, slots=True)
class UnchangedCheck:
    """A scheduled check that found what was known.

    `probes` are its own where those that are kept are too old to go on with; None where it shares those.
    """

    due: DueCheck
    id: UUID
    started_at: datetime
    latency_ms: int
    rate_limit: ServiceRateLimit | None
    next_check_at: datetime
    probes: tuple[HealthProbe, ...] | None = None
