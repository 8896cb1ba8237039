"""Keys that members make for themselves: shown once, never above their maker, seen and revoked by whom it concerns."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from domain.entities.user import Role
from persistence.tables import api_keys
from tests.documented_examples import blocks_of
from tests.gql.client import Client
from tests.gql.people import key_id, new_key, recorded, user_id
from tests.gql.server import TetherServer, uuid_of
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio

WHO = "{ viewer { user { name } apiKey { id name role confined } } }"
KEYS = '{ organization(by: {slug: "acme"}) { apiKeys { totalCount nodes { id } } } }'


async def _listed(client: Client, arguments: str = "") -> list[str]:
    found = await client.data(KEYS.replace("apiKeys", f"apiKeys{arguments}"))
    keys = found["organization"]["apiKeys"]
    assert keys["totalCount"] == len(keys["nodes"])
    return [each["id"] for each in keys["nodes"]]


async def test_a_member_makes_a_key_whose_token_is_shown_once(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    ends = datetime.now(UTC) + timedelta(days=30)

    payload = await owner.mutate(
        "createApiKey",
        "token apiKey { id hint name role confined expiresAt revokedAt lastUsedAt user { name } } "
        "organization { slug }",
        organizationId=await server.organization_id(),
        name="  deploy bot ",
        role="MEMBER",
        expiresAt=ends.isoformat(),
    )

    token, key = payload["token"], payload["apiKey"]
    assert token.startswith(f"tether_{uuid_of(key['id']).hex}_")
    assert token.startswith(key["hint"])
    assert datetime.fromisoformat(key.pop("expiresAt")) == ends
    assert key == {
        "id": key["id"],
        "hint": f"tether_{uuid_of(key['id']).hex[:12]}",
        "name": "deploy bot",
        "role": "MEMBER",
        "confined": True,
        "revokedAt": None,
        "lastUsedAt": None,
        "user": {"name": "owner"},
    }
    assert payload["organization"] == {"slug": "acme"}
    assert await server.client(token).data(WHO) == {
        "viewer": {
            "user": {"name": "owner"},
            "apiKey": {"id": key["id"], "name": "deploy bot", "role": "MEMBER", "confined": True},
        }
    }
    for table in ("api_keys", "audit_records", "idempotency_keys"):
        assert token.rpartition("_")[2] not in repr(await server.rows(table))
    given = {"role": "MEMBER", "user": await user_id(owner)}
    assert await recorded(server) == [("API_KEY_CREATED", "Issued by the operator", "deploy bot", given)]

    async def used() -> Any:
        found = await owner.data("query ($id: ID!) { node(id: $id) { ... on ApiKey { lastUsedAt } } }", id=key["id"])
        return found["node"]["lastUsedAt"]

    assert datetime.now(UTC) - datetime.fromisoformat(await eventually(used)) < timedelta(minutes=1)


async def test_the_same_call_again_makes_no_second_key_and_knows_no_token(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    given = {
        "organizationId": await server.organization_id(),
        "name": "bot",
        "role": "ADMIN",
        "expiresAt": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
        "idempotencyKey": "once",
    }

    made = await asyncio.gather(*(owner.mutate("createApiKey", "token apiKey { id }", **given) for _ in range(4)))
    again = await owner.mutate("createApiKey", "token apiKey { id }", **given)

    assert len({each["apiKey"]["id"] for each in [*made, again]}) == 1
    [token] = [each["token"] for each in made if each["token"] is not None]
    assert again["token"] is None
    assert again["userErrors"] == []
    await server.client(token).data(WHO)
    assert len(await server.rows("api_keys")) == 2
    error = await owner.user_error("createApiKey", **{**given, "name": "another"})
    assert error["code"] == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("role", list(Role))
async def test_no_key_is_above_its_maker(server: TetherServer, role: Role) -> None:
    await server.member(Role.OWNER)
    client = await server.member(role)
    for wanted in Role:
        if role.covers(wanted):
            made, key = await new_key(server, client, role=wanted, selection="role")
            assert key == {"role": wanted}
            shown = await made.data('{ organization(by: {slug: "acme"}) { viewerRole } }')
            assert shown["organization"]["viewerRole"] == wanted
        else:
            error = await client.user_error(
                "createApiKey", organizationId=await server.organization_id(), name="bot", role=wanted
            )
            assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "role"])
            assert error["message"] == f"You act in the organization as {role}, and no key of yours is more than that."


async def test_a_key_makes_keys_up_to_itself_that_end_with_it(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    ends = datetime.now(UTC) + timedelta(days=2)
    maker, _ = await new_key(server, owner, role="MEMBER", expiresAt=ends.isoformat())
    given = {"organizationId": await server.organization_id(), "name": "bot", "role": "MEMBER"}

    _, made = await new_key(server, maker, role="MEMBER", selection="expiresAt")
    assert datetime.fromisoformat(made["expiresAt"]) == ends
    sooner = ends - timedelta(days=1)
    _, made = await new_key(server, maker, expiresAt=sooner.isoformat(), selection="expiresAt")
    assert datetime.fromisoformat(made["expiresAt"]) == sooner
    later = await maker.user_error("createApiKey", **given, expiresAt=(ends + timedelta(seconds=1)).isoformat())
    assert (later["code"], later["field"]) == ("INVALID_INPUT", ["input", "expiresAt"])
    above = await maker.user_error("createApiKey", **{**given, "role": "ADMIN"})
    assert (above["code"], above["field"]) == ("INVALID_INPUT", ["input", "role"])


async def test_revoking_a_key_ends_all_that_came_of_it_and_the_documented_query_tells(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    stolen, key = await new_key(server, await server.member(Role.MEMBER))
    made = [await new_key(server, stolen) for _ in range(2)]
    grandchild, _ = await new_key(server, made[0][0])
    other, _ = await new_key(server, owner)
    await owner.mutate("revokeApiKey", "apiKey { id }", apiKeyId=made[0][1]["id"])
    await owner.mutate("revokeApiKey", "apiKey { id }", apiKeyId=key["id"])
    [query] = [block.text for block in blocks_of("docs/people.md") if "query Stolen" in block.text]

    found = (await owner.data(query, key=key["id"]))["organization"]["auditLog"]["nodes"]

    assert [each["subjectId"] for each in found] == [each["id"] for _, each in reversed(made)]
    for client in (stolen, grandchild, *(client for client, _ in made)):
        assert (await client.error(WHO))[0] == "UNAUTHENTICATED"
    await other.data(WHO)
    revoked = [row for row in await server.rows("audit_records") if row["action"] == "API_KEY_REVOKED"]
    assert [row["data"].get("by") for row in sorted(revoked, key=lambda row: row["id"])] == [None, "maker"] * 2


async def test_a_key_makes_keys_in_each_organization_that_it_may_act_in_and_takes_them_with_it(
    server: TetherServer,
) -> None:
    owner = await server.member(Role.OWNER)
    [maker] = await server.rows("api_keys")
    elsewhere = await owner.mutate("createOrganization", "organization { id }", slug="elsewhere", name="Elsewhere")
    made, _ = await new_key(server, owner, organizationId=elsewhere["organization"]["id"])
    await made.data(WHO)
    await owner.mutate("revokeApiKey", "apiKey { id }", apiKeyId=f"key_{maker['id']}")
    assert (await made.error(WHO))[0] == "UNAUTHENTICATED"


async def test_a_key_that_was_just_revoked_makes_no_other_one(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    maker, key = await new_key(server, owner)
    await maker.data(WHO)  # so that this process knows whose it is, and asks nobody for a moment
    await server.alter(update(api_keys).where(api_keys.c.id == uuid_of(key["id"])).values(revoked_at=datetime.now(UTC)))
    mutation = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { token } }"
    given = {"organizationId": await server.organization_id(), "name": "bot", "role": "VIEWER"}

    assert (await maker.error(mutation, input=given))[0] == "UNAUTHENTICATED"
    assert len(await server.rows("api_keys")) == 2


@pytest.mark.parametrize(
    ("members", "field"),
    [({"name": " "}, "name"), ({"name": "x" * 101}, "name"), ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt")],
)
async def test_what_no_key_can_be_is_refused(shared_server: TetherServer, members: dict[str, str], field: str) -> None:
    owner = await shared_server.member(Role.OWNER)
    given = {"organizationId": await shared_server.organization_id(), "name": "bot", "role": "VIEWER", **members}
    error = await owner.user_error("createApiKey", **given)
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", field])


async def test_members_see_their_own_keys_and_admins_all(server: TetherServer) -> None:
    clients = {role: await server.member(role) for role in Role}
    made = {role: [(await new_key(server, client))[1]["id"], await key_id(client)] for role, client in clients.items()}
    newest_first = [made[role][0] for role in reversed(Role)] + [made[role][1] for role in reversed(Role)]
    stranger = await server.member(Role.OWNER, organization="globex")
    node = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    for role, client in clients.items():
        seen = newest_first if role.covers(Role.ADMIN) else made[role]
        assert await _listed(client) == seen
        nodes = (await client.data(node, ids=newest_first))["nodes"]
        assert [each and each["id"] for each in nodes] == [id_ if id_ in seen else None for id_ in newest_first]
    assert (await stranger.data(node, ids=newest_first))["nodes"] == [None] * 8
    capped = server.client(await server.token("acme", "owner@acme.example", Role.MEMBER))
    assert await _listed(capped) == [await key_id(capped), *made[Role.OWNER]]


async def test_keys_are_listed_by_whether_they_open_something(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    ended, living, revoked = [(await new_key(server, owner, name=name))[1]["id"] for name in ("a", "b", "c")]
    past = datetime.now(UTC) - timedelta(seconds=1)
    await server.alter(update(api_keys).where(api_keys.c.id == uuid_of(ended)).values(expires_at=past))
    await owner.mutate("revokeApiKey", "apiKey { id }", apiKeyId=revoked)

    assert await _listed(owner, "(usable: true)") == [living, await key_id(owner)]
    assert await _listed(owner, "(usable: false)") == [revoked, ended]
    assert len(await _listed(owner, "(usable: null)")) == 4


async def test_who_sees_a_key_may_revoke_it_if_it_is_theirs_or_they_own_the_organization(server: TetherServer) -> None:
    owner, admin, member = [await server.member(role) for role in (Role.OWNER, Role.ADMIN, Role.MEMBER)]
    stranger = await server.member(Role.OWNER, organization="globex")
    members_key, key = await new_key(server, member)
    owners_key, owners = await new_key(server, owner)
    mutation = "mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { apiKey { id } } }"

    assert await admin.error(mutation, input={"apiKeyId": key["id"]}) == (
        "FORBIDDEN",
        "This takes the role OWNER in the organization; you act in it as ADMIN.",
    )
    unseen = [
        await client.user_error("revokeApiKey", apiKeyId=id_)
        for client, id_ in ((member, owners["id"]), (stranger, key["id"]), (owner, "key_x"))
    ]
    assert unseen[0] == unseen[1] == unseen[2]
    assert unseen[0]["code"] == "NOT_FOUND"
    await members_key.data(WHO)
    await owners_key.data(WHO)

    for client, id_, ended in ((owner, key["id"], members_key), (owner, owners["id"], owners_key)):
        for _ in range(2):  # the second time it is so already
            payload = await client.mutate("revokeApiKey", "apiKey { id revokedAt } organization { slug }", apiKeyId=id_)
            assert payload["apiKey"]["id"] == id_
            assert payload["apiKey"]["revokedAt"] is not None
            assert payload["organization"] == {"slug": "acme"}
        assert (await ended.error(WHO))[0] == "UNAUTHENTICATED"
    told = [(action, subject) for action, _, subject, _ in await recorded(server)]
    assert told == [("API_KEY_CREATED", "deploy bot")] * 2 + [("API_KEY_REVOKED", "deploy bot")] * 2


async def test_a_key_revokes_itself_but_none_that_is_above_it(server: TetherServer) -> None:
    member = await server.member(Role.MEMBER)
    lower, own = await new_key(server, member, role="VIEWER")
    _, higher = await new_key(server, member, role="MEMBER")
    mutation = "mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { apiKey { id } } }"

    assert await lower.error(mutation, input={"apiKeyId": higher["id"]}) == (
        "FORBIDDEN",
        "This key acts as VIEWER and revokes none that is above it: that one is MEMBER.",
    )
    await lower.mutate("revokeApiKey", "apiKey { id }", apiKeyId=own["id"])
    assert (await lower.error(WHO))[0] == "UNAUTHENTICATED"
    await member.mutate("revokeApiKey", "apiKey { id }", apiKeyId=higher["id"])
