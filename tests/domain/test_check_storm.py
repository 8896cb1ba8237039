"""Real processes that check connections on one PostgreSQL, and are killed at any moment.

By hand with fifty kills: `python -m tests.domain.check_storm`.
"""

from collections.abc import Iterator

import pytest

from tests.domain.check_storm import SLACK_SECONDS, USUAL_WAIT_SECONDS, storm
from tests.postgresql import PostgresqlServer

pytestmark = pytest.mark.anyio

CONNECTIONS = 60
KILLS = 4
BUSY_SECONDS = 20.0
"""By how much all may be late where other tests have the machine."""


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer, postgresql_template: str) -> Iterator[str]:
    database = postgresql_server.create_database(template=postgresql_template)
    yield postgresql_server.url(database)
    postgresql_server.drop_database(database)


async def test_kills_leave_nothing_unchecked_for_longer_than_a_lease_and_nothing_recorded_twice(
    postgresql_url: str,
) -> None:
    after = await storm(postgresql_url, connections=CONNECTIONS, processes=3, kills=KILLS)
    shortest, longest = USUAL_WAIT_SECONDS
    assert after.killed == KILLS
    assert after.cut_off > 0
    assert after.longest_wait <= longest + BUSY_SECONDS
    # What a kill has cut off is no later than others are, but for the lease: how busy the machine is cancels out.
    assert after.longest_wait_cut_off <= max(longest, after.longest_wait) + SLACK_SECONDS
    assert after.shortest_wait >= shortest
    assert (after.recorded_twice, after.untold, after.stale_leases) == (0, 0, 0)
    assert after.checks <= after.calls  # no finding without a call of its own
