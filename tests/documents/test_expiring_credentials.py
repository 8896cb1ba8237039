"""Summary, filter and list mean the same by a credential that ends; the list is read along its index."""

import asyncio
import re
from datetime import timedelta

import pytest

from domain.entities.user import Viewer
from tests.documents.data import World
from tests.documents.reading import Reading
from tests.documents.values import Values
from tests.documents.world_maker import NOW

pytestmark = pytest.mark.anyio

_LIST = """query ($within: Int! = 7, $first: Int, $after: String, $before: DateTime!, $now: DateTime!) {
  organization(by: {slug: "acme"}) {
    connectionSummary { expiringCredentials }
    expiringCredentials(within: $within, first: $first, after: $after) {
      totalCount
      nodes { endsAt connection { id status credential { endsAt } } }
      pageInfo { endCursor hasNextPage }
    }
    living: connections(first: 100, filter: {expiringBefore: $before, status: [PENDING, ACTIVE, INACTIVE, ERROR]}) {
      nodes { id credential { endsAt } }
    }
    over: connections(first: 100, filter: {expiringBefore: $now}) { nodes { id } }
  }
}"""


@pytest.fixture
def viewer(world: World) -> Viewer:
    return Values(world).viewers()[0]


@pytest.mark.parametrize("days", [1, 7, 90, 400])
async def test_the_summary_the_filter_and_the_list_agree(read_path: Reading, viewer: Viewer, days: int) -> None:
    until = NOW + timedelta(days=days, microseconds=1)
    given = {"within": days, "before": until.isoformat(), "now": (NOW + timedelta(microseconds=1)).isoformat()}
    found = (await read_path.data(_LIST, viewer, given | {"first": 100}))["organization"]
    nodes = found["expiringCredentials"]["nodes"]
    assert len(nodes) == found["expiringCredentials"]["totalCount"]
    assert [node["endsAt"] for node in nodes] == sorted(node["endsAt"] for node in nodes)
    assert all(node["connection"]["credential"]["endsAt"] == node["endsAt"] for node in nodes)
    over = {one["id"] for one in found["over"]["nodes"]}
    assert {node["connection"]["id"] for node in nodes} == {one["id"] for one in found["living"]["nodes"]} - over
    if days == 7:
        assert len(nodes) == found["connectionSummary"]["expiringCredentials"] > 1
    walked: list[dict[str, object]] = []
    after: str | None = None
    more = True
    while more:
        page = (await read_path.data(_LIST, viewer, given | {"first": 2, "after": after}))["organization"]
        walked += page["expiringCredentials"]["nodes"]
        ends = page["expiringCredentials"]["pageInfo"]
        after, more = ends["endCursor"], ends["hasNextPage"]
    assert walked == nodes


@pytest.mark.parametrize("within", [0, -1, 401, 2**31 - 1])
async def test_days_out_of_bounds_are_refused(read_path: Reading, viewer: Viewer, within: int) -> None:
    text = 'query ($n: Int!) {organization(by: {slug: "acme"}) {expiringCredentials(within: $n) {totalCount}}}'
    answer = await read_path.answer(text, viewer, {"n": within})
    assert answer.error == ("BAD_USER_INPUT", f"within is a number of days from 1 to 400; it is {within}.")


async def test_the_list_is_read_along_its_index(read_path: Reading, viewer: Viewer) -> None:
    """PostgreSQL would read so few rows one after the other: it is told not to."""
    text = '{organization(by: {slug: "acme"}) {expiringCredentials {nodes {endsAt}}}}'
    await read_path.data(text, viewer)
    await asyncio.sleep(0)  # asyncpg tells its loggers in the loop's next turn
    before = len(read_path.statements)
    await read_path.data(text, viewer)
    await asyncio.sleep(0)
    sql, index = read_path.statements[before], "ix_service_credentials_organization_id_ends_at_id_connection_id"
    if read_path.database.dialect_name == "sqlite":
        plan = "\n".join(str(row[3]) for row in await read_path.database.fetch(f"EXPLAIN QUERY PLAN {sql}"))
        assert f"{index} (organization_id=? AND ends_at>? AND ends_at<?)" in plan
        assert "USE TEMP B-TREE" not in plan
        return
    parameters = max(int(number) for number in re.findall(r"\$(\d+)", sql))
    async with read_path.database.driver_connection() as driver:
        await driver.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
        await driver.execute(f"PREPARE page AS {sql}")
        rows = await driver.fetch(f"EXPLAIN EXECUTE page ({', '.join(['null'] * parameters)})")
        await driver.execute("DEALLOCATE page; RESET plan_cache_mode; RESET enable_seqscan")
    plan = "\n".join(row[0] for row in rows)
    assert re.search(rf"Index (Only )?Scan using {index} ", plan), plan
    assert "Sort" not in plan
