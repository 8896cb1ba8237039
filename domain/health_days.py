"""Counting days: a connection's checks, in their order, become its days. Pure; called by `domain/health_history.py`.

A check speaks from its start until the next one starts, over midnight too: what it found is carried into the next day,
and into each day without checks after that.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from domain.entities.health import HealthStatus
from domain.entities.health_day import DAY, HealthDay
from domain.latency_marks import latency_mark


@dataclass(frozen=True, slots=True)
class CheckFound:
    """As much of a check as counts. `id` tells apart those that started at the same moment."""

    id: UUID
    started_at: datetime
    status: HealthStatus
    latency_ms: int


def day_of(moment: datetime) -> datetime:
    """The midnight, in UTC, with which its day began."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass(slots=True)
class DayCounter:
    """Counts one connection's days. Holds no check longer than until the next, so any number of them will do.

    `starts_at` is the midnight from which it counts, `status` what was found last before that.
    """

    starts_at: datetime
    status: HealthStatus = HealthStatus.UNKNOWN
    _counted_until: datetime = field(init=False)
    _times: dict[HealthStatus, timedelta] = field(init=False, default_factory=dict)
    _checks: Counter[HealthStatus] = field(init=False, default_factory=Counter)
    _latencies: Counter[int] = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        self._counted_until = self.starts_at

    def add(self, check: CheckFound) -> Iterator[HealthDay]:
        """Count the next check; the days that have ended before it are given back. It isn't before the last one."""
        yield from self.finish(day_of(check.started_at))
        self._count_time(check.started_at)
        self.status = check.status
        self._checks[check.status] += 1
        self._latencies[latency_mark(check.latency_ms)] += 1

    def finish(self, until: datetime) -> Iterator[HealthDay]:
        """The days up to a midnight, of which the last checks have been counted."""
        while self.starts_at < until:
            self._count_time(self.starts_at + DAY)
            yield self._day()
            self.starts_at += DAY
            self._times, self._checks, self._latencies = {}, Counter(), Counter()

    def _count_time(self, until: datetime) -> None:
        self._times[self.status] = self._times.get(self.status, timedelta()) + (until - self._counted_until)
        self._counted_until = until

    def _day(self) -> HealthDay:
        degraded = self._times.get(HealthStatus.DEGRADED, _NONE)
        return HealthDay(
            self.starts_at,
            up=self._times.get(HealthStatus.HEALTHY, _NONE) + degraded,
            degraded=degraded,
            down=self._times.get(HealthStatus.UNHEALTHY, _NONE),
            checks=self._checks.total(),
            failures=self._checks[HealthStatus.UNHEALTHY],
            latencies=dict(sorted(self._latencies.items())),
            ended_as=self.status,
        )


_NONE: Final = timedelta()
