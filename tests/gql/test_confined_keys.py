"""A key of createApiKey is nobody outside its organization, in every query, mutation and subscription."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.entities.user import Role
from tests.gql.authorizing import authorizing_tether
from tests.gql.client import Client
from tests.gql.people import new_key, user_id
from tests.gql.server import TetherServer, uuid_of
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

MISSING = "01a20758-0000-7000-8000-000000000000"
MINE = "mine@acme.example"
ALL_OF_IT = (
    "query ($slug: String!) { organization(by: {slug: $slug}) { id members { nodes { user { id } } } "
    "apiKeys { nodes { id } } invitations { nodes { id } } connections { nodes { id credential { id } "
    "health { checks { nodes { id } } } repositories { nodes { id } } events { nodes { id } } } } } }"
)


class Places:
    """One person who owns two organizations, and a key of theirs that is confined to the first."""

    def __init__(self, server: TetherServer, person: Client, confined: Client, others: list[str]) -> None:
        self.server, self.person, self.confined, self.others = server, person, confined, others

    def first(self, prefix: str) -> str:
        return next(id_ for id_ in self.others if id_.startswith(prefix))


@pytest.fixture
async def server(database_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    async with authorizing_tether(database_url, sandbox, encryption_key) as running:
        yield running


@pytest.fixture
async def places(server: TetherServer) -> Places:
    person = server.client(await server.token("acme", MINE, Role.OWNER))
    await server.token("globex", MINE, Role.OWNER)
    globex = await server.organization_id("globex")
    connection = await server.connect(person, organizationId=globex)
    await person.mutate("syncRepositories", "complete", connectionId=connection["id"])
    await person.mutate("addMember", "invitation { id }", organizationId=globex, email="x@example.com", role="VIEWER")
    await server.token("globex", "stranger@globex.example", Role.MEMBER)
    confined, _ = await new_key(server, person, role="OWNER")
    others = sorted(_ids(await person.data(ALL_OF_IT, slug="globex")) - {await user_id(person)})
    assert {id_.partition("_")[0] for id_ in others} == {
        *("org", "user", "key", "inv", "conn", "cred", "chk", "repo", "evt")
    }
    return Places(server, person, confined, others)


async def test_it_reads_what_is_in_its_organization_and_nothing_else(places: Places) -> None:
    confined, person = places.confined, places.person
    viewer = "{ viewer { user { email } memberships { totalCount nodes { role organization { slug } } } } }"
    assert await confined.data(viewer) == {
        "viewer": {
            "user": {"email": MINE},
            "memberships": {"totalCount": 1, "nodes": [{"role": "OWNER", "organization": {"slug": "acme"}}]},
        }
    }
    assert (await person.data(viewer))["viewer"]["memberships"]["totalCount"] == 2
    assert (await confined.data(ALL_OF_IT, slug="acme"))["organization"] is not None
    assert await confined.data(ALL_OF_IT, slug="globex") == {"organization": None}
    for id_ in places.others:
        assert await confined.data("query ($id: ID!) { node(id: $id) { id } }", id=id_) == {"node": None}, id_
        assert (await person.data("query ($id: ID!) { node(id: $id) { id } }", id=id_))["node"] == {"id": id_}
    ids = places.others[:100]
    assert (await confined.data("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids))["nodes"] == [None] * len(
        ids
    )
    by_id = "query ($id: ID!) { organization(by: {id: $id}) { id } }"
    assert await confined.data(by_id, id=places.first("org_")) == {"organization": None}


async def test_it_changes_nothing_elsewhere_and_learns_nothing_by_trying(places: Places) -> None:
    organization, connection = places.first("org_"), places.first("conn_")
    token = {"token": {"token": "sandbox-github-acme"}}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("createConnection", {"organizationId": organization, "service": "github", "credential": token}),
        ("authorizeConnection", {"organizationId": organization, "service": "github"}),
        ("updateConnection", {"connectionId": connection, "name": "x"}),
        ("updateConnectionStatus", {"connectionId": connection, "status": "INACTIVE"}),
        ("rotateCredentials", {"connectionId": connection, "credential": token}),
        ("checkConnectionHealth", {"connectionId": connection}),
        ("syncRepositories", {"connectionId": connection}),
        ("updateRepository", {"repositoryId": places.first("repo_"), "selected": True}),
        ("deleteConnection", {"connectionId": connection}),
        ("updateOrganization", {"organizationId": organization, "name": "x"}),
        ("addMember", {"organizationId": organization, "email": "y@example.com", "role": "OWNER"}),
        ("updateMember", {"organizationId": organization, "userId": places.first("user_"), "role": "OWNER"}),
        ("removeMember", {"organizationId": organization, "userId": places.first("user_")}),
        ("removeInvitation", {"invitationId": places.first("inv_")}),
        ("createApiKey", {"organizationId": organization, "name": "x", "role": "VIEWER"}),
        ("revokeApiKey", {"apiKeyId": places.first("key_")}),
    ]
    tables = ("connection_events", "organizations", "memberships", "invitations", "api_keys", "audit_records")
    before = [await places.server.rows(table) for table in tables]
    for field, given in calls:
        told = await places.confined.user_error(field, **given)
        assert told["code"] == "NOT_FOUND", field
        id_ = next(name for name in given if name.endswith("Id"))
        missing = {**given, id_: f"{given[id_].partition('_')[0]}_{MISSING}"}
        assert await places.confined.user_error(field, **missing) == told
    after = [await places.server.rows(table) for table in tables]
    for rows in (before[4], after[4]):
        for row in rows:
            del row["last_used_at"]
    assert after == before


async def test_it_creates_no_organization(places: Places) -> None:
    mutation = "mutation ($input: CreateOrganizationInput!) { createOrganization(input: $input) { __typename } }"
    assert await places.confined.error(mutation, input={"slug": "new", "name": "New"}) == (
        "FORBIDDEN",
        "This key acts in the organization that issued it, and creates no other one.",
    )
    assert len(await places.server.rows("organizations")) == 2


async def test_it_follows_its_organization_and_no_other(places: Places) -> None:
    server, confined = places.server, places.confined
    for field in ("connectionEvents", "connectionHealth"):
        query = (
            f"subscription ($id: ID!, $after: String) {{ {field}(organizationId: $id, after: $after) {{ sequence }} }}"
        )
        other = places.first("org_")
        async with server.subscribe(confined, query, id=other, after=f"evt~{uuid_of(other)}~1~0") as followed:
            assert await followed.error() == ("FORBIDDEN", "You belong to no organization with this id.")
        own = await server.organization_id()
        async with server.subscribe(confined, query, id=own, after=f"evt~{uuid_of(own)}~1~0") as followed:
            await server.connect(confined)
            await followed.event()


def _ids(value: Any) -> set[str]:
    """Every id in an answer."""
    if isinstance(value, dict):
        own = {value["id"]} if isinstance(value.get("id"), str) else set()
        return own.union(*map(_ids, value.values()))
    return set().union(*map(_ids, value)) if isinstance(value, list) else set()
