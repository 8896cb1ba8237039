"""The places that a worker has for checks at once go to whoever has something due."""

import pytest

from tests.domain.many_connections import connect_many
from tests.domain.world import World
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio

NEVER = 3_600.0


async def test_a_backlog_is_worked_off_without_a_poll_beside_services_that_have_nothing_due(world: World) -> None:
    """Nobody looks again by the clock: only checks that end, and leave their places, lead to the next claims."""
    await connect_many(world, await world.token(), 60)

    async def all_checked() -> bool:
        return all(row["next_check_at"] > world.clock() for row in await world.rows("connection_health"))

    async with world.worker(poll_seconds=NEVER, gather_seconds=NEVER).working():
        await eventually(all_checked)
