"""HealthDay: how a connection was on one day in UTC, in so few numbers that it is kept for more than a year.

Counted from the day's checks by `domain/health_days.py`, kept by `domain/health_history.py`, read by documents.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from domain.entities.health import HealthStatus

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class HealthDay:
    """Times by the latest check's finding, each check speaking for the time until the next.

    `up` is the time that it was HEALTHY or DEGRADED, `degraded` the part of that, `down` the time that it was
    UNHEALTHY; what is left of the day is unknown. `latencies` counts checks by the marks of `domain/latency_marks.py`.
    `ended_as` is the finding with which the next day begins; UNKNOWN where nothing had been checked yet.
    """

    starts_at: datetime
    up: timedelta = timedelta()
    degraded: timedelta = timedelta()
    down: timedelta = timedelta()
    checks: int = 0
    failures: int = 0
    latencies: Mapping[int, int] = field(default_factory=dict)
    ended_as: HealthStatus = HealthStatus.UNKNOWN

    @property
    def ended_at(self) -> datetime:
        """The midnight that ends it."""
        return self.starts_at + DAY
