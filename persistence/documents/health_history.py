"""A connection's health over time: the share of it that it was up, latencies, and both as a series for charts.

Used by `shapes.py`. Each is an expression of the same statement, over counted days and the checks since then.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from persistence.documents.compiler import Compiler, Scope, Written
from persistence.documents.dialects.dialect import Literal, Type
from persistence.documents.fields import Embedded, Moment, Number
from persistence.documents.kept_health import (
    FirstDay,
    KeptHealth,
    is_known,
    is_well,
    known_of_day,
    mark_of,
    share_of_day,
    up_of_day,
)
from persistence.documents.selection import Selected
from persistence.documents.series_buckets import BUCKET_SECONDS, SeriesBucket, bucket_starts

_PERCENTS = (50, 95, 99)


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


@dataclass(frozen=True, slots=True)
class Share:
    """A number between 0 and 1, or null."""

    column: str

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        return compiler.dialect.decimal(f"{scope.alias}.{self.column}")


_PERCENTILES: dict[str, Written] = {f"p{percent}Ms": Number(f"p{percent}") for percent in _PERCENTS}


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles over all checks since a moment; null where there are none."""

    type_name: str = "LatencyPercentiles"

    @property
    def fields(self) -> Mapping[str, Written]:
        return _PERCENTILES

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
        percentiles = _percentiles(f"{days} union all {uncounted} union all {of_first_day}")
        written = compiler.object(self, field.below, Scope(row, scope.organization, scope.role))
        found = f"(select {written} from ({percentiles}) {row})"
        return f"coalesce({found}, 'null')"


@dataclass(frozen=True, slots=True)
class Series:
    """A point for each hour, day or week, without gaps; the first is the whole one that `since` lies in."""

    type_name: str = "HealthSeriesPoint"

    @property
    def fields(self) -> Mapping[str, Written]:
        return _POINT

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        dialect, arguments = compiler.dialect, compiler.arguments(field)
        bucket = SeriesBucket(arguments.given("bucket"))
        starts = arguments.binder_at(bucket_starts)
        compiler.check(starts)
        since = compiler.bind(lambda call: next(iter(starts(call)), call.now), Type.TIMESTAMP)
        moments = dialect.moments(compiler.bind(starts, Type.JSON), "m")
        series = _SeriesWriter(KeptHealth(compiler, scope, since), bucket, moments)
        row = compiler.alias("y")
        with compiler.cost.rows(lambda call: len(starts(call))):
            point = compiler.object(self, field.below, Scope(row, scope.organization, scope.role))
        names = {part.name for part in field.below[self.type_name]}
        rows = f"(select {dialect.joined_rows(point, f'{row}.position')} from {series.written(names)} {row})"
        return dialect.concat([Literal("["), rows, Literal("]")])


_POINT: dict[str, Written] = {
    "start": Moment("moment"),
    "uptime": Share("uptime"),
    "checks": Number("checks"),
    "failures": Number("failures"),
    "latency": Embedded("LatencyPercentiles", _PERCENTILES, "{row}.p50 is null"),
}


@dataclass(frozen=True, slots=True)
class _SeriesWriter:
    """The rows of a series. `moments` are its points, for a FROM; hours are too short for counted days."""

    kept: KeptHealth
    bucket: SeriesBucket
    moments: str

    def written(self, names: set[str]) -> str:
        """The rows with the columns that these fields need, for a FROM."""
        columns, joined = "m.position, m.moment", ""
        if names & {"uptime", "checks", "failures"}:
            columns += (
                ", s.up / nullif(s.known, 0) as uptime, coalesce(s.checks, 0) as checks, "
                "coalesce(s.failures, 0) as failures"
            )
            joined += f" left join ({self._totals()}) s on s.position = m.position"
        if "latency" in names:
            columns += "".join(f", l.p{percent}" for percent in _PERCENTS)
            joined += f" left join ({self._latencies()}) l on l.position = m.position"
        return self.kept.dialect.in_order(f"select {columns} from {self.moments}{joined}", "m.position")

    def _totals(self) -> str:
        counted = (
            f"select {self._position('d.ended_at', days=1)} as position, {up_of_day('d')} as up, "
            f"{known_of_day('d')} as known, d.checks, d.failures from health_days d where {self._counted()} union all "
        )
        each = self._spans() if self.bucket is SeriesBucket.HOUR else counted + self._spans()
        return (
            f"select t.position, sum(t.up) as up, sum(t.known) as known, sum(t.checks) as checks, "
            f"sum(t.failures) as failures from ({each}) t group by t.position"
        )

    def _spans(self) -> str:
        """The times for which findings speak, cut where one point ends and the next begins."""
        kept, now = self.kept, self.kept.compiler.now()
        findings = kept.checks(self._latest_check()) if self.bucket is SeriesBucket.HOUR else kept.findings()
        cuts = f"select m.moment, 1, {kept.scope.alias}.id, null from {self.moments}"
        order = "order by r.at, r.rank, r.id"
        spans = (
            f"select r.at, r.rank, r.status, sum(case r.rank when 1 then 0 else 1 end) over ({order}) as finding, "
            f"coalesce(lead(r.at) over ({order}), {now}) as ending from ({findings} union all {cuts}) r"
        )
        found = f"select v.*, max(v.status) over (partition by v.finding) as found from ({spans}) v"
        length, position = kept.length("w"), self._position("w.at")
        return (
            f"select {position} as position, case when {is_well('w.found')} then {length} else 0 end as up, "
            f"case when {is_known('w.found')} then {length} else 0 end as known, "
            f"case w.rank when 2 then 1 else 0 end as checks, "
            f"case when w.rank = 2 and w.status = 'UNHEALTHY' then 1 else 0 end as failures "
            f"from ({found}) w where w.at >= {kept.since}"
        )

    def _latencies(self) -> str:
        kept = self.kept
        counted = (
            f"select {self._position('d.ended_at', days=1)} as position, cast(e.key as integer) as mark, "
            f"cast(e.value as integer) as count from health_days d "
            f"cross join {kept.dialect.members('d.latencies', 'e')} where {self._counted()} union all "
        )
        hours = self.bucket is SeriesBucket.HOUR
        checks = (
            f"select {self._position('u.started_at')} as position, {mark_of('u.latency_ms')} as mark, 1 as count "
            f"from health_checks u where {kept.of('u')} "
            f"and u.started_at >= {kept.since if hours else kept.uncounted_since()} "
            f"and u.started_at <= {kept.compiler.now()}"
        )
        return _percentiles(checks if hours else counted + checks)

    def _counted(self) -> str:
        return f"{self.kept.of('d')} and d.ended_at > {self.kept.since}"

    def _latest_check(self) -> str:
        """The check that speaks for the beginning, as far as it is kept."""
        kept = self.kept
        return (
            f"coalesce((select max(b.started_at) from health_checks b where {kept.of('b')} "
            f"and b.started_at <= {kept.since}), {kept.since})"
        )

    def _position(self, moment: str, days: int = 0) -> str:
        """The number of the point in which a moment lies, or that moment so many days before."""
        seconds = self.kept.dialect.seconds(self.kept.since, moment)
        before = f" - {days * BUCKET_SECONDS[SeriesBucket.DAY]}" if days else ""
        return self.kept.dialect.whole(f"({seconds}{before}) / {BUCKET_SECONDS[self.bucket]}")


def _percentiles(counted: str) -> str:
    """A select of the percentiles for each position, from counts of latency marks for each."""
    summed = f"select h.position, h.mark, sum(h.count) as count from ({counted}) h group by h.position, h.mark"
    ranked = (
        f"select g.position, g.mark, sum(g.count) over (partition by g.position order by g.mark) as so_far, "
        f"sum(g.count) over (partition by g.position) as total from ({summed}) g"
    )
    found = ", ".join(
        f"min(case when z.so_far * 100 >= z.total * {percent} then z.mark end) as p{percent}" for percent in _PERCENTS
    )
    return f"select z.position, {found} from ({ranked}) z group by z.position"
