"""Who may do what: keys that are none, roles, and organizations of others, which look like those that don't exist."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from domain.entities.user import Role
from persistence.tables import api_keys, memberships
from tests.gql.client import JSON, RESPONSE_JSON, Answer, Client, without_cost
from tests.gql.server import TetherServer, uuid_of
from tests.gql.waiting import eventually
from tests.gql.web_socket import open_socket

pytestmark = pytest.mark.anyio

UNAUTHENTICATED = (
    "UNAUTHENTICATED",
    "This needs a valid API key of this server (tether_…), or a valid access token of an identity provider that it "
    "trusts, sent as 'Authorization: Bearer …'.",
)
VIEWER = "{ viewer { user { name } apiKey { role } } }"
FOLLOW = "subscription ($id: ID!, $after: String) { connectionEvents(organizationId: $id, after: $after) { sequence } }"


def _no_key(token: str) -> list[str]:
    """Texts that are no key of this server, but near to the one that is."""
    changed = token[:-1] + ("0" if token[-1] != "0" else "1")
    return ["x", "tether_", changed, token + "x", token.upper(), token.replace("tether_", "tethr_"), f"{token} {token}"]


async def test_without_a_token_nothing_is_told(shared_server: TetherServer) -> None:
    await shared_server.member()
    nobody = shared_server.client()

    for query in (
        VIEWER,
        '{ node(id: "x") { id } }',
        '{ nodes(ids: ["x"]) { id } }',
        '{ organization(by: {slug: "acme"}) { id } }',
        "{ services { id } }",
        'mutation { createOrganization(input: {slug: "a", name: "A"}) { userErrors { code } } }',
        'mutation { updateOrganization(input: {organizationId: "x"}) { userErrors { code } } }',
        'mutation { updateConnection(input: {connectionId: "x"}) { userErrors { code } } }',
        'mutation { updateConnectionStatus(input: {connectionId: "x", status: ACTIVE}) { userErrors { code } } }',
        'mutation { deleteConnection(input: {connectionId: "x"}) { userErrors { code } } }',
        'mutation { checkConnectionHealth(input: {connectionId: "x"}) { userErrors { code } } }',
        'mutation { rotateCredentials(input: {connectionId: "x"}) { userErrors { code } } }',
        'mutation { syncRepositories(input: {connectionId: "x"}) { userErrors { code } } }',
        'mutation { updateRepository(input: {repositoryId: "x", selected: true}) { userErrors { code } } }',
        'mutation { runCommand(input: {commandId: "x", connectionId: "x", arguments: {}}) { userErrors { code } } }',
        'mutation { addMember(input: {organizationId: "x", email: "x", role: OWNER}) { userErrors { code } } }',
        'mutation { removeInvitation(input: {invitationId: "x"}) { userErrors { code } } }',
        'mutation { updateMember(input: {organizationId: "x", userId: "x", role: OWNER}) { userErrors { code } } }',
        'mutation { removeMember(input: {organizationId: "x", userId: "x"}) { userErrors { code } } }',
        'mutation { createApiKey(input: {organizationId: "x", name: "x", role: OWNER}) { token } }',
        'mutation { revokeApiKey(input: {apiKeyId: "x"}) { userErrors { code } } }',
    ):
        answer = await nobody.execute(query)
        assert answer.status == 200
        assert answer.error == UNAUTHENTICATED
        assert not any((answer.body["data"] or {}).values())


async def test_a_token_that_is_none_is_refused_in_both_forms_of_an_answer(shared_server: TetherServer) -> None:
    for token in _no_key(await shared_server.token()):
        client = shared_server.client(token)
        for accept, status in ((JSON, 200), (RESPONSE_JSON, 401)):
            answer = await client.post({"query": VIEWER}, accept=accept)
            assert (answer.status, answer.error) == (status, UNAUTHENTICATED)
            assert "data" not in answer.body
            assert answer.response.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


@pytest.mark.parametrize("scheme", ["Basic {}", "{}", "Token {}", "Bearer"])
async def test_another_scheme_than_bearer_is_no_token(shared_server: TetherServer, scheme: str) -> None:
    headers = {"Authorization": scheme.format(await shared_server.token())}

    assert (
        Answer(await shared_server.http.post("/graphql", json={"query": VIEWER}, headers=headers)).error
        == UNAUTHENTICATED
    )


async def test_a_key_ends_within_5_seconds_after_it_is_revoked(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    other = await server.member(Role.OWNER)
    after = f"evt~{uuid_of(await server.organization_id())}~1~0"
    async with server.socket(client.token) as socket:
        await socket.subscribe(FOLLOW, id=await server.organization_id(), after=after)
        key_id = (await client.data("{ viewer { apiKey { id } } }"))["viewer"]["apiKey"]["id"]
        await server.alter(
            update(api_keys).where(api_keys.c.id == uuid_of(key_id)).values(revoked_at=datetime.now(UTC))
        )

        async def refused() -> bool:
            answer = await client.execute(VIEWER)
            return "errors" in answer.body and answer.error == UNAUTHENTICATED

        await eventually(refused, within_seconds=5)
        await server.connect(other)
        assert await socket.close_code() == 4403
        assert (await other.data(VIEWER))["viewer"]["user"] == {"name": "owner"}


async def test_a_key_ends_by_itself(server: TetherServer) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    token = await server.tether.user_service.issue_api_key("acme", "a@b.example", Role.OWNER, expires_at=soon)
    client = server.client(token.reveal())
    assert (await client.data(VIEWER))["viewer"]["user"] == {"name": "a"}

    async def refused() -> bool:
        answer = await client.execute(VIEWER)
        return "errors" in answer.body and answer.error == UNAUTHENTICATED

    await eventually(refused, within_seconds=5)
    assert datetime.now(UTC) >= soon


WHO = [Role.VIEWER, Role.MEMBER, Role.ADMIN, Role.OWNER]


@pytest.mark.parametrize(
    ("field", "needed", "members"),
    [
        ("checkConnectionHealth", Role.MEMBER, {}),
        ("updateConnection", Role.ADMIN, {"name": "New"}),
        ("updateConnectionStatus", Role.ADMIN, {"status": "INACTIVE"}),
        ("updateConnectionStatus", Role.ADMIN, {"status": "INACTIVE", "dryRun": True}),
        ("rotateCredentials", Role.ADMIN, {"credential": {"token": {"token": "sandbox-github-acme"}}}),
        ("deleteConnection", Role.ADMIN, {"dryRun": True}),
        ("deleteConnection", Role.ADMIN, {}),
        (
            "createConnection",
            Role.ADMIN,
            {"service": "github", "credential": {"token": {"token": "sandbox-github-acme"}}},
        ),
        ("updateOrganization", Role.ADMIN, {"checkIntervalSeconds": 600}),
        ("addMember", Role.OWNER, {"email": "new@example.com", "role": "VIEWER"}),
        ("createApiKey", Role.VIEWER, {"name": "bot", "role": "VIEWER"}),
    ],
)
async def test_each_mutation_takes_its_role_and_the_role_below_it_changes_nothing(
    shared_server: TetherServer, field: str, needed: Role, members: dict[str, Any]
) -> None:
    connection = await shared_server.connect(await shared_server.member(Role.OWNER))
    if field in {"createConnection", "updateOrganization", "addMember", "createApiKey"}:
        given = {"organizationId": await shared_server.organization_id(), **members}
    else:
        given = {"connectionId": connection["id"], **members}
    mutation = _mutation(field)

    for role in WHO:
        client = await shared_server.member(role)
        if role.covers(needed):
            assert (await client.data(mutation, input=given))[field] == {"userErrors": []}
            break
        tables = ("connection_events", "organizations", "invitations")
        before = [await shared_server.rows(table) for table in tables]
        answer = await client.execute(mutation, input=given)
        assert answer.error == (
            "FORBIDDEN",
            f"This takes the role {needed} in the organization; you act in it as {role}.",
        )
        assert answer.body["data"] is None
        assert [await shared_server.rows(table) for table in tables] == before


@pytest.mark.parametrize("role", WHO)
async def test_every_member_reads_and_follows(server: TetherServer, role: Role) -> None:
    client = await server.member(role)
    connection = await server.connect(await server.member(Role.ADMIN))
    after = f"evt~{uuid_of(await server.organization_id())}~1~0"

    found = await client.data(
        "query ($id: ID!) { viewer { memberships { nodes { role } } } node(id: $id) { ... on ServiceConnection "
        "{ availableStatuses organization { viewerRole } } } }",
        id=connection["id"],
    )
    assert found == {
        "viewer": {"memberships": {"nodes": [{"role": role}]}},
        "node": {
            "availableStatuses": ["INACTIVE"] if role.covers(Role.ADMIN) else [],
            "organization": {"viewerRole": role},
        },
    }
    query = (
        "subscription ($id: ID!, $after: String) { connectionHealth(organizationId: $id, after: $after) { sequence } }"
    )
    async with server.subscribe(client, query, id=await server.organization_id(), after=after) as followed:
        assert await followed.events(3) == [{"sequence": 2}, {"sequence": 3}, {"sequence": 4}]


async def test_a_key_caps_the_role_of_its_user(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    connection = await server.connect(owner)
    capped = server.client(await server.token("acme", "owner@acme.example", Role.VIEWER))
    status = (
        "query ($id: ID!) { viewer { apiKey { role } memberships { nodes { role organization { viewerRole } } } } "
        "node(id: $id) { ... on ServiceConnection { availableStatuses } } }"
    )

    assert await capped.data(status, id=connection["id"]) == {
        "viewer": {
            "apiKey": {"role": "VIEWER"},
            "memberships": {"nodes": [{"role": "OWNER", "organization": {"viewerRole": "VIEWER"}}]},
        },
        "node": {"availableStatuses": []},
    }
    assert await capped.error(_mutation("checkConnectionHealth"), input={"connectionId": connection["id"]}) == (
        "FORBIDDEN",
        "This takes the role MEMBER in the organization; you act in it as VIEWER.",
    )
    assert await capped.error(_mutation("createOrganization"), input={"slug": "new", "name": "New"}) == (
        "FORBIDDEN",
        "Who creates an organization becomes its owner, which takes a key with the role OWNER; this one has the role "
        "VIEWER.",
    )


async def test_a_member_who_leaves_loses_everything_at_once(server: TetherServer) -> None:
    client = await server.member(Role.ADMIN)
    connection = await server.connect(client)
    organization_id = await server.organization_id()
    assert (await client.data("query ($id: ID!) { node(id: $id) { id } }", id=connection["id"]))["node"] is not None

    await server.alter(delete(memberships))

    gone = await client.data(
        "query ($id: ID!, $organization: ID!) { viewer { user { name } memberships { totalCount } } "
        "node(id: $id) { id } organization(by: {id: $organization}) { id } }",
        id=connection["id"],
        organization=organization_id,
    )
    assert gone == {
        "viewer": {"user": {"name": "admin"}, "memberships": {"totalCount": 0}},
        "node": None,
        "organization": None,
    }
    assert (await client.user_error("checkConnectionHealth", connectionId=connection["id"]))["code"] == "NOT_FOUND"


MISSING = "01a20758-0000-7000-8000-000000000000"


async def test_what_is_anothers_answers_byte_for_byte_as_what_does_not_exist(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    await server.connect(owner)
    ids = await _ids_of_everything(owner)
    assert {id_.partition("_")[0] for id_ in ids} == {"conn", "org", "cred", "chk", "evt", "user"}
    stranger = await server.member(Role.OWNER, organization="globex")

    for id_ in ids:
        missing = f"{id_.partition('_')[0]}_{MISSING}"
        for query in (
            "query ($id: ID!) { node(id: $id) { id __typename } }",
            "query ($id: ID!) { nodes(ids: [$id]) { id } }",
            "query ($id: ID!) { organization(by: {id: $id}) { id } }",
        ):
            assert await _told(stranger, query, id=id_) == await _told(stranger, query, id=missing)
            assert (await owner.data(query, id=id_)) is not None
    slug = "query ($slug: String!) { organization(by: {slug: $slug}) { id } }"
    assert await _told(stranger, slug, slug="acme") == await _told(stranger, slug, slug="nobody")

    [connection] = [id_ for id_ in ids if id_.startswith("conn_")]
    [organization] = [id_ for id_ in ids if id_.startswith("org_")]
    token = {"token": {"token": "sandbox-github-acme"}}
    for field, members in (
        ("updateConnection", {"name": "x"}),
        ("updateConnectionStatus", {"status": "INACTIVE", "expectedVersion": 99}),
        ("deleteConnection", {}),
        ("checkConnectionHealth", {}),
        ("rotateCredentials", {"credential": token}),
    ):
        told = [
            await _told(
                stranger, _mutation(field, "__typename code message field"), input={"connectionId": id_, **members}
            )
            for id_ in (connection, f"conn_{MISSING}", "conn_x", organization)
        ]
        assert told[0] == told[1] == told[2] == told[3]
        assert json.loads(told[0])["data"][field]["userErrors"] == [
            {
                "__typename": "NotFound",
                "code": "NOT_FOUND",
                "message": "There is no connection with this id.",
                "field": ["input", "connectionId"],
            }
        ]
    told = [
        await _told(
            stranger,
            _mutation("createConnection", "__typename code message field"),
            input={"organizationId": id_, "service": "github", "credential": token},
        )
        for id_ in (organization, f"org_{MISSING}", "org_x")
    ]
    assert told[0] == told[1] == told[2]
    assert json.loads(told[0])["data"]["createConnection"]["userErrors"] == [
        {
            "__typename": "NotFound",
            "code": "NOT_FOUND",
            "message": "There is no organization with this id.",
            "field": ["input", "organizationId"],
        }
    ]
    filtered = "events(filter: {connectionIds: $ids}) { totalCount }"
    events = f'query ($ids: [ID!]) {{ organization(by: {{slug: "globex"}}) {{ {filtered} }} }}'
    assert await _told(stranger, events, ids=[connection]) == await _told(stranger, events, ids=[f"conn_{MISSING}"])
    for field in ("connectionEvents", "connectionHealth", "serviceEvents"):
        for id_ in (organization, f"org_{MISSING}", "org_x", connection):
            query = f"subscription ($id: ID!) {{ {field}(organizationId: $id) {{ cursor }} }}"
            async with server.subscribe(stranger, query, id=id_) as followed:
                assert await followed.error() == ("FORBIDDEN", "You belong to no organization with this id.")


async def test_a_socket_without_a_token_tells_what_is_missing(shared_server: TetherServer) -> None:
    await shared_server.member()
    async with shared_server.socket(None) as socket:
        following = await socket.subscribe(FOLLOW, id=await shared_server.organization_id())
        assert await following.error() == UNAUTHENTICATED
        reading = await socket.subscribe(VIEWER)
        assert await reading.error() == UNAUTHENTICATED


async def test_a_socket_takes_a_token_from_its_first_message_or_from_its_handshake(shared_server: TetherServer) -> None:
    token = await shared_server.token("acme", "owner@acme.example", Role.OWNER)
    good, bad = f"Bearer {token}", "Bearer x"
    for header, payload in ((None, good), (good, None), (good, good), (bad, good), (None, f"bearer  {token} ")):
        headers = None if header is None else {"Authorization": header}
        async with open_socket(shared_server.ws_url, headers=headers) as socket:
            await socket.init(None if payload is None else {"authorization": payload})
            assert (await (await socket.subscribe(VIEWER)).next())["viewer"]["user"] == {"name": "owner"}
    for header, payload in ((bad, None), (good, bad), (None, bad), (None, ""), (None, token), (bad, bad)):
        headers = None if header is None else {"Authorization": header}
        async with open_socket(shared_server.ws_url, headers=headers) as socket:
            members = {} if payload is None else {"payload": {"authorization": payload}}
            await socket.send({"type": "connection_init", **members})
            assert await socket.close_code() == 4403


def _mutation(field: str, errors: str = "code") -> str:
    type_name = field[0].upper() + field[1:] + "Input"
    return f"mutation ($input: {type_name}!) {{ {field}(input: $input) {{ userErrors {{ {errors} }} }} }}"


async def _told(client: Client, query: str, **variables: Any) -> str:
    """The whole answer as text, without what differs each time."""
    answer = await client.execute(query, **variables)
    assert answer.status == 200
    return without_cost(answer.response.text).replace(answer.request_id, "…")


async def _ids_of_everything(client: Client) -> list[str]:
    """The ids of all that an organization with one connection holds."""
    found = await client.data(
        '{ organization(by: {slug: "acme"}) { id members { nodes { user { id } } } connections { nodes { id '
        "credential { id } health { checks { nodes { id } } } events(first: 1) { nodes { id } } } } } }"
    )
    organization = found["organization"]
    [connection] = organization["connections"]["nodes"]
    [member] = organization["members"]["nodes"]
    [check] = connection["health"]["checks"]["nodes"]
    [event] = connection["events"]["nodes"]
    return [each["id"] for each in (organization, connection, connection["credential"], check, event, member["user"])]
