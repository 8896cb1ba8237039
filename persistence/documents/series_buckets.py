"""The points of a series: hours, days or weeks in UTC, from the one in which a moment lies until now.

Used by `health_series.py`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from domain.errors import BadUserInput
from domain.health_days import day_of


class SeriesBucket(StrEnum):
    """How long each point of a series is."""

    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"


BUCKET_SECONDS: Final = {SeriesBucket.HOUR: 3_600, SeriesBucket.DAY: 86_400, SeriesBucket.WEEK: 604_800}
MOST_POINTS: Final = {SeriesBucket.HOUR: 7 * 24 + 1, SeriesBucket.DAY: 400, SeriesBucket.WEEK: 400}


def bucket_starts(arguments: Mapping[str, Any], now: datetime) -> list[datetime]:
    """When each begins. Raises BadUserInput where there are too many."""
    since, bucket = arguments["since"].astimezone(UTC), SeriesBucket(arguments["bucket"])
    first = day_of(since)
    if bucket is SeriesBucket.HOUR:
        first = since.replace(minute=0, second=0, microsecond=0)
    elif bucket is SeriesBucket.WEEK:
        first -= timedelta(days=first.weekday())
    length = timedelta(seconds=BUCKET_SECONDS[bucket])
    count = (now - first) // length + 1
    if count > MOST_POINTS[bucket]:
        raise BadUserInput(
            f"A series has at most {MOST_POINTS[bucket]} points by {bucket}; since then there are {count}. "
            "Ask for longer ones, or from a later moment on."
        )
    return [first + number * length for number in range(count)]
