"""When connections are checked next."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import StatusReason
from domain.entities.health import Remedy, ServiceRateLimit
from domain.entities.service_connection import ServiceConnection
from domain.schedule import LONGEST_BACK_OFF, LONGEST_WAIT, SHORTEST_BACK_OFF, next_check_at
from tests.domain.test_service_connection import a_connection

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALMOST_1 = 1 - 2**-53
chances = st.floats(0, 1, exclude_max=True)


def failing(failures: int) -> ServiceConnection:
    connection = a_connection(ConnectionStatus.ACTIVE)
    connection.health.consecutive_failures = failures
    return connection


def limited(limit: ServiceRateLimit) -> ServiceConnection:
    connection = a_connection(ConnectionStatus.ACTIVE)
    connection.rate_limit = limit
    return connection


def wait(connection: ServiceConnection, chance: float, *, ends_at: datetime | None = None) -> timedelta:
    """How long a settled connection waits: its status changed long ago."""
    connection.status_changed_at = NOW - timedelta(days=9)
    due = next_check_at(connection, NOW, lambda: chance, ends_at=ends_at)
    assert due is not None
    return due - NOW


def test_healthy_connections_are_spread_over_a_minute_around_five() -> None:
    assert wait(failing(0), 0.0) == timedelta(minutes=4, seconds=30)
    assert wait(failing(0), 0.5) == timedelta(minutes=5)
    assert wait(failing(0), ALMOST_1) == timedelta(minutes=5, seconds=30)


def test_an_organization_decides_how_often() -> None:
    connection = failing(0)
    connection.health.interval = timedelta(hours=6)
    assert wait(connection, 0.5) == timedelta(hours=6)
    connection.health.consecutive_failures = 99
    assert wait(connection, ALMOST_1) > timedelta(hours=5)  # failing ones aren't checked more often for that


def test_what_has_just_changed_or_ends_soon_is_watched_twice_as_closely() -> None:
    connection = failing(0)
    assert wait(connection, 0.5, ends_at=NOW + timedelta(hours=23)) == timedelta(minutes=2.5)
    assert wait(connection, 0.5, ends_at=NOW + timedelta(hours=25)) == timedelta(minutes=5)
    for minutes, expected in ((0, 2.5), (59, 2.5), (60, 5), (-1, 5)):  # one in the future is a clock's mistake
        connection.status_changed_at = NOW - timedelta(minutes=minutes)
        assert next_check_at(connection, NOW, lambda: 0.5) == NOW + timedelta(minutes=expected)


def test_the_back_off_doubles_up_to_an_hour() -> None:
    longest = [round(wait(failing(failures), ALMOST_1) / timedelta(minutes=1)) for failures in range(1, 9)]
    assert longest == [2, 4, 8, 16, 32, 60, 60, 60]


@given(failures=st.integers(1, 10**9), chance=chances)
def test_a_failing_connection_waits_within_bounds(failures: int, chance: float) -> None:
    assert SHORTEST_BACK_OFF <= wait(failing(failures), chance) <= LONGEST_BACK_OFF


@given(seconds=st.integers(1, 24 * 3600), chance=chances)
def test_a_limited_connection_waits_until_the_service_takes_calls_again(seconds: int, chance: float) -> None:
    until = NOW + timedelta(seconds=seconds)
    for limit in (ServiceRateLimit(blocked_until=until), ServiceRateLimit(limit=60, remaining=0, reset_at=until)):
        assert timedelta(seconds=seconds) <= wait(limited(limit), chance) <= timedelta(seconds=seconds + 30)


def test_a_limit_that_is_over_or_not_reached_changes_nothing() -> None:
    past, future = NOW - timedelta(seconds=1), NOW + timedelta(hours=1)
    for limit in (
        ServiceRateLimit(blocked_until=past),
        ServiceRateLimit(limit=60, remaining=0, reset_at=past),
        ServiceRateLimit(limit=60, remaining=1, reset_at=future),
    ):
        assert wait(limited(limit), 0.5) == timedelta(minutes=5)


def test_no_service_keeps_a_connection_unchecked_for_longer_than_a_day() -> None:
    assert wait(limited(ServiceRateLimit(blocked_until=NOW + timedelta(days=365))), 0.0) == LONGEST_WAIT


@pytest.mark.parametrize("status", ConnectionStatus)
def test_only_connections_that_a_check_could_move_are_due(status: ConnectionStatus) -> None:
    due = next_check_at(a_connection(status), NOW, lambda: 0.5)
    assert (due is None) == (status.value in {"INACTIVE", "EXPIRED", "REVOKED"})


def test_what_the_service_suspends_is_still_checked_since_nobody_may_report_the_end() -> None:
    connection = a_connection(ConnectionStatus.ACTIVE)
    connection.suspend(StatusReason("GITHUB_SUSPENDED", "Suspended.", Remedy.CONTACT_ADMIN), told_at=NOW, now=NOW)
    assert connection.status is ConnectionStatus.INACTIVE
    assert wait(connection, 0.5) == timedelta(minutes=5)
