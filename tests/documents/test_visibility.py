"""Visibility: what is another organization's, missing or no id at all looks alike, byte for byte."""

import pytest

from domain.entities.user import Role, Viewer
from tests.documents.data import World
from tests.documents.reading import Reading
from tests.documents.values import Values

pytestmark = pytest.mark.anyio

_MISSING = "00000000-0000-4000-8000-000000000000"
_TABLES = {
    "org": "organizations",
    "conn": "service_connections",
    "repo": "repositories",
    "cred": "service_credentials",
    "chk": "health_checks",
    "evt": "connection_events",
}
_NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
_NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"


def _ids(world: World, table: str, slug: str) -> list[str]:
    organization = next(row["id"] for row in world.table("organizations") if row["slug"] == slug)
    column = "id" if table == "organizations" else "organization_id"
    return [str(row["id"]) for row in world.table(table) if row[column] == organization]


@pytest.fixture
def member(world: World) -> Viewer:
    """A member of acme alone."""
    user = world.table("users")[1]
    return Viewer(user["id"], user["name"], Role.OWNER)


@pytest.mark.parametrize("prefix", _TABLES)
async def test_a_foreign_node_looks_like_none(read_path: Reading, world: World, member: Viewer, prefix: str) -> None:
    own, foreign = (_ids(world, _TABLES[prefix], slug) for slug in ("acme", "globex"))
    malformed = [own[0], f"{prefix}_{own[0].upper()}", f"{prefix}_{own[0]}0", f"{prefix}-{own[0]}", f"{prefix}_", "\0"]
    alike = [f"{prefix}_{foreign[0]}", f"{prefix}_{_MISSING}", *malformed]
    answers = {(await read_path.answer(_NODE, member, {"id": id_})).data for id_ in alike}
    assert answers == {b'{"node":null}'}
    assert (
        await read_path.answer(_NODES, member, {"ids": alike})
    ).data == b'{"nodes":[null,null,null,null,null,null,null,null]}'
    everyone = Values(world).viewers()[0]
    assert (await read_path.data(_NODE, everyone, {"id": f"{prefix}_{foreign[0]}"}))["node"][
        "id"
    ] == f"{prefix}_{foreign[0]}"


async def test_nodes_answer_in_the_order_that_was_asked(read_path: Reading, world: World, member: Viewer) -> None:
    ids = [f"{prefix}_{_ids(world, table, 'acme')[-1]}" for prefix, table in _TABLES.items() if prefix != "conn"]
    ids += [ids[0], f"user_{member.user_id}", f"key_{world.table('api_keys')[0]['id']}", ""]
    answer = (await read_path.data(_NODES, member, {"ids": ids}))["nodes"]
    connections = {str(row["id"]): row for row in world.table("service_connections")}
    repository = next(row for row in world.table("repositories") if f"repo_{row['id']}" in ids)
    assert connections[str(repository["connection_id"])]["deleted_at"] is not None or answer[1] is not None
    shown = [None if node is None else node["id"] for node in answer]
    hidden = {"", ids[-2]} | ({ids[1]} if answer[1] is None else set())
    assert shown == [None if id_ in hidden else id_ for id_ in ids]


@pytest.mark.parametrize(
    "by",
    [
        {"slug": "globex"},
        {"slug": "nowhere"},
        {"slug": ""},
        {"slug": "Acme"},
        {"id": f"org_{_MISSING}"},
        {"id": ""},
        {"id": "acme"},
        {"id": "org_\0"},
    ],
    ids=str,
)
async def test_a_foreign_organization_looks_like_none(read_path: Reading, member: Viewer, by: dict[str, str]) -> None:
    answer = await read_path.answer("query ($by: OrganizationBy!) {organization(by: $by) {id}}", member, {"by": by})
    assert (answer.data, answer.errors) == (b'{"organization":null}', [])


async def test_a_foreign_organization_is_none_by_its_id(read_path: Reading, world: World, member: Viewer) -> None:
    (globex,) = _ids(world, "organizations", "globex")
    text = "query ($id: ID!) {organization(by: {id: $id}) {id}}"
    assert (await read_path.answer(text, member, {"id": f"org_{globex}"})).data == b'{"organization":null}'


async def test_deleted_connections_and_their_repositories_are_gone(
    read_path: Reading, world: World, member: Viewer
) -> None:
    deleted = [row["id"] for row in world.table("service_connections") if row["deleted_at"] is not None]
    repositories = [f"repo_{row['id']}" for row in world.table("repositories") if row["connection_id"] in deleted]
    ids = [*(f"conn_{id_}" for id_ in deleted), *repositories][:100]
    assert repositories
    assert (await read_path.data(_NODES, member, {"ids": ids}))["nodes"] == [None] * len(ids)


async def test_people_are_seen_by_those_who_share_an_organization(read_path: Reading, world: World) -> None:
    users = world.table("users")
    stranger, outsider = users[8], users[7]
    for viewer, seen in [(users[0], {0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11}), (stranger, {8}), (outsider, {0, 7})]:
        ids = [f"user_{user['id']}" for user in users]
        answer = (await read_path.data(_NODES, Viewer(viewer["id"], "", Role.VIEWER), {"ids": ids}))["nodes"]
        assert {number for number, node in enumerate(answer) if node is not None} == seen
