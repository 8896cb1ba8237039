"""Pages: walks meet every item once and in order, both ways; the arguments' corners; what is refused, and how."""

from typing import Any

import pytest
from sqlalchemy import delete

from domain.entities.user import Role, Viewer
from persistence.tables import repositories
from tests.documents.data import World
from tests.documents.reading import Reading
from tests.documents.values import Values
from tests.every_row import every_row

pytestmark = pytest.mark.anyio

_COLUMNS = {
    "CREATED_AT": "created_at",
    "NAME": "name_key",
    "STATUS_CHANGED_AT": "status_changed_at",
    "CHECKED_AT": "checked_at",
}
_WALK = """query ($order: ServiceConnectionOrder!, $first: Int, $after: String, $last: Int, $before: String) {
  organization(by: {slug: "acme"}) {
    connections(orderBy: $order, first: $first, after: $after, last: $last, before: $before) {
      nodes { id } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}"""
_REPOSITORIES = """query ($first: Int, $after: String, $last: Int, $before: String) {
  organization(by: {slug: "acme"}) {
    repositories(first: $first, after: $after, last: $last, before: $before) {
      totalCount edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}"""


@pytest.fixture
def viewer(world: World) -> Viewer:
    """A member of every organization."""
    return Values(world).viewers()[0]


def _expected(world: World, order: str, direction: str) -> list[str]:
    acme = world.table("organizations")[0]["id"]
    rows = [row for row in world.table("service_connections") if row["organization_id"] == acme]
    checked = {row["connection_id"]: row["checked_at"] for row in world.table("connection_health")}
    rows = [{**row, "checked_at": checked[row["id"]]} for row in rows if row["deleted_at"] is None]
    column, never = _COLUMNS[order], min(row["created_at"] for row in rows).replace(year=1970)
    rows.sort(key=lambda row: (row[column] or never, row["id"]), reverse=direction == "DESC")
    return [f"conn_{row['id']}" for row in rows]


@pytest.mark.parametrize("size", [1, 7, 46, 100])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("order", _COLUMNS)
async def test_a_walk_meets_each_item_once_and_in_order(
    read_path: Reading, world: World, viewer: Viewer, order: str, direction: str, size: int
) -> None:
    expected = _expected(world, order, direction)
    ordered = {"order": {"field": order, "direction": direction}}
    for number, forward in enumerate((True, False)):
        met: list[str] = []
        cursor, compiled = None, read_path.documents.compiled
        while True:
            given = {"first": size, "after": cursor} if forward else {"last": size, "before": cursor}
            page = (await read_path.data(_WALK, viewer, ordered | given))["organization"]["connections"]
            ids = [node["id"] for node in page["nodes"]]
            assert ids == [edge["node"]["id"] for edge in page["edges"]]
            info, cursors = page["pageInfo"], [edge["cursor"] for edge in page["edges"]]
            assert [info["startCursor"], info["endCursor"]] == [cursors[0], cursors[-1]]
            met = met + ids if forward else ids + met
            more, less = ("hasNextPage", "hasPreviousPage") if forward else ("hasPreviousPage", "hasNextPage")
            assert info[less] is (cursor is not None)
            assert info[more] is (len(met) < len(expected))
            if not info[more]:
                break
            cursor = info["endCursor" if forward else "startCursor"]
        assert met == expected, number
        assert read_path.documents.compiled - compiled <= 2  # without a cursor, and with one


async def _page(read_path: Reading, viewer: Viewer, **given: Any) -> Any:
    return (await read_path.data(_REPOSITORIES, viewer, given))["organization"]["repositories"]


async def test_last_after_a_cursor_and_first_before_one(read_path: Reading, viewer: Viewer) -> None:
    whole = (await _page(read_path, viewer, first=30))["edges"]
    ids = [edge["node"]["id"] for edge in whole]
    after, before = whole[4]["cursor"], whole[20]["cursor"]
    page = await _page(read_path, viewer, first=3, before=before)
    assert [edge["node"]["id"] for edge in page["edges"]] == ids[:3]
    assert page["pageInfo"]["hasNextPage"] is True
    assert page["pageInfo"]["hasPreviousPage"] is False
    page = await _page(read_path, viewer, last=3, after=after, before=before)
    assert [edge["node"]["id"] for edge in page["edges"]] == ids[17:20]
    assert page["pageInfo"]["hasNextPage"] is page["pageInfo"]["hasPreviousPage"] is True
    page = await _page(read_path, viewer, last=100, after=after, before=before)
    assert [edge["node"]["id"] for edge in page["edges"]] == ids[5:20]
    assert page["pageInfo"]["hasPreviousPage"] is True  # what the cursor names precedes
    page = await _page(read_path, viewer, first=5, after=before, before=after)  # nothing lies between
    assert page["edges"] == []
    assert page["pageInfo"]["startCursor"] is page["pageInfo"]["endCursor"] is None


@pytest.mark.parametrize("way", ["first", "last"])
async def test_a_page_of_no_items_tells_whether_there_are_any(read_path: Reading, viewer: Viewer, way: str) -> None:
    page = await _page(read_path, viewer, **{way: 0})
    assert page["edges"] == []
    more, less = ("hasNextPage", "hasPreviousPage") if way == "first" else ("hasPreviousPage", "hasNextPage")
    assert page["pageInfo"] == {more: True, less: False, "startCursor": None, "endCursor": None}


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("first: 2) { pageInfo { hasPreviousPage }", {"pageInfo": {"hasPreviousPage": False}}),
        ("first: 2) { pageInfo { hasNextPage }", {"pageInfo": {"hasNextPage": True}}),
        ("last: 2) { pageInfo { hasPreviousPage }", {"pageInfo": {"hasPreviousPage": True}}),
        ("last: 2) { pageInfo { hasNextPage }", {"pageInfo": {"hasNextPage": False}}),
        ("first: 2) { pageInfo { __typename }", {"pageInfo": {"__typename": "PageInfo"}}),
        ("first: 0) { totalCount", {"totalCount": 46}),
        ('filter: {search: "nowhere"}) { totalCount nodes { id }', {"totalCount": 0, "nodes": []}),
        ("first: 1) { __typename", {"__typename": "ServiceConnectionConnection"}),
        ("first: 1) { nodes { id @skip(if: true) } edges { cursor @skip(if: true) }", {"nodes": [{}], "edges": [{}]}),
        ("first: 1) { pageInfo { endCursor @skip(if: true) }", {"pageInfo": {}}),
    ],
)
async def test_a_part_of_a_page_alone(read_path: Reading, viewer: Viewer, asked: str, answer: Any) -> None:
    text = f'{{organization(by: {{slug: "acme"}}) {{connections({asked} }} }} }}'
    assert (await read_path.data(text, viewer))["organization"] == {"connections": answer}


async def test_a_cursor_stays_good_when_its_item_is_gone(read_path: Reading, viewer: Viewer, world: World) -> None:
    whole = (await _page(read_path, viewer, first=12))["edges"]
    gone = whole[5]
    row = next(row for row in world.table("repositories") if f"repo_{row['id']}" == gone["node"]["id"])
    async with every_row(read_path.database) as connection:
        await connection.execute(delete(repositories).where(repositories.c.id == row["id"]))
    try:
        after = await _page(read_path, viewer, first=6, after=gone["cursor"])
        before = await _page(read_path, viewer, last=100, before=gone["cursor"])
    finally:
        async with every_row(read_path.database) as connection:
            await connection.execute(repositories.insert(), [row])
    assert [edge["node"] for edge in after["edges"]] == [edge["node"] for edge in whole[6:]]
    assert [edge["node"] for edge in before["edges"]] == [edge["node"] for edge in whole[:5]]
    assert after["pageInfo"]["hasPreviousPage"] is before["pageInfo"]["hasNextPage"] is True


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"first": 101}, "first is at least 0 and at most 100; it is 101. Ask for further pages."),
        ({"first": 1000}, "first is at least 0 and at most 100; it is 1000. Ask for further pages."),
        ({"first": -1}, "first is at least 0 and at most 100; it is -1. Ask for further pages."),
        ({"last": 101}, "last is at least 0 and at most 100; it is 101. Ask for further pages."),
        ({"last": -1}, "last is at least 0 and at most 100; it is -1. Ask for further pages."),
        ({"first": 1, "last": 1}, "Give either first or last, not both."),
        ({"after": ""}, "'' is no cursor. Use an endCursor, startCursor or edge's cursor of this list."),
        (
            {"before": "b" * 100},
            f"'{'b' * 80}' is no cursor. Use an endCursor, startCursor or edge's cursor of this list.",
        ),
        ({"after": "a~b~c~d"}, "This cursor is of another list, order or filter. Begin again without it."),
    ],
)
async def test_what_can_be_no_page_is_refused(
    read_path: Reading, viewer: Viewer, given: dict[str, Any], message: str
) -> None:
    for asked in ("totalCount", "pageInfo { hasPreviousPage }", "nodes { id }", "__typename"):
        text = _REPOSITORIES.replace(_REPOSITORIES[_REPOSITORIES.index("totalCount") :], asked + "}}}")
        answer = await read_path.answer(text, viewer, given)
        assert answer.error == ("BAD_USER_INPUT", message)
        assert answer.value == {"organization": None}


_OTHER = "This cursor is of another list, order or filter. Begin again without it."
_CHANGED = "This cursor has been changed. Use it as it was given."
_FOREIGN = "This cursor is of another organization. Begin again without it."


async def test_a_cursor_of_another_list_is_refused(read_path: Reading, viewer: Viewer, world: World) -> None:
    cursor = (await _page(read_path, viewer, first=2))["edges"][1]["cursor"]
    tag, scope, id_, key = cursor.split("~", 3)
    globex = world.table("organizations")[1]["id"]
    for slug, arguments, given, message in [
        ("acme", "repositories(", cursor, None),
        ("acme", "repositories(filter: {archived: false},", cursor, _OTHER),
        ("acme", 'repositories(filter: {search: "a"},', cursor, _OTHER),
        ("acme", "connections(", cursor, _OTHER),
        ("acme", "connections(orderBy: {field: NAME, direction: ASC},", cursor, _OTHER),
        ("acme", "members(", cursor, _OTHER),
        ("globex", "repositories(", cursor, _FOREIGN),
        ("acme", "repositories(", f"{tag}~{globex}~{id_}~{key}", _FOREIGN),
        ("acme", "repositories(", f"{tag}~{scope}~{id_[:-1]}~{key}", _CHANGED),
        ("acme", "repositories(", f"{tag}~x~{id_}~{key}", _CHANGED),
        ("acme", "repositories(", f"{tag}~{scope}~{id_}~\0", _CHANGED),
        ("acme", "repositories(", f"0{tag[1:]}~{scope}~{id_}~{key}", None if tag[0] == "0" else _OTHER),
    ]:
        for way in ("after", "before"):
            page = f"{arguments} {way}: $c) {{edges {{cursor}}}}"
            text = f'query ($c: String) {{organization(by: {{slug: "{slug}"}}) {{{page}}}}}'
            answer = await read_path.answer(text, viewer, {"c": given})
            assert [error["message"] for error in answer.errors] == ([] if message is None else [message])
            assert all(error["extensions"]["code"] == "BAD_USER_INPUT" for error in answer.errors)


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ("events", "99999999999999999999"),
        ("events", "-1"),
        ("events", "1_0"),
        ("events", "x"),
        ("connections", "0001-01-01T00:00:00+14:00"),
        ("connections", "9999-12-31T23:59:59-14:00"),
        ("connections", "2026-01-01T00:00:00"),
        ("connections", "yesterday"),
    ],
)
async def test_a_key_that_no_database_holds_is_refused(
    read_path: Reading, viewer: Viewer, asked: str, key: str
) -> None:
    page = f"{asked}(first: 1, after: $c) {{edges {{cursor}}}}"
    text = f'query ($c: String) {{organization(by: {{slug: "acme"}}) {{{page}}}}}'
    cursor = (await read_path.data(text, viewer))["organization"][asked]["edges"][0]["cursor"]
    answer = await read_path.answer(text, viewer, {"c": "~".join([*cursor.split("~", 3)[:3], key])})
    assert answer.error == ("BAD_USER_INPUT", _CHANGED)


async def test_another_viewers_cursor_of_their_memberships_is_refused(read_path: Reading, world: World) -> None:
    text = "query ($c: String) {viewer {memberships(first: 1, after: $c) {edges {cursor}}}}"
    viewers = [Viewer(user["id"], user["name"], Role.OWNER) for user in world.table("users")]
    cursor = (await read_path.data(text, viewers[0]))["viewer"]["memberships"]["edges"][0]["cursor"]
    assert (await read_path.answer(text, viewers[0], {"c": cursor})).errors == []
    assert (await read_path.answer(text, viewers[1], {"c": cursor})).error == ("BAD_USER_INPUT", _FOREIGN)


async def test_moments_divide_lists_where_the_schema_says(read_path: Reading, viewer: Viewer, world: World) -> None:
    """`expiringBefore` leaves out what ends at that very moment, `since` takes in what began at it."""
    acme = world.table("organizations")[0]["id"]
    credentials = [row for row in world.table("service_credentials") if row["organization_id"] == acme]
    ends = [row["refresh_expires_at" if row["refreshable"] else "expires_at"] for row in credentials]
    text = """query ($t: DateTime!) {
      organization(by: {slug: "acme"}) { connections(filter: {expiringBefore: $t}) { totalCount } }
    }"""
    moments = {end for end in ends if end is not None}
    assert len(moments) > 2
    for moment in moments:
        data = await read_path.data(text, viewer, {"t": moment.isoformat()})
        expected = sum(end is not None and end < moment for end in ends)
        assert data == {"organization": {"connections": {"totalCount": expected}}}
    check = next(row for row in world.table("health_checks") if row["organization_id"] == acme)
    deleted = {row["id"] for row in world.table("service_connections") if row["deleted_at"] is not None}
    assert check["connection_id"] not in deleted
    text = """query ($id: ID!, $t: DateTime!) {
      node(id: $id) { ... on ServiceConnection { health { checks(since: $t, first: 100) { nodes { id } } } } }
    }"""
    given = {"id": f"conn_{check['connection_id']}", "t": check["started_at"].isoformat()}
    nodes = (await read_path.data(text, viewer, given))["node"]["health"]["checks"]["nodes"]
    assert {"id": f"chk_{check['id']}"} in nodes
