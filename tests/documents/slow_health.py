"""The slow evaluator's health over time: uptime, latencies and series, by walking through what is kept in Python.

Used by slow_evaluator.py.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta

from graphql import GraphQLError

from domain.latency_marks import latency_mark
from tests.documents.asked import Asked
from tests.documents.data import in_order
from tests.documents.world_maker import NOW, Row

_DAY = timedelta(days=1)
_LENGTHS = {"HOUR": timedelta(hours=1), "DAY": _DAY, "WEEK": 7 * _DAY}
_LIMITS = {"HOUR": 169, "DAY": 400, "WEEK": 400}
Finding = tuple[datetime, str]


class _Kept:
    """What is kept of a connection: its days, and its checks until now."""

    def __init__(self, asked: Asked, health: Row) -> None:
        connection = health["connection"]["id"]
        self.days = in_order(asked.rows("health_days", connection_id=connection), "ended_at")
        checks = in_order(asked.rows("health_checks", connection_id=connection), "started_at", "id")
        self.checks = [row for row in checks if row["started_at"] <= NOW]

    def day(self, ended_at: datetime) -> Row | None:
        return next((row for row in self.days if row["ended_at"] == ended_at), None)

    def between(self, start: datetime, end: datetime) -> list[Row]:
        return [row for row in self.checks if start <= row["started_at"] < end]

    def uncounted(self) -> list[Row]:
        """The checks that no day counts."""
        return [row for row in self.checks if not self.days or row["started_at"] >= self.days[-1]["ended_at"]]

    def findings(self) -> list[Finding]:
        """What the last day ended as, and what was found since then."""
        return _carried(self.days[-1] if self.days else None) + _found(self.uncounted())


def _carried(day: Row | None) -> list[Finding]:
    return [(day["ended_at"], day["ended_as"])] if day else []


def _found(checks: list[Row]) -> list[Finding]:
    return [(row["started_at"], row["status"]) for row in checks]


def _times(findings: list[Finding], start: datetime, end: datetime) -> tuple[timedelta, timedelta]:
    """How long the connection was up, and how long up or down, between two moments."""
    well = known = timedelta()
    for (at, status), following in zip(findings, [*(at for at, _ in findings[1:]), NOW], strict=False):
        length = max(min(following, end) - max(at, start), timedelta())
        well += length if status in ("HEALTHY", "DEGRADED") else timedelta()
        known += length if status != "UNKNOWN" else timedelta()
    return well, known


def _of_day(day: Row) -> tuple[timedelta, timedelta]:
    up, down = (timedelta(microseconds=day[f"{name}_microseconds"]) for name in ("up", "down"))
    return up, up + down


def _share(parts: list[tuple[timedelta, timedelta]]) -> float | None:
    well, known = (sum(times, timedelta()) for times in zip(*parts, strict=True))
    return round(well / known, 6) if known else None


def _midnight(moment: datetime) -> datetime:
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def uptime(asked: Asked, health: Row, since: datetime) -> float | None:
    kept, midnight = _Kept(asked, health), _midnight(since)
    parts = [_times(kept.findings(), since, NOW)]
    parts += [_of_day(day) for day in kept.days if day["ended_at"] - _DAY >= since]
    first = kept.day(midnight + _DAY)
    if first is not None and midnight < since:
        checks = kept.between(midnight, midnight + _DAY)
        if len(checks) == first["checks"]:
            findings = [*_carried(kept.day(midnight)), *_found(checks), (midnight + _DAY, "UNKNOWN")]
            parts.append(_times(findings, since, midnight + _DAY))
        else:
            up, known = _of_day(first)
            part = (midnight + _DAY - since) / _DAY
            parts.append((up * part, known * part))
    return _share(parts)


def latency(asked: Asked, health: Row, since: datetime) -> Row | None:
    kept, midnight = _Kept(asked, health), _midnight(since)
    counts = _counts([row for row in kept.uncounted() if row["started_at"] >= since])
    for day in kept.days:
        if day["ended_at"] - _DAY >= since:
            counts += _counts_of(day)
    first = kept.day(midnight + _DAY)
    if first is not None and midnight < since:
        checks = kept.between(midnight, midnight + _DAY)
        there = len(checks) == first["checks"]
        counts += _counts([row for row in checks if row["started_at"] >= since]) if there else _counts_of(first)
    return _percentiles(counts)


def _counts(checks: list[Row]) -> Counter[int]:
    return Counter(latency_mark(row["latency_ms"]) for row in checks)


def _counts_of(day: Row) -> Counter[int]:
    return Counter({int(mark): count for mark, count in day["latencies"].items()})


def _percentiles(counts: Counter[int]) -> Row | None:
    marks = sorted(mark for mark in counts.elements() if mark > 0)
    return {f"p{percent}_ms": marks[-(-len(marks) * percent // 100) - 1] for percent in (50, 95, 99)} if marks else None


def series(asked: Asked, health: Row, since: datetime, bucket: str) -> list[Row]:
    kept, start = _Kept(asked, health), _midnight(since)
    if bucket == "HOUR":
        start += timedelta(hours=since.hour)
    if bucket == "WEEK":
        start -= start.weekday() * _DAY
    starts = []
    while start <= NOW:
        starts.append(start)
        start += _LENGTHS[bucket]
    if len(starts) > _LIMITS[bucket]:
        raise GraphQLError("too many points")
    return [_point(kept, start, bucket) for start in starts]


def _point(kept: _Kept, start: datetime, bucket: str) -> Row:
    end = start + _LENGTHS[bucket]
    hour = bucket == "HOUR"
    checks = [row for row in (kept.checks if hour else kept.uncounted()) if start <= row["started_at"] < end]
    days: list[Row] = [] if hour else [row for row in kept.days if start < row["ended_at"] <= end]
    counts = _counts(checks)
    for day in days:
        counts += _counts_of(day)
    findings = _found(kept.checks) if hour else kept.findings()
    return {
        "start": start,
        "uptime": _share([_times(findings, start, end), *map(_of_day, days)]),
        "checks": len(checks) + sum(day["checks"] for day in days),
        "failures": sum(row["status"] == "UNHEALTHY" for row in checks) + sum(day["failures"] for day in days),
        "latency": _percentiles(counts),
    }
