"""Days are counted as a slow evaluation, microsecond for microsecond of the definition, counts them."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.health import HealthStatus
from domain.entities.health_day import DAY, HealthDay
from domain.health_days import CheckFound, DayCounter, day_of
from domain.latency_marks import CLASSES, LONGEST_MS, latency_mark

FIRST = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = 5

moments = st.one_of(
    st.datetimes(FIRST.replace(tzinfo=None), (FIRST + DAYS * DAY).replace(tzinfo=None), timezones=st.just(UTC)),
    st.integers(0, DAYS - 1).map(lambda day: FIRST + day * DAY),  # at midnight itself
    st.integers(1, DAYS).map(lambda day: FIRST + day * DAY - timedelta(microseconds=1)),
).filter(lambda moment: moment < FIRST + DAYS * DAY)
found = st.builds(CheckFound, st.uuids(), moments, st.sampled_from(HealthStatus), st.integers(0, 100_000))
checks_in_order = st.lists(found, max_size=40).map(lambda checks: sorted(checks, key=lambda check: check.started_at))


def counted(checks: list[CheckFound], carried: HealthStatus, cut: int = 0) -> list[HealthDay]:
    """All days; the counter is left and begun anew after so many of them, as if its process had been killed."""
    days: list[HealthDay] = []
    counter = DayCounter(FIRST, carried)
    for check in checks:
        days += counter.add(check)
    days += counter.finish(FIRST + DAYS * DAY)
    if cut == 0:
        return days
    kept = days[:cut]
    again = DayCounter(kept[-1].ended_at, kept[-1].ended_as)
    for check in checks:
        if check.started_at >= kept[-1].ended_at:
            kept += again.add(check)
    return [*kept, *again.finish(FIRST + DAYS * DAY)]


def slowly(checks: list[CheckFound], carried: HealthStatus, begins: datetime, ends: datetime) -> dict[str, timedelta]:
    """The time in each status between two moments: each check's own stretch of time, cut at both."""
    starts = [(datetime.min.replace(tzinfo=UTC), carried), *((check.started_at, check.status) for check in checks)]
    times: dict[str, timedelta] = dict.fromkeys(HealthStatus, timedelta())
    for number, (start, status) in enumerate(starts):
        end = starts[number + 1][0] if number + 1 < len(starts) else ends
        times[status] += max(timedelta(), min(end, ends) - max(start, begins))
    return times


@given(checks_in_order, st.sampled_from(HealthStatus))
def test_each_day_is_what_its_checks_say(checks: list[CheckFound], carried: HealthStatus) -> None:
    days = counted(checks, carried)
    assert [day.starts_at for day in days] == [FIRST + number * DAY for number in range(DAYS)]
    for day in days:
        times = slowly(checks, carried, day.starts_at, day.ended_at)
        of_day = [check for check in checks if day_of(check.started_at) == day.starts_at]
        before_end = [check for check in checks if check.started_at < day.ended_at]
        assert day == HealthDay(
            day.starts_at,
            up=times["HEALTHY"] + times["DEGRADED"],
            degraded=times["DEGRADED"],
            down=times["UNHEALTHY"],
            checks=len(of_day),
            failures=sum(check.status is HealthStatus.UNHEALTHY for check in of_day),
            latencies=Counter(latency_mark(check.latency_ms) for check in of_day),
            ended_as=before_end[-1].status if before_end else carried,
        )


@given(checks_in_order, st.sampled_from(HealthStatus))
def test_days_add_up_to_the_whole(checks: list[CheckFound], carried: HealthStatus) -> None:
    days = counted(checks, carried)
    whole = slowly(checks, carried, FIRST, FIRST + DAYS * DAY)
    assert sum((day.up for day in days), timedelta()) == whole["HEALTHY"] + whole["DEGRADED"]
    assert sum((day.degraded for day in days), timedelta()) == whole["DEGRADED"]
    assert sum((day.down for day in days), timedelta()) == whole["UNHEALTHY"]
    latencies: Counter[int] = Counter()
    for day in days:
        latencies.update(day.latencies)
    assert latencies == Counter(latency_mark(check.latency_ms) for check in checks)
    assert sum(day.checks for day in days) == len(checks)


@given(checks_in_order, st.sampled_from(HealthStatus), st.integers(1, DAYS))
def test_who_goes_on_from_a_stored_day_counts_the_same(
    checks: list[CheckFound], carried: HealthStatus, cut: int
) -> None:
    assert counted(checks, carried, cut) == counted(checks, carried)


@given(st.integers(1, LONGEST_MS))
def test_a_mark_is_at_most_a_tenth_off(latency_ms: int) -> None:
    assert abs(latency_mark(latency_ms) - latency_ms) <= latency_ms / 10


def test_marks_are_few_and_rise() -> None:
    marks = [mark for _, mark in CLASSES]
    assert marks == sorted(set(marks))
    assert len(marks) == 60
    assert [latency_mark(ms) for ms in (-1, 0, 1, 10, 11, 59_999, 60_000, 10**9)] == [0, 0, 1, 10, 10, 55_882] + [
        LONGEST_MS
    ] * 2


@pytest.mark.parametrize(
    "moment", ["2026-11-20T00:00:00+00:00", "2026-11-21T01:59:59.999999+02:00", "2026-11-19T19:00:00-05:00"]
)
def test_days_are_of_utc(moment: str) -> None:
    assert day_of(datetime.fromisoformat(moment)) == FIRST
