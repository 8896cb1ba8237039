"""Visibility: what is another organization's, missing or no id at all looks alike, byte for byte."""

from uuid import UUID

import pytest

from domain.entities.user import Role, Viewer
from tests.documents.data import World
from tests.documents.reading import Reading
from tests.documents.values import Values
from tests.documents.world_maker import ROLES

pytestmark = pytest.mark.anyio

_MISSING = "00000000-0000-4000-8000-000000000000"
_TABLES = {
    "org": "organizations",
    "conn": "service_connections",
    "repo": "repositories",
    "cred": "service_credentials",
    "chk": "health_checks",
    "evt": "connection_events",
    "run": "command_runs",
    "key": "api_keys",
    "inv": "invitations",
    "aud": "audit_records",
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
    ids += [ids[0], f"user_{member.user_id}", f"key_{_MISSING}", ""]
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


_AUDIT_LOG = """query ($slug: String!) { organization(by: {slug: $slug}) { name
  log: auditLog(first: 2) { nodes { id action } totalCount }
  connections(first: 2) { nodes { organization { auditLog { totalCount } } } } } }"""


async def test_the_audit_log_is_refused_to_those_who_are_no_owners_and_all_else_is_answered(
    read_path: Reading, world: World
) -> None:
    owner = next(viewer for viewer in Values(world).viewers() if _role(world, viewer, "globex") == "OWNER")
    log = (await read_path.data(_AUDIT_LOG, owner, {"slug": "globex"}))["organization"]["log"]
    assert log["totalCount"] == 9
    assert len(log["nodes"]) == 2
    [record, _] = log["nodes"]
    assert (await read_path.data(_NODE, owner, {"id": record["id"]}))["node"]["id"] == record["id"]
    for cap in (Role.ADMIN, Role.MEMBER, Role.VIEWER):
        capped = Viewer(owner.user_id, owner.user_name, cap)
        answer = await read_path.answer(_AUDIT_LOG, capped, {"slug": "globex"})
        organization = answer.value["organization"]
        assert organization["name"] == "Globex\u2028"
        assert organization["log"] is None
        assert organization["connections"]["nodes"] == [{"organization": {"auditLog": None}}] * 2
        assert [error["path"] for error in answer.errors] == [
            ["organization", "log"],
            ["organization", "connections", "nodes", 0, "organization", "auditLog"],
            ["organization", "connections", "nodes", 1, "organization", "auditLog"],
        ]
        for error in answer.errors:
            assert error["extensions"]["code"] == "FORBIDDEN"
            assert error["message"] == f"This takes the role OWNER in the organization; you act in it as {cap}."
        assert [error["locations"][0]["line"] for error in answer.errors] == [2, 3, 3]
        assert (await read_path.answer(_NODE, capped, {"id": record["id"]})).data == b'{"node":null}'


async def test_more_refusals_than_anybody_reads_are_one_of_the_whole_document(read_path: Reading, world: World) -> None:
    user = world.table("users")[0]  # a VIEWER in acme
    logs = " ".join(f"{name}: auditLog {{ totalCount }}" for name in "abc")
    text = f"""query ($n: Int!) {{
      organization(by: {{slug: "acme"}}) {{ connections(first: $n) {{ nodes {{ organization {{ {logs} }} }} }} }}
    }}"""
    for first, whole in ((33, False), (34, True)):
        answer = await read_path.answer(text, Viewer(user["id"], user["name"], Role.OWNER), {"n": first})
        assert (answer.value == {"organization": None}) is whole
        assert len(answer.errors) == (1 if whole else 99)
        assert {error["extensions"]["code"] for error in answer.errors} == {"FORBIDDEN"}
        assert {error["message"].partition(";")[2] for error in answer.errors} == {" you act in it as VIEWER."}
        assert (answer.errors[0]["path"] == ["organization"]) is whole


async def test_the_audit_log_reads_on_from_its_cursors_and_takes_no_others(read_path: Reading, world: World) -> None:
    text = """query ($slug: String!, $after: String, $filter: AuditLogFilter) { organization(by: {slug: $slug}) {
      auditLog(first: 7, after: $after, filter: $filter) { nodes { id occurredAt } pageInfo { hasNextPage endCursor } }
    } }"""
    owner = next(viewer for viewer in Values(world).viewers() if _role(world, viewer, "acme") == "OWNER")
    seen: list[tuple[str, str]] = []
    after: str | None = None
    while True:
        page = (await read_path.data(text, owner, {"slug": "acme", "after": after}))["organization"]["auditLog"]
        seen += [(node["occurredAt"], node["id"]) for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == sorted(seen, reverse=True)
    assert sorted(id_ for _, id_ in seen) == sorted(f"aud_{id_}" for id_ in _ids(world, "audit_records", "acme"))
    filtered = {"slug": "acme", "after": after, "filter": {"actions": ["SIGNED_IN"]}}
    assert (await read_path.answer(text, owner, filtered)).error[0] == "BAD_USER_INPUT"
    for wrong in ({"userId": "user_x"}, {"userId": f"key_{_MISSING}"}, {"apiKeyId": f"user_{_MISSING}"}):
        answer = await read_path.answer(text, owner, {"slug": "acme", "filter": wrong})
        assert answer.error[0] == "BAD_USER_INPUT"


def _role(world: World, viewer: Viewer, slug: str) -> str | None:
    """The role that a viewer acts in there."""
    organization = next(row["id"] for row in world.table("organizations") if row["slug"] == slug)
    rows = [row for row in world.table("memberships") if row["organization_id"] == organization]
    found = [row["role"] for row in rows if row["user_id"] == viewer.user_id]
    return max(found[0], viewer.role_cap.value, key=ROLES.index) if found else None


async def test_a_former_member_keeps_their_email_address_to_themselves(read_path: Reading, world: World) -> None:
    """They are still named by what they did: in events, in the audit log, as who created a connection."""
    text = "query ($id: ID!) { node(id: $id) { ... on ConnectionEvent { actor { name user { id name email } } } } }"
    events: dict[tuple[UUID, UUID | None], str] = {}
    for event in world.table("connection_events"):
        events.setdefault((event["organization_id"], event["actor_user_id"]), f"evt_{event['id']}")
    members = {(row["organization_id"], row["user_id"]) for row in world.table("memberships")}
    users = {row["id"]: row for row in world.table("users")}
    shown = hidden = 0
    for (organization_id, actor_id), event_id in events.items():
        if actor_id is None or users[actor_id]["email"] is None:
            continue
        for reader_id in {user for organization, user in members if organization == organization_id}:
            together = {organization for organization, user in members if user == reader_id} & {
                organization for organization, user in members if user == actor_id
            }
            node = (await read_path.data(text, Viewer(reader_id, "", Role.VIEWER), {"id": event_id}))["node"]
            known = bool(together) or reader_id == actor_id
            expected = users[actor_id]["email"] if known else None
            assert node["actor"]["user"] == {
                "id": f"user_{actor_id}",
                "name": users[actor_id]["name"],
                "email": expected,
            }
            shown, hidden = shown + known, hidden + (not known)
    assert shown
    assert hidden


async def test_people_are_seen_by_those_who_share_an_organization(read_path: Reading, world: World) -> None:
    users = world.table("users")
    stranger, outsider = users[8], users[7]
    for viewer, seen in [(users[0], {0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11}), (stranger, {8}), (outsider, {0, 7})]:
        ids = [f"user_{user['id']}" for user in users]
        answer = (await read_path.data(_NODES, Viewer(viewer["id"], "", Role.VIEWER), {"ids": ids}))["nodes"]
        assert {number for number, node in enumerate(answer) if node is not None} == seen
