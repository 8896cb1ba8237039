"""When a connection is checked next. Pure: time and chance come in as arguments. Called wherever a check is recorded.

Healthy ones every five minutes, spread so that they don't come in waves; failing ones ever more seldom; limited ones
when the service takes calls again.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from domain.entities.health import ServiceRateLimit
from domain.entities.service_connection import ServiceConnection

INTERVAL: Final = timedelta(minutes=5)
JITTER: Final = 0.1
FIRST_BACK_OFF: Final = timedelta(minutes=1)
LONGEST_BACK_OFF: Final = timedelta(hours=1)
SHORTEST_BACK_OFF: Final = timedelta(seconds=15)
LONGEST_WAIT: Final = timedelta(days=1)
"""A service that says "not before next year" is asked again after this all the same."""

_DOUBLINGS: Final = 16  # far past the longest back-off, and no overflow


def next_check_at(connection: ServiceConnection, now: datetime, random: Callable[[], float]) -> datetime | None:
    """The moment of the next check by itself, None for never. `random` gives numbers from 0 up to, not including, 1."""
    if not connection.checkable:
        return None
    again_at = takes_calls_again_at(connection.rate_limit)
    if again_at is not None and again_at > now:
        return min(again_at, now + LONGEST_WAIT) + INTERVAL * JITTER * random()
    failures = connection.health.consecutive_failures
    if failures == 0:
        return now + INTERVAL * (1 - JITTER + 2 * JITTER * random())
    ceiling = min(LONGEST_BACK_OFF, FIRST_BACK_OFF * (1 << min(failures, _DOUBLINGS)))
    return now + max(SHORTEST_BACK_OFF, ceiling * random())


def takes_calls_again_at(limit: ServiceRateLimit | None) -> datetime | None:
    """The moment from which on the service takes calls, as far as it has said; it may be past."""
    if limit is None:
        return None
    return limit.blocked_until or (limit.reset_at if limit.remaining == 0 else None)
