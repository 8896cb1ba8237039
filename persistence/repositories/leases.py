"""Leases as two columns of a row, `lease` and `leased_until`: who has it for now, and until when.

Used by the repositories of due checks, tasks and credentials.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, or_

LONGEST_LEASE: Final = timedelta(minutes=10)
"""Longer than any: who has one for longer took it by a clock that was ahead."""

NOT_LEASED: Final = {"lease": None, "leased_until": None}


def is_free(columns: Any, now: datetime) -> ColumnElement[bool]:
    """Nobody has it, or not any more."""
    return or_(columns.lease.is_(None), is_over(columns, now))


def is_over(columns: Any, now: datetime) -> ColumnElement[bool]:
    """Somebody had it, and neither finished nor gave it back in their time."""
    return or_(columns.leased_until <= now, columns.leased_until > now + LONGEST_LEASE)
