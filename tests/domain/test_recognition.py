"""Whom an identity provider's word is about: known and new people, invitations and claims, also many at once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from domain.entities.audit import AuditAction
from domain.entities.identifiers import Kind, new_id, typed_id
from domain.entities.identity import VerifiedIdentity
from domain.entities.user import Role, User
from domain.errors import Unauthenticated
from domain.recognition import SEEN_AGAIN_AFTER, Recognition
from domain.request_origin import RequestOrigin, request_from
from persistence.tables import invitations
from tests.domain.world import World
from tests.every_row import every_row

pytestmark = pytest.mark.anyio

ADA = VerifiedIdentity("https://id.example.com", "ada-1", "Ada Lovelace", "ada@example.com")


@pytest.fixture
def recognition(world: World) -> Recognition:
    return Recognition(world.units, world.clock)


async def test_somebody_new_becomes_a_user_and_stays_the_same_one(world: World, recognition: Recognition) -> None:
    user = await recognition.recognize(ADA)
    assert (user.name, user.email) == ("Ada Lovelace", "ada@example.com")
    assert await recognition.recognize(ADA) == user
    same_name = replace(ADA, subject="ada-2", email=None)
    assert (await recognition.recognize(same_name)).id != user.id
    assert (await recognition.recognize(replace(same_name, issuer="https://other.example.com"))).id != user.id


async def test_many_first_requests_at_once_make_one_user(world: World, recognition: Recognition) -> None:
    before = len(await world.rows("users"))
    for identity in (ADA, replace(ADA, subject="nameless", email=None)):
        users = await asyncio.gather(*(recognition.recognize(identity) for _ in range(8)))
        assert len({user.id for user in users}) == 1
    assert len(await world.rows("users")) == before + 2


async def test_what_the_provider_says_anew_is_taken_in_time(world: World, recognition: Recognition) -> None:
    user = await recognition.recognize(ADA)
    renamed = replace(ADA, name="Ada King", email="king@example.com", avatar_url="https://example.com/ada.png")
    world.clock.advance(seconds=SEEN_AGAIN_AFTER.total_seconds())
    await recognition.recognize(renamed)
    again = await recognition.recognize(renamed)
    assert again == replace(user, name="Ada King", email="king@example.com", avatar_url="https://example.com/ada.png")


async def test_whom_the_operator_knew_by_their_address_is_recognized(world: World, recognition: Recognition) -> None:
    await world.users.issue_api_key("acme", "Ada@Example.com", Role.OWNER)
    [row] = [row for row in await world.rows("users") if row["email"] == "Ada@Example.com"]
    assert (await recognition.recognize(ADA)).id == row["id"]


async def test_the_address_of_somebody_of_another_provider_opens_nothing(
    world: World, recognition: Recognition
) -> None:
    await recognition.recognize(ADA)
    with pytest.raises(Unauthenticated, match="another identity provider"):
        await recognition.recognize(replace(ADA, issuer="https://evil.example.com"))


async def test_an_address_that_is_somebody_elses_by_now_leaves_them_theirs(
    world: World, recognition: Recognition
) -> None:
    await recognition.recognize(ADA)
    bob = replace(ADA, subject="bob", name="Bob", email="bob@example.com")
    await recognition.recognize(bob)
    world.clock.advance(hours=1)
    assert (await recognition.recognize(replace(bob, email="ADA@example.com"))).email == "bob@example.com"


async def test_of_two_who_get_one_new_address_at_one_moment_one_has_it_and_both_come_in(
    world: World, recognition: Recognition
) -> None:
    for turn in range(5):
        two = [replace(ADA, subject=f"{turn}-{each}", email=None) for each in "ab"]
        known = [await recognition.recognize(identity) for identity in two]
        world.clock.advance(seconds=SEEN_AGAIN_AFTER.total_seconds())
        email = f"ada-{turn}@example.com"
        users = await asyncio.gather(*(recognition.recognize(replace(identity, email=email)) for identity in two))
        assert [user.id for user in users] == [user.id for user in known]
        assert sorted(user.email or "" for user in users) == ["", email]


async def test_of_people_who_get_one_address_at_once_one_has_it(world: World, recognition: Recognition) -> None:
    people = [replace(ADA, subject=f"ada-{n}", email=f"ada-{n}@example.com") for n in range(6)]
    for person in people:
        await recognition.recognize(person)
    world.clock.advance(seconds=SEEN_AGAIN_AFTER.total_seconds())
    users = await asyncio.gather(*(recognition.recognize(replace(each, email="ada@example.com")) for each in people))
    assert sum(user.email == "ada@example.com" for user in users) == 1


async def test_an_address_that_is_somebody_elses_here_claims_no_invitation(
    world: World, recognition: Recognition
) -> None:
    """Another provider calls it verified, for a person whom it has sent here before."""
    mallory = VerifiedIdentity("https://evil.example.com", "mallory", "Mallory", "mallory@example.com")
    user, ada = await recognition.recognize(mallory), await recognition.recognize(ADA)
    await _invite(world, "ada@example.com", Role.OWNER)
    await recognition.recognize(replace(mallory, email="ada@example.com"))
    assert await _role(world, user) is None
    await recognition.recognize(ADA)
    assert await _role(world, ada) is Role.OWNER


async def test_an_invitation_is_claimed_once_by_the_verified_address(world: World, recognition: Recognition) -> None:
    await _invite(world, "ADA@example.com", Role.ADMIN)
    await recognition.recognize(replace(ADA, subject="no-address", email=None))
    with request_from(RequestOrigin("203.0.113.7", "request-1")):
        users = await asyncio.gather(*(recognition.recognize(ADA) for _ in range(4)))
    user = users[0]
    assert await _role(world, user) is Role.ADMIN
    assert await world.rows("invitations") == []
    [record] = await _told_of_people(world)
    assert (record["action"], record["subject_id"]) == (AuditAction.MEMBER_JOINED, typed_id(Kind.USER, user.id))
    assert (record["address"], record["request_id"]) == ("203.0.113.7", "request-1")


async def test_an_address_that_only_unicode_takes_for_the_same_is_somebody_elses(
    world: World, recognition: Recognition
) -> None:
    await world.users.issue_api_key("acme", "kate@example.com", Role.OWNER)
    await _invite(world, "kit@example.com", Role.ADMIN)
    known = {row["id"] for row in await world.rows("users")}
    for address in ("\N{KELVIN SIGN}ate@example.com", "\N{KELVIN SIGN}it@example.com", "k\u0131t@example.com"):
        user = await recognition.recognize(replace(ADA, subject=address, email=address))
        assert user.id not in known
        assert await _role(world, user) is None
    assert len(await world.rows("invitations")) == 1


async def test_an_invitation_that_comes_later_is_claimed_too_and_an_old_one_is_not(
    world: World, recognition: Recognition
) -> None:
    user = await recognition.recognize(ADA)
    await _invite(world, "ada@example.com", Role.MEMBER, lasts=timedelta(days=-1))
    await recognition.recognize(ADA)
    assert await _role(world, user) is None
    async with every_row(world.database) as connection:
        await connection.execute(invitations.delete())
    await _invite(world, "ada@example.com", Role.MEMBER)
    await recognition.recognize(ADA)
    assert await _role(world, user) is Role.MEMBER


async def test_an_invitation_raises_a_member_and_never_lowers_them(world: World, recognition: Recognition) -> None:
    user = await recognition.recognize(replace(ADA, organization="acme", role=Role.MEMBER))
    for invited, becomes in ((Role.VIEWER, Role.MEMBER), (Role.ADMIN, Role.ADMIN), (Role.ADMIN, Role.ADMIN)):
        await _invite(world, "ada@example.com", invited)
        await recognition.recognize(ADA)
        assert await _role(world, user) is becomes
    assert await world.rows("invitations") == []
    assert [(row["action"], row["data"]) for row in await _told_of_people(world)] == [
        ("MEMBER_JOINED", {"by": "issuer", "role": "MEMBER"}),
        ("MEMBER_UPDATED", {"by": "invitation", "role": "ADMIN"}),
    ]


async def test_who_was_removed_is_back_where_claims_say_so_and_only_there(
    world: World, recognition: Recognition
) -> None:
    claimed = replace(ADA, organization="acme", role=Role.MEMBER)
    user = await recognition.recognize(claimed)
    await world.users.members.remove_member(world.viewers[Role.OWNER], world.organization_id, user.id)
    await recognition.recognize(ADA)
    assert await _role(world, user) is None
    await recognition.recognize(claimed)
    assert await _role(world, user) is Role.MEMBER


async def test_what_claims_say_of_membership_holds_but_for_the_last_owner(
    world: World, recognition: Recognition
) -> None:
    claimed = replace(ADA, organization="acme", role=Role.OWNER)
    user = await recognition.recognize(claimed)
    assert await _role(world, user) is Role.OWNER
    await recognition.recognize(replace(claimed, role=None))
    assert await _role(world, user) is Role.OWNER
    await recognition.recognize(replace(claimed, role=Role.VIEWER))
    assert await _role(world, user) is Role.VIEWER  # the world's owner is left
    assert [row["action"] for row in await _told_of_people(world)] == ["MEMBER_JOINED", "MEMBER_UPDATED"]
    await recognition.recognize(replace(claimed, organization="nowhere"))
    async with world.units.writing_everywhere() as unit:
        unit_owners = await unit.memberships.owners(world.organization_id)
    assert user.id not in unit_owners


async def test_an_older_token_brings_no_earlier_role_back(world: World, recognition: Recognition) -> None:
    first = world.clock()
    owner = replace(ADA, organization="acme", role=Role.OWNER, issued_at=first)
    viewer = replace(owner, role=Role.VIEWER, issued_at=first + timedelta(seconds=1))
    user = await recognition.recognize(owner)
    await recognition.recognize(viewer)
    assert await _role(world, user) is Role.VIEWER
    await recognition.recognize(owner)
    assert await _role(world, user) is Role.VIEWER
    world.clock.advance(seconds=SEEN_AGAIN_AFTER.total_seconds())
    await asyncio.gather(*(recognition.recognize(each) for each in (owner, viewer, owner, viewer)))
    assert await _role(world, user) is Role.VIEWER
    await recognition.recognize(replace(owner, issued_at=first + timedelta(seconds=2)))
    assert await _role(world, user) is Role.OWNER


async def test_the_last_owner_stays_one(world: World, recognition: Recognition) -> None:
    await world.users.issue_api_key("lonely", "ada@example.com", Role.OWNER)
    await recognition.recognize(replace(ADA, organization="lonely", role=Role.MEMBER))
    roles = [row["role"] for row in await world.rows("memberships") if row["organization_id"] != world.organization_id]
    assert roles == ["OWNER"]


async def _invite(world: World, email: str, role: Role, *, lasts: timedelta = timedelta(days=7)) -> None:
    now = world.clock()
    async with every_row(world.database) as connection:
        await connection.execute(
            insert(invitations).values(
                organization_id=world.organization_id,
                id=new_id(),
                email=email,
                email_key=email.casefold(),
                role=role.value,
                created_at=now,
                expires_at=now + lasts,
            )
        )


async def _told_of_people(world: World) -> list[dict[str, Any]]:
    """What the audit log has of deeds of people, without those of the operator."""
    rows = [row for row in await world.rows("audit_records") if row["actor_kind"] == "USER"]
    return sorted(rows, key=lambda row: row["id"])


async def _role(world: World, user: User) -> Role | None:
    organization_id: UUID = world.organization_id
    async with world.units.reading_everywhere() as unit:
        return await unit.memberships.role_of(user.id, organization_id)
