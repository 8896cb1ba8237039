"""What is kept of a connection's health, as pieces of SQL: counted days, and the checks that no day counts yet.

Used by `uptime.py`, `latency_percentiles.py` and `health_series.py`. A day is finished, counted and a row; the checks
since then are read one by one, and begin with what the last day ended as. So no read goes through more checks than
those of a day or two.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from domain.entities.health_day import DAY
from domain.health_days import day_of
from persistence.documents.compiler import ArgumentsOf, Compiler, Scope
from persistence.documents.dialects.dialect import Type

_MICROSECONDS: Final = "1000000.0"
_DAY_SECONDS: Final = "86400.0"


class KeptHealth:
    """Of the connection in a scope, from a moment on, which is a parameter."""

    def __init__(self, compiler: Compiler, scope: Scope, since: str) -> None:
        self.compiler, self.dialect, self.scope, self.since = compiler, compiler.dialect, scope, since
        self.counted_until = f"(select max(k.ended_at) from health_days k where {self.of('k')})"

    def of(self, row: str) -> str:
        """Whether a check or a day is the connection's."""
        connection = self.scope.alias
        return f"{row}.organization_id = {connection}.organization_id and {row}.connection_id = {connection}.id"

    def uncounted_since(self) -> str:
        """From when on checks are read one by one."""
        return self.dialect.later(f"coalesce({self.counted_until}, {self.since})", self.since)

    def findings(self) -> str:
        """A select of what was found when, with which ties are broken by `rank` and `id`: what the last day ended as,
        and each check since then, or since the last one by `since`."""
        before = (
            f"coalesce((select max(b.started_at) from health_checks b "
            f"where {self.of('b')} and b.started_at <= {self.since}), {self.since})"
        )
        first = self.dialect.later(f"coalesce({self.counted_until}, {before})", before)
        return (
            f"select d.ended_at as at, 0 as rank, d.connection_id as id, d.ended_as as status from health_days d "
            f"where {self.of('d')} and d.ended_at = {self.counted_until} union all {self.checks(first)}"
        )

    def checks(self, first: str, before: str | None = None) -> str:
        """A select of checks, likewise, from a moment on, and before another or until now."""
        end = f"u.started_at <= {self.compiler.now()}" if before is None else f"u.started_at < {before}"
        return (
            f"select u.started_at as at, 2 as rank, u.id, u.status from health_checks u "
            f"where {self.of('u')} and u.started_at >= {first} and {end}"
        )

    def length(self, row: str) -> str:
        """How many seconds there are from `at` to `ending`."""
        return f"case when {row}.ending > {row}.at then {self.dialect.seconds(f'{row}.at', f'{row}.ending')} else 0 end"


class FirstDay:
    """The day in which `since` lies, of which only a part is asked about, as parameters: its midnights."""

    def __init__(self, compiler: Compiler, arguments: ArgumentsOf) -> None:
        self.starts_at = compiler.bind(arguments.binder(lambda given: day_of(given["since"])), Type.TIMESTAMP)
        self.ends_at = compiler.bind(arguments.binder(_end_of_first_day), Type.TIMESTAMP)


def _end_of_first_day(given: Mapping[str, Any]) -> datetime:
    """`since` itself where it is a midnight, so that there is no such day."""
    since: datetime = given["since"]
    starts_at = day_of(since)
    if starts_at == since:
        return starts_at
    return starts_at + DAY if starts_at < day_of(datetime.max.replace(tzinfo=starts_at.tzinfo)) else since


def is_well(status: str) -> str:
    """Whether a finding counts as up."""
    return f"{status} in ('HEALTHY', 'DEGRADED')"


def is_known(status: str) -> str:
    """Whether a finding counts as up or down."""
    return f"{status} in ('HEALTHY', 'DEGRADED', 'UNHEALTHY')"


def up_of_day(row: str) -> str:
    """How many seconds of a counted day the connection was up."""
    return f"{row}.up_microseconds / {_MICROSECONDS}"


def known_of_day(row: str) -> str:
    """How many seconds of a counted day it was up or down."""
    return f"({row}.up_microseconds + {row}.down_microseconds) / {_MICROSECONDS}"


def share_of_day(dialect_seconds: str) -> str:
    """So many seconds as a part of a day."""
    return f"{dialect_seconds} / {_DAY_SECONDS}"
