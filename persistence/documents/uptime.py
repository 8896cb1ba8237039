"""Uptime: the share of the time that a connection was up, over its counted days and the checks since then.

Used by `shapes.py`. An expression of the same statement.
"""

from persistence.documents.compiler import Compiler, Scope
from persistence.documents.dialects.dialect import Type
from persistence.documents.kept_health import (
    FirstDay,
    KeptHealth,
    is_known,
    is_well,
    known_of_day,
    share_of_day,
    up_of_day,
)
from persistence.documents.selection import Selected


def uptime(compiler: Compiler, field: Selected, scope: Scope) -> str:
    """The share of the time since a moment in which the latest check hadn't found the connection UNHEALTHY.

    Each check speaks for the time until the next; the one before the moment speaks for the time from then on.
    """
    dialect, arguments = compiler.dialect, compiler.arguments(field)
    since = compiler.bind(arguments.binder(lambda given: given["since"]), Type.TIMESTAMP)
    kept, first = KeptHealth(compiler, scope, since), FirstDay(compiler, arguments)
    days = (
        f"select {up_of_day('d')} as up, {known_of_day('d')} as known from health_days d "
        f"where {kept.of('d')} and d.ended_at > {first.ends_at}"
    )
    uncounted = f"select {_sums(kept)} from ({_spans(kept, kept.findings(), compiler.now())}) s"
    # Of the first day a part: by its checks while they are there, else by its totals.
    findings = (
        f"select d.ended_at as at, 0 as rank, d.connection_id as id, d.ended_as as status from health_days d "
        f"where {kept.of('d')} and d.ended_at = {first.starts_at} "
        f"union all {kept.checks(first.starts_at, first.ends_at)}"
    )
    part = share_of_day(dialect.seconds(since, first.ends_at))
    of_first_day = (
        f"select case when p.checks = d.checks then p.up else {up_of_day('d')} * ({part}) end, "
        f"case when p.checks = d.checks then p.known else {known_of_day('d')} * ({part}) end "
        f"from health_days d cross join (select {_sums(kept)}, count(case s.rank when 2 then 1 end) as checks "
        f"from ({_spans(kept, findings, first.ends_at)}) s) p "
        f"where {kept.of('d')} and d.ended_at = {first.ends_at} and d.ended_at > {since}"
    )
    share = dialect.decimal("sum(t.up) / nullif(sum(t.known), 0)")
    return f"(select {share} from ({days} union all {uncounted} union all {of_first_day}) t)"


def _spans(kept: KeptHealth, findings: str, end: str) -> str:
    """A select of the times for which each finding speaks, from `since` on."""
    following = "lead(r.at) over (order by r.at, r.rank, r.id)"
    return (
        f"select r.rank, r.status, {kept.dialect.later('r.at', kept.since)} as at, "
        f"coalesce({following}, {end}) as ending from ({findings}) r"
    )


def _sums(kept: KeptHealth) -> str:
    length = kept.length("s")
    return (
        f"coalesce(sum(case when {is_well('s.status')} then {length} end), 0) as up, "
        f"coalesce(sum(case when {is_known('s.status')} then {length} end), 0) as known"
    )
