"""When a connection is checked next. Pure: time and chance come in as arguments. Called wherever a check is recorded.

Healthy ones as often as their organization wants, more often where something is likely to change, and spread so that
they don't come in waves; failing ones ever more seldom; limited ones when the service takes calls again.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from domain.entities.health import ServiceRateLimit
from domain.entities.service_connection import ServiceConnection

JITTER: Final = 0.1
UNSETTLED_FOR: Final = timedelta(hours=1)
"""How long after its status has changed a connection is watched more closely."""
ENDS_SOON: Final = timedelta(days=1)
WATCHED_CLOSELY: Final = 0.5
"""The share of the interval after which an unsettled connection, or one whose credential ends soon, is checked."""
FIRST_BACK_OFF: Final = timedelta(minutes=1)
LONGEST_BACK_OFF: Final = timedelta(hours=1)
SHORTEST_BACK_OFF: Final = timedelta(seconds=15)
LONGEST_WAIT: Final = timedelta(days=1)
"""A service that says "not before next year" is asked again after this all the same."""
FURTHEST_AHEAD: Final = timedelta(days=2)
"""Further ahead than any check is scheduled, by the longest interval or wait."""

_DOUBLINGS: Final = 16  # far past the longest back-off, and no overflow


def next_check_at(
    connection: ServiceConnection, now: datetime, random: Callable[[], float], *, ends_at: datetime | None = None
) -> datetime | None:
    """The moment of the next check by itself, None for never. `random` gives numbers from 0 up to, not including, 1.

    `ends_at`: when the credential ends for good; None for never or unknown.
    """
    if not connection.checkable:
        return None
    health = connection.health
    failures = health.consecutive_failures
    if failures == 0 or is_blocked(connection.rate_limit, now):
        return after_pass(
            now,
            random,
            interval=health.interval,
            settled_since=connection.status_changed_at,
            ends_at=ends_at,
            limit=connection.rate_limit,
        )
    ceiling = min(max(LONGEST_BACK_OFF, health.interval), FIRST_BACK_OFF * (1 << min(failures, _DOUBLINGS)))
    return now + max(SHORTEST_BACK_OFF, ceiling * random())


def after_pass(
    now: datetime,
    random: Callable[[], float],
    *,
    interval: timedelta,
    settled_since: datetime,
    ends_at: datetime | None,
    limit: ServiceRateLimit | None,
) -> datetime:
    """The moment of the next check of one that works, or that the service keeps away."""
    again_at = takes_calls_again_at(limit)
    if again_at is not None and again_at > now:
        return min(again_at, now + LONGEST_WAIT) + interval * JITTER * random()
    unsettled = timedelta() <= now - settled_since < UNSETTLED_FOR
    ends_soon = ends_at is not None and ends_at - now < ENDS_SOON
    share = WATCHED_CLOSELY if unsettled or ends_soon else 1.0
    return now + interval * share * (1 - JITTER + 2 * JITTER * random())


def is_blocked(limit: ServiceRateLimit | None, now: datetime) -> bool:
    """Whether the service takes no calls now, as far as it has said."""
    again_at = takes_calls_again_at(limit)
    return again_at is not None and again_at > now


def takes_calls_again_at(limit: ServiceRateLimit | None) -> datetime | None:
    """The moment from which on the service takes calls, as far as it has said; it may be past."""
    if limit is None:
        return None
    return limit.blocked_until or (limit.reset_at if limit.remaining == 0 else None)
