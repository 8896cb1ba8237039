"""Pages of a filtered list, walked both ways: what the filter lets through, once, and in order.

Where an index holds the filter's column in the list's order, PostgreSQL reads a range of it for each value asked for.
"""

from typing import Any

import pytest

from domain.entities.user import Viewer
from tests.documents.data import World
from tests.documents.reading import Reading
from tests.documents.values import Values

pytestmark = pytest.mark.anyio

_WALK = """query ($filter: ServiceConnectionFilter!, $order: ServiceConnectionOrder!, $first: Int, $after: String,
    $last: Int, $before: String) {
  organization(by: {slug: "acme"}) {
    connections(filter: $filter, orderBy: $order, first: $first, after: $after, last: $last, before: $before) {
      totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}"""
_NODES = """query ($filter: ServiceConnectionFilter!, $order: ServiceConnectionOrder!, $last: Int) {
  organization(by: {slug: "acme"}) { connections(filter: $filter, orderBy: $order, last: $last) { nodes { id } } }
}"""
_FILTERS: list[dict[str, list[str]]] = [
    {"status": ["ERROR"]},
    {"status": ["ACTIVE", "ERROR", "ACTIVE", "PENDING"]},
    {"status": []},
    {"health": ["HEALTHY", "UNKNOWN"]},
    {"status": ["ACTIVE", "INACTIVE"], "health": ["UNHEALTHY", "DEGRADED"]},
    {"status": ["ACTIVE", "INACTIVE", "PENDING", "ERROR"], "service": ["github"]},
]
_COLUMNS = {"status": "status", "health": "health_status", "service": "service"}


@pytest.fixture
def viewer(world: World) -> Viewer:
    """A member of every organization."""
    return Values(world).viewers()[0]


def _expected(world: World, filter_: dict[str, list[str]], direction: str) -> list[str]:
    """Ids in the order of CREATED_AT."""
    acme = world.table("organizations")[0]["id"]
    rows = [row for row in world.table("service_connections") if row["organization_id"] == acme]
    rows = [
        row
        for row in rows
        if row["deleted_at"] is None and all(row[_COLUMNS[name]] in values for name, values in filter_.items())
    ]
    rows.sort(key=lambda row: (row["created_at"], row["id"]), reverse=direction == "DESC")
    return [f"conn_{row['id']}" for row in rows]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("filter_", _FILTERS, ids=str)
@pytest.mark.parametrize("forward", [True, False], ids=["first", "last"])
async def test_a_walk_meets_what_the_filter_lets_through(
    read_path: Reading, world: World, viewer: Viewer, filter_: dict[str, list[str]], direction: str, forward: bool
) -> None:
    expected = _expected(world, filter_, direction)
    order = {"field": "CREATED_AT", "direction": direction}
    met: list[str] = []
    place: str | None = None
    while True:
        paging = {"first": 3, "after": place} if forward else {"last": 3, "before": place}
        data = await read_path.data(_WALK, viewer, {"filter": filter_, "order": order, **paging})
        page = data["organization"]["connections"]
        ids = [node["id"] for node in page["nodes"]]
        met = [*met, *ids] if forward else [*ids, *met]
        assert page["totalCount"] == len(expected)
        assert page["pageInfo"]["hasPreviousPage" if forward else "hasNextPage"] is (place is not None and bool(ids))
        if not page["pageInfo"]["hasNextPage" if forward else "hasPreviousPage"]:
            break
        place = page["pageInfo"]["endCursor" if forward else "startCursor"]
    assert met == expected


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_a_page_of_nodes_alone_has_the_last_ones_in_order(
    read_path: Reading, world: World, viewer: Viewer, direction: str
) -> None:
    filter_ = _FILTERS[1]
    variables: dict[str, Any] = {
        "filter": filter_,
        "order": {"field": "CREATED_AT", "direction": direction},
        "last": 4,
    }
    data = await read_path.data(_NODES, viewer, variables)
    expected = _expected(world, filter_, direction)
    assert len(expected) > 4
    assert [node["id"] for node in data["organization"]["connections"]["nodes"]] == expected[-4:]
