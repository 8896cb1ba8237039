"""Members and invitations through the API: who may, what it says, and what it never tells."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from domain.entities.identifiers import Kind, typed_id
from domain.entities.user import Role
from persistence.tables import invitations
from tests.gql.client import Client
from tests.gql.people import key_id, new_key, recorded, signs_in, user_id
from tests.gql.server import TetherServer

pytestmark = pytest.mark.anyio

INVITED = "invitation { id email role invitedBy { email } createdAt expiresAt } membership { role }"
GRACE = "grace@example.com"


async def _invite(server: TetherServer, client: Client, email: str = GRACE, role: Role = Role.MEMBER) -> Any:
    payload = await client.mutate(
        "addMember", INVITED, organizationId=await server.organization_id(), email=email, role=role
    )
    assert payload["userErrors"] == []
    return payload


async def _roles(client: Client) -> dict[str, str]:
    found = await client.data('{ organization(by: {slug: "acme"}) { members { nodes { role user { email } } } } }')
    return {each["user"]["email"]: each["role"] for each in found["organization"]["members"]["nodes"]}


# Invitations


async def test_a_person_is_invited_and_becomes_a_member_when_they_sign_in(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)

    payload = await _invite(server, owner, f"  {GRACE} ", Role.ADMIN)
    invitation = payload["invitation"]
    assert (invitation["email"], invitation["role"]) == (GRACE, "ADMIN")
    assert invitation["invitedBy"] == {"email": "owner@acme.example"}
    lasts = datetime.fromisoformat(invitation["expiresAt"]) - datetime.fromisoformat(invitation["createdAt"])
    assert lasts == timedelta(days=7)
    assert payload["membership"] is None
    listed = '{ organization(by: {slug: "acme"}) { invitations { totalCount nodes { id email role } } } }'
    assert (await owner.data(listed))["organization"]["invitations"] == {
        "totalCount": 1,
        "nodes": [{"id": invitation["id"], "email": GRACE, "role": "ADMIN"}],
    }

    by_key = server.client(await server.token("globex", GRACE, Role.OWNER))
    places = "{ viewer { memberships { nodes { organization { slug } } } } }"
    assert [each["organization"] for each in (await by_key.data(places))["viewer"]["memberships"]["nodes"]] == [
        {"slug": "globex"}
    ]

    await signs_in(server, GRACE.upper())

    assert (await owner.data(listed))["organization"]["invitations"] == {"totalCount": 0, "nodes": []}
    assert (await _roles(owner))[GRACE.upper()] == "ADMIN"
    assert await recorded(server) == [
        ("MEMBER_INVITED", "Issued by the operator", GRACE, {"role": "ADMIN"}),
        ("MEMBER_JOINED", "GRACE", "GRACE", {"by": "invitation", "role": "ADMIN"}),
    ]


async def test_inviting_again_changes_role_and_end_of_the_one_invitation(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    first = (await _invite(server, owner, role=Role.OWNER))["invitation"]
    soon = datetime.fromisoformat(first["createdAt"]) + timedelta(minutes=1)
    await server.alter(update(invitations).values(expires_at=soon))

    second = (await _invite(server, owner, GRACE.title(), Role.VIEWER))["invitation"]

    assert second["id"] == first["id"]
    assert (second["role"], second["createdAt"]) == ("VIEWER", first["createdAt"])
    assert second["expiresAt"] > first["expiresAt"]
    user = await signs_in(server, GRACE)
    assert (await _roles(owner))[user.email or ""] == "VIEWER"


async def test_an_invitation_whose_time_is_over_is_shown_and_opens_nothing(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    invitation = (await _invite(server, owner))["invitation"]
    past = datetime.fromisoformat(invitation["createdAt"])
    await server.alter(update(invitations).values(expires_at=past))

    await signs_in(server, GRACE)

    assert GRACE not in await _roles(owner)
    found = await owner.data("query ($id: ID!) { node(id: $id) { ... on Invitation { email } } }", id=invitation["id"])
    assert found["node"] == {"email": GRACE}
    await _invite(server, owner)
    await signs_in(server, GRACE)
    assert (await _roles(owner))[GRACE] == "MEMBER"


async def test_a_withdrawn_invitation_cannot_be_claimed(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    invitation = (await _invite(server, owner))["invitation"]

    removed = await owner.mutate(
        "removeInvitation",
        "removedInvitationId organization { invitations { totalCount } }",
        invitationId=invitation["id"],
    )

    assert removed == {
        "removedInvitationId": invitation["id"],
        "organization": {"invitations": {"totalCount": 0}},
        "userErrors": [],
    }
    again = await owner.user_error("removeInvitation", invitationId=invitation["id"])
    assert again["message"] == "There is no invitation with this id."
    await signs_in(server, GRACE)
    assert GRACE not in await _roles(owner)
    assert [action for action, *_ in await recorded(server)] == ["MEMBER_INVITED", "INVITATION_WITHDRAWN"]


async def test_who_is_a_member_already_is_not_invited(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    await server.member(Role.MEMBER)

    error = await owner.user_error(
        "addMember", organizationId=await server.organization_id(), email="Member@ACME.example", role="ADMIN"
    )

    assert error == {
        "__typename": "InvalidInput",
        "code": "ALREADY_MEMBER",
        "message": "Somebody with this e-mail address is a member already.",
        "field": ["input", "email"],
    }
    assert await server.rows("invitations") == []
    assert await recorded(server) == []


@pytest.mark.parametrize("email", ["", "ada", "a b@example.com", "ada@exa\nmple.com", "ada@", "a@b@c"])
async def test_what_is_no_address_is_refused(shared_server: TetherServer, email: str) -> None:
    owner = await shared_server.member(Role.OWNER)
    error = await owner.user_error(
        "addMember", organizationId=await shared_server.organization_id(), email=email, role="ADMIN"
    )
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "email"])


async def test_nobody_learns_whether_an_address_is_known_elsewhere(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    await server.member(Role.OWNER, organization="globex")
    await signs_in(server, "signed-in@example.com")
    told = []
    for email in ("owner@globex.example", "signed-in@example.com", "nobody@example.com"):
        payload = await _invite(server, owner, email)
        for changing in ("id", "createdAt", "expiresAt", "email"):
            del payload["invitation"][changing]
        told.append(json.dumps(payload))
    assert told[0] == told[1] == told[2]


async def test_the_same_call_again_invites_once_and_tells_when_the_invitation_is_claimed(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    given = {"organizationId": await server.organization_id(), "email": GRACE, "role": "MEMBER", "idempotencyKey": "1"}

    made = await asyncio.gather(*(owner.mutate("addMember", INVITED, **given) for _ in range(4)))
    assert all(each == made[0] for each in made)
    assert await owner.mutate("addMember", INVITED, **given) == made[0]
    await signs_in(server, GRACE)
    last = await owner.mutate("addMember", INVITED, **given)

    assert last == {"invitation": None, "membership": {"role": "MEMBER"}, "userErrors": []}
    assert [action for action, *_ in await recorded(server)] == ["MEMBER_INVITED", "MEMBER_JOINED"]
    error = await owner.user_error("addMember", **{**given, "role": "ADMIN"})
    assert error["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_invitations_are_for_those_who_may_manage_people(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    invitation = (await _invite(server, owner))["invitation"]
    capped = server.client(await server.token("acme", "owner@acme.example", Role.ADMIN))
    listed = '{ organization(by: {slug: "acme"}) { slug invitations { totalCount } } }'
    node = "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }"

    for client, role in ((await server.member(Role.ADMIN), "ADMIN"), (capped, "ADMIN")):
        answer = await client.execute(listed)
        assert answer.body["data"] == {"organization": {"slug": "acme", "invitations": None}}
        [error] = answer.errors
        assert (error["extensions"]["code"], error["path"]) == ("FORBIDDEN", ["organization", "invitations"])
        assert error["message"] == f"This takes the role OWNER in the organization; you act in it as {role}."
        assert await client.data(node, id=invitation["id"]) == {"node": None, "nodes": [None]}
        refused = await client.user_error("removeInvitation", invitationId=invitation["id"])
        assert refused["code"] == "NOT_FOUND"
    assert (await owner.data(node, id=invitation["id"]))["node"] == {"id": invitation["id"]}
    stranger = await server.member(Role.OWNER, organization="globex")
    assert (await stranger.data(node, id=invitation["id"])) == {"node": None, "nodes": [None]}
    refused = await stranger.user_error("removeInvitation", invitationId=invitation["id"])
    assert refused == await stranger.user_error("removeInvitation", invitationId="inv_x")


# Members


async def test_an_owner_changes_a_members_role(server: TetherServer) -> None:
    owner, member = await server.member(Role.OWNER), await server.member(Role.MEMBER)
    given = {"organizationId": await server.organization_id(), "userId": await user_id(member)}

    for _ in range(2):  # the second time there is nothing to change
        payload = await owner.mutate(
            "updateMember", "membership { role user { name } organization { slug } }", **given, role="ADMIN"
        )
        assert payload["membership"] == {"role": "ADMIN", "user": {"name": "member"}, "organization": {"slug": "acme"}}

    assert await recorded(server) == [
        ("MEMBER_UPDATED", "Issued by the operator", "member", {"role": "ADMIN", "from": "MEMBER"})
    ]


async def test_the_last_owner_stays_one_and_stays(server: TetherServer) -> None:
    owner, admin = await server.member(Role.OWNER), await server.member(Role.ADMIN)
    organization_id = await server.organization_id()
    owners = {"organizationId": organization_id, "userId": await user_id(owner)}
    last = {
        "__typename": "InvalidInput",
        "code": "LAST_OWNER",
        "message": "An organization always has an owner, and this is the last one. Make somebody else an owner first.",
        "field": ["input", "userId"],
    }

    assert await owner.user_error("updateMember", **owners, role="ADMIN") == last
    assert await owner.user_error("removeMember", **owners) == last
    assert await recorded(server) == []

    admins = {"organizationId": organization_id, "userId": await user_id(admin)}
    await owner.mutate("updateMember", "membership { role }", **admins, role="OWNER")
    left = await owner.mutate("removeMember", "removedUserId organization { id }", **owners)
    assert left == {"removedUserId": owners["userId"], "organization": None, "userErrors": []}


async def test_a_removed_member_and_their_keys_are_nobody_there_any_more(server: TetherServer) -> None:
    owner, member = await server.member(Role.OWNER), await server.member(Role.MEMBER)
    connection = await server.connect(owner)
    own_key, key = await new_key(server, member)
    elsewhere = server.client(await server.token("globex", "member@acme.example", Role.ADMIN))
    member_id, organization_id = await user_id(member), await server.organization_id()
    await _invite(server, owner, "someone-else@example.com")

    payload = await owner.mutate(
        "removeMember",
        "removedUserId organization { members { nodes { user { email } } } }",
        organizationId=organization_id,
        userId=member_id,
    )

    assert payload["removedUserId"] == member_id
    assert payload["organization"] == {"members": {"nodes": [{"user": {"email": "owner@acme.example"}}]}}
    for client in (member, own_key):  # at once, in the process that was told
        assert (await client.error("{ viewer { user { id } } }"))[0] == "UNAUTHENTICATED"
    seen = await elsewhere.data(
        "query ($id: ID!, $organization: ID!) { viewer { memberships { nodes { organization { slug } } } } "
        "node(id: $id) { id } organization(by: {id: $organization}) { id } }",
        id=connection["id"],
        organization=organization_id,
    )
    assert seen == {
        "viewer": {"memberships": {"nodes": [{"organization": {"slug": "globex"}}]}},
        "node": None,
        "organization": None,
    }
    shown = await owner.data("query ($id: ID!) { node(id: $id) { ... on ApiKey { revokedAt } } }", id=key["id"])
    assert shown["node"]["revokedAt"] is not None
    told = [(action, subject) for action, _, subject, _ in await recorded(server)]
    assert told[:3] == [
        ("API_KEY_CREATED", "deploy bot"),
        ("MEMBER_INVITED", "someone-else@example.com"),
        ("MEMBER_REMOVED", "member"),
    ]
    assert sorted(told[3:]) == [("API_KEY_REVOKED", "Issued by the operator"), ("API_KEY_REVOKED", "deploy bot")]
    assert len(await server.rows("invitations")) == 1


async def test_what_a_removed_member_was_invited_to_ends_with_the_membership(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    user = await signs_in(server, GRACE)
    await _invite(server, owner)
    await server.token("acme", GRACE, Role.MEMBER)  # the operator was faster

    given = {"organizationId": await server.organization_id(), "userId": typed_id(Kind.USER, user.id)}
    await owner.mutate("removeMember", "removedUserId", **given)
    await signs_in(server, GRACE)

    assert GRACE not in await _roles(owner)
    assert (await recorded(server))[1] == (
        ("INVITATION_WITHDRAWN", "Issued by the operator", GRACE, {"role": "MEMBER", "by": "removal"})
    )


async def test_a_new_role_is_not_undone_by_an_invitation_from_before(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    user = await signs_in(server, GRACE)
    await _invite(server, owner, role=Role.OWNER)
    await server.token("acme", GRACE, Role.ADMIN)  # the operator was faster

    given = {"organizationId": await server.organization_id(), "userId": typed_id(Kind.USER, user.id)}
    await owner.mutate("updateMember", "membership { role }", **given, role="VIEWER")
    await signs_in(server, GRACE)

    assert (await _roles(owner))[GRACE] == "VIEWER"
    assert (await recorded(server))[1:] == [
        ("INVITATION_WITHDRAWN", "Issued by the operator", GRACE, {"role": "OWNER", "by": "role"}),
        ("MEMBER_UPDATED", "Issued by the operator", "grace", {"role": "VIEWER", "from": "ADMIN"}),
    ]


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MEMBER, Role.VIEWER])
async def test_every_member_may_leave_and_remove_nobody_else(server: TetherServer, role: Role) -> None:
    owner, client = await server.member(Role.OWNER), await server.member(role)
    organization_id, own_id = await server.organization_id(), await user_id(client)
    for field, members in (("removeMember", {}), ("updateMember", {"role": "VIEWER"})):
        type_name = field[0].upper() + field[1:] + "Input"
        mutation = f"mutation ($input: {type_name}!) {{ {field}(input: $input) {{ userErrors {{ code }} }} }}"
        given = {"organizationId": organization_id, "userId": await user_id(owner), **members}
        refused = await client.error(mutation, input=given)
        assert refused == ("FORBIDDEN", f"This takes the role OWNER in the organization; you act in it as {role}.")
    left = await client.mutate(
        "removeMember", "removedUserId organization { id }", organizationId=organization_id, userId=own_id
    )

    assert left == {"removedUserId": own_id, "organization": None, "userErrors": []}
    assert list(await _roles(owner)) == ["owner@acme.example"]


async def test_a_key_below_its_persons_role_does_not_end_their_membership(server: TetherServer) -> None:
    owner, member = await server.member(Role.OWNER), await server.member(Role.MEMBER)
    lower, _ = await new_key(server, member, role="VIEWER")
    organization_id, own_id = await server.organization_id(), await user_id(member)
    mutation = "mutation ($input: RemoveMemberInput!) { removeMember(input: $input) { removedUserId } }"

    assert await lower.error(mutation, input={"organizationId": organization_id, "userId": own_id}) == (
        "FORBIDDEN",
        "You are MEMBER in the organization, and this key acts as VIEWER: no key below a member's role ends the "
        "membership.",
    )
    assert len(await _roles(owner)) == 2


async def test_who_is_no_member_can_neither_be_changed_nor_removed(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    stranger = await server.member(Role.OWNER, organization="globex")
    organization_id = await server.organization_id()
    for id_ in (await user_id(stranger), "user_01a20758-0000-7000-8000-000000000000", "user_x", await key_id(owner)):
        for field, members in (("updateMember", {"role": "ADMIN"}), ("removeMember", {})):
            error = await owner.user_error(field, organizationId=organization_id, userId=id_, **members)
            assert error == {
                "__typename": "NotFound",
                "code": "NOT_FOUND",
                "message": "There is no member with this id.",
                "field": ["input", "userId"],
            }
