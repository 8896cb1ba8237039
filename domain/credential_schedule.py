"""When a credential is refreshed ahead of its end, and when its end is warned of. Pure: time and chance come in.

Asked by periodic_work.py, which puts the tasks, and by CredentialRefresher and ExpiryWarnings, which do them.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from domain.entities.credential import ServiceCredential

SHORTEST_MARGIN: Final = timedelta(minutes=5)
MARGIN: Final = 0.1
"""Of a credential's life; it is refreshed that long before it ends, or up to half as much earlier."""
JITTER: Final = 0.5
SHORTEST_INTERVAL: Final = timedelta(seconds=30)
"""Credentials that live for moments aren't refreshed more often than this."""

WARNED_AHEAD: Final = (timedelta(days=7), timedelta(days=1))


def refresh_at(credential: ServiceCredential, chance: Callable[[], float]) -> datetime | None:
    """The moment of its next refresh by itself; None where it can't be refreshed, or isn't known to end."""
    if not credential.refreshable or credential.expires_at is None:
        return None
    life = credential.expires_at - credential.rotated_at
    margin = max(SHORTEST_MARGIN, life * MARGIN) * (1 + JITTER * chance())
    return credential.rotated_at + max(life - margin, life / 2, SHORTEST_INTERVAL)


def refreshable_from(credential: ServiceCredential) -> datetime | None:
    """The earliest moment that `refresh_at` may give: before it, a refresh by itself has been done already."""
    return refresh_at(credential, lambda: 1.0)


def warning_at(credential: ServiceCredential, now: datetime) -> datetime | None:
    """When its end is to be warned of next: now, where the first moment for it is over. None after the last one.

    The end of one that can be refreshed is that of its refresh token.
    """
    end = credential.ends_at
    return None if end is None or end <= now else max(now, end - WARNED_AHEAD[0])


def first_warning_at(credential: ServiceCredential, now: datetime) -> datetime | None:
    """The same for an end that was told just now: a refresh that comes before it may put it off, and has to be seen."""
    at, end = warning_at(credential, now), credential.ends_at
    if at is None or end is None or not credential.refreshable or credential.expires_at is None:
        return at
    return max(at, credential.expires_at) if credential.expires_at < end else at


def next_warning_at(credential: ServiceCredential, now: datetime) -> datetime | None:
    """The first moment after now."""
    end = credential.ends_at
    moments = () if end is None else (end - ahead for ahead in WARNED_AHEAD)
    return next((moment for moment in moments if moment > now), None)
