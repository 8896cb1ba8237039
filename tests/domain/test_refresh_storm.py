"""Real processes on one PostgreSQL, and a service that ends a whole grant when a refresh token comes twice.

By hand with as many credentials as wanted: `python -m tests.domain.refresh_storm 10000 --kills 5`, or `--on-demand`.
"""

from collections.abc import Iterator

import pytest

from tests.domain.refresh_storm import storm
from tests.postgresql import PostgresqlServer

pytestmark = pytest.mark.anyio

CREDENTIALS = 150
ON_DEMAND = 80
AT_ONCE = 4


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer, postgresql_template: str) -> Iterator[str]:
    database = postgresql_server.create_database(template=postgresql_template)
    yield postgresql_server.url(database)
    postgresql_server.drop_database(database)


async def test_three_processes_refresh_each_credential_once(postgresql_url: str) -> None:
    after = await storm(
        postgresql_url, credentials=CREDENTIALS, processes=3, kills=0, lease_seconds=30, at_once=AT_ONCE
    )
    assert (after.fresh, after.refreshes, after.reuses) == (CREDENTIALS, CREDENTIALS, 0)


async def test_after_processes_were_killed_each_credential_works_or_says_why_not(postgresql_url: str) -> None:
    after = await storm(postgresql_url, credentials=CREDENTIALS, processes=3, kills=2, lease_seconds=3, at_once=AT_ONCE)
    assert after.killed == 2
    assert after.silently_dead == 0
    assert after.fresh + after.expired_with_reason == CREDENTIALS
    assert after.expired_with_reason <= after.killed * AT_ONCE  # at most those whose answers the killed ones had
    assert after.reuses <= after.expired_with_reason


async def test_processes_that_call_with_the_same_refused_tokens_at_once_refresh_each_credential_once(
    postgresql_url: str,
) -> None:
    """No task is involved, so that the credential's own lease is all that keeps them apart."""
    after = await storm(
        postgresql_url, credentials=ON_DEMAND, processes=3, lease_seconds=30, at_once=AT_ONCE, on_demand=True
    )
    assert (after.fresh, after.refreshes, after.reuses) == (ON_DEMAND, ON_DEMAND, 0)
    assert after.answered == 3 * ON_DEMAND
