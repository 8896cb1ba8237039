"""A series for charts: how a connection was in each hour, day or week, from counted days and the checks since then.

Used by `shapes.py`. An expression of the same statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from persistence.documents.compiler import Compiler, Scope, Written
from persistence.documents.dialects.dialect import Literal, Type
from persistence.documents.fields import Embedded, Moment, Number
from persistence.documents.kept_health import KeptHealth, is_known, is_well, known_of_day, up_of_day
from persistence.documents.latency_percentiles import PERCENTILES, PERCENTS, mark_of, percentiles, ranked
from persistence.documents.selection import Selected
from persistence.documents.series_buckets import BUCKET_SECONDS, SeriesBucket, bucket_starts


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
        names = {part.name for part in field.below[self.type_name]}
        since = "null"
        if names - {"start", "__typename"}:  # else it isn't used, and PostgreSQL takes no such parameter
            since = compiler.bind(lambda call: next(iter(starts(call)), call.now), Type.TIMESTAMP)
        moments = dialect.moments(compiler.bind(starts, Type.JSON), "m")
        series = _SeriesWriter(KeptHealth(compiler, scope, since), bucket, moments)
        row = compiler.alias("y")
        point = compiler.object(self, field.below, Scope(row, scope.organization, scope.role))
        rows = f"(select {dialect.joined_rows(point, f'{row}.position')} from {series.written(names)} {row})"
        return dialect.concat([Literal("["), rows, Literal("]")])


@dataclass(frozen=True, slots=True)
class Share:
    """A number between 0 and 1, or null."""

    column: str

    def write(self, compiler: Compiler, field: Selected, scope: Scope) -> str:
        return compiler.dialect.decimal(f"{scope.alias}.{self.column}")


_POINT: dict[str, Written] = {
    "start": Moment("moment"),
    "uptime": Share("uptime"),
    "checks": Number("checks"),
    "failures": Number("failures"),
    "latency": Embedded("LatencyPercentiles", PERCENTILES, "{row}.p50 is null"),
}


@dataclass(frozen=True, slots=True)
class _SeriesWriter:
    """The rows of a series. `moments` are its points, for a FROM; hours are too short for counted days."""

    kept: KeptHealth
    bucket: SeriesBucket
    moments: str

    def written(self, names: set[str]) -> str:
        """The rows with the columns that these fields need, for a FROM.

        Points, totals and percentiles are one union, since SQLite reads anew for each point what it is to join.
        """
        columns, empty = ["max(t.moment) as moment"], {"moment": "null"}
        totals, latency = not names.isdisjoint(("uptime", "checks", "failures")), "latency" in names
        if totals:
            columns.append("sum(t.up) / nullif(sum(t.known), 0) as uptime")
            columns += ["sum(t.checks) as checks", "sum(t.failures) as failures"]
            empty |= dict.fromkeys(("up", "known", "checks", "failures"), "0")
        if latency:
            columns += [f"max(t.p{percent}) as p{percent}" for percent in PERCENTS]
            empty |= {f"p{percent}": "cast(null as bigint)" for percent in PERCENTS}
        union = [f"{_selected('m.position', empty, moment='m.moment')} from {self.moments}"]
        if totals:
            union += [] if self.bucket is SeriesBucket.HOUR else [self._days(empty)]
            union.append(self._spans(empty))
        if latency:
            union.append(self._latencies(empty))
        rows = f"select t.position, {', '.join(columns)} from ({' union all '.join(union)}) t group by t.position"
        return self.kept.dialect.in_order(rows, "t.position")

    def _days(self, empty: Mapping[str, str]) -> str:
        """The totals of counted days."""
        position = self._position("d.ended_at", days=1)
        totals = {"up": up_of_day("d"), "known": known_of_day("d"), "checks": "d.checks", "failures": "d.failures"}
        return f"{_selected(position, empty, **totals)} from health_days d where {self._counted()}"

    def _spans(self, empty: Mapping[str, str]) -> str:
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
        length = kept.length("w")
        totals = {
            "up": f"case when {is_well('w.found')} then {length} else 0 end",
            "known": f"case when {is_known('w.found')} then {length} else 0 end",
            "checks": "case w.rank when 2 then 1 else 0 end",
            "failures": "case when w.rank = 2 and w.status = 'UNHEALTHY' then 1 else 0 end",
        }
        selected = _selected(self._position("w.at"), empty, **totals)
        return f"{selected} from ({found}) w where w.at >= {kept.since}"

    def _latencies(self, empty: Mapping[str, str]) -> str:
        """Percentiles, one row for each point that has any."""
        kept, hours = self.kept, self.bucket is SeriesBucket.HOUR
        checks = (
            f"select {self._position('u.started_at')} as position, {mark_of('u.latency_ms')} as mark, 1 as count "
            f"from health_checks u where {kept.of('u')} "
            f"and u.started_at >= {kept.since if hours else kept.uncounted_since()} "
            f"and u.started_at <= {kept.compiler.now()}"
        )
        counted = (
            f"select {self._position('d.ended_at', days=1)} as position, cast(e.key as integer) as mark, "
            f"cast(e.value as integer) as count from health_days d "
            f"cross join {kept.dialect.members('d.latencies', 'e')} where {self._counted()}"
        )
        selected = _selected("z.position", empty, **percentiles())
        return f"{selected} from ({ranked(checks if hours else f'{counted} union all {checks}')}) z group by z.position"

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


def _selected(position: str, empty: Mapping[str, str], **given: str) -> str:
    """The beginning of a select with all columns of a union, of which some are given."""
    columns = ", ".join(f"{given.get(name, value)} as {name}" for name, value in empty.items())
    return f"select {position} as position, {columns}"
