"""Latency percentiles, from counts of latency marks: in counted days, and of the checks since then.

Used by `shapes.py` for a whole time, and by `health_series.py` for each of its points.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from domain.latency_marks import CLASSES
from persistence.documents.compiler import Compiler, Scope, Written
from persistence.documents.dialects.dialect import Type
from persistence.documents.fields import Number
from persistence.documents.kept_health import FirstDay, KeptHealth
from persistence.documents.selection import Selected

PERCENTS: Final = (50, 95, 99)
PERCENTILES: dict[str, Written] = {f"p{percent}Ms": Number(f"p{percent}") for percent in PERCENTS}


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles over all checks since a moment; null where there are none."""

    type_name: str = "LatencyPercentiles"

    @property
    def fields(self) -> Mapping[str, Written]:
        return PERCENTILES

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        arguments, row = compiler.arguments(field), compiler.alias("q")
        since = compiler.bind(arguments.binder(lambda given: given["since"]), Type.TIMESTAMP)
        kept, first = KeptHealth(compiler, scope, since), FirstDay(compiler, arguments)
        there = (
            f"d.checks = (select count(*) from health_checks f "
            f"where {kept.of('f')} and f.started_at >= {first.starts_at} and f.started_at < {first.ends_at})"
        )
        # The first day by its checks while they are there, else all of it: in its counts, they have no time.
        days = (
            f"select 0 as position, cast(e.key as integer) as mark, cast(e.value as integer) as count "
            f"from health_days d cross join {compiler.dialect.members('d.latencies', 'e')} where {kept.of('d')} "
            f"and d.ended_at > {since} and (d.ended_at > {first.ends_at} or not {there})"
        )
        uncounted = (
            f"select 0, {mark_of('u.latency_ms')}, 1 from health_checks u where {kept.of('u')} "
            f"and u.started_at >= {kept.uncounted_since()} and u.started_at <= {compiler.now()}"
        )
        of_first_day = (
            f"select 0, {mark_of('u.latency_ms')}, 1 from health_days d join health_checks u on {kept.of('u')} "
            f"and u.started_at >= {since} and u.started_at < {first.ends_at} "
            f"where {kept.of('d')} and d.ended_at = {first.ends_at} and {there}"
        )
        columns = ", ".join(f"{sql} as {name}" for name, sql in percentiles().items())
        marks = ranked(f"{days} union all {uncounted} union all {of_first_day}")
        written = compiler.object(self, field.below, Scope(row, scope.organization, scope.role))
        found = f"(select {written} from (select {columns} from ({marks}) z group by z.position) {row})"
        return f"coalesce({found}, 'null')"


def mark_of(latency: str) -> str:
    """The mark of a latency, as `domain/latency_marks.py` has it."""
    whens = " ".join(f"when {latency} < {least} then {mark}" for (_, mark), (least, _) in pairwise(CLASSES))
    return f"case {whens} else {CLASSES[-1][1]} end"


def ranked(counted: str) -> str:
    """A select of latency marks, with how many are counted up to each, and in all, for each position.

    The mark 0 is of checks that called nobody.
    """
    return (
        f"select h.position, h.mark, sum(sum(h.count)) over (partition by h.position order by h.mark) as so_far, "
        f"sum(sum(h.count)) over (partition by h.position) as total from ({counted}) h where h.mark > 0 "
        f"group by h.position, h.mark"
    )


def percentiles() -> dict[str, str]:
    """Aggregates over such rows of `z`: the least mark that so many percent don't exceed."""
    return {
        f"p{percent}": f"min(case when z.so_far * 100 >= z.total * {percent} then z.mark end)" for percent in PERCENTS
    }
