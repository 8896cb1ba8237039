"""Who owns an organization at last, whatever several do at the same moment, and who stays a member."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import pytest

from domain.entities.identity import VerifiedIdentity
from domain.entities.user import Role, User, Viewer
from domain.errors import DomainError, Forbidden, LastOwner, NotFound
from domain.recognition import Recognition
from tests.domain.world import World

pytestmark = pytest.mark.anyio

Deed = Callable[[World, Viewer, UUID, UUID], Awaitable[None]]


async def _demote(world: World, viewer: Viewer, organization_id: UUID, user_id: UUID) -> None:
    await world.users.members.update_member(viewer, organization_id, user_id, Role.ADMIN)


async def _remove(world: World, viewer: Viewer, organization_id: UUID, user_id: UUID) -> None:
    await world.users.members.remove_member(viewer, organization_id, user_id)


@pytest.mark.parametrize("deeds", [(_demote, _demote), (_remove, _remove), (_demote, _remove)])
@pytest.mark.parametrize("own", [True, False], ids=["themselves", "each other"])
async def test_of_owners_who_all_give_up_or_end_each_other_at_one_moment_one_is_left(
    world: World, deeds: tuple[Deed, Deed], own: bool
) -> None:
    for turn in range(5):
        first = world.viewers[Role.OWNER]
        organization = await world.users.create_organization(first, f"shared-{turn}", "Shared")
        owners = [first, *[await world.join(organization.id, Role.OWNER) for _ in range(3)]]
        targets = owners if own else [*owners[1:], owners[0]]

        outcomes = await asyncio.gather(
            *(
                deeds[number % 2](world, owner, organization.id, target.user_id)
                for number, (owner, target) in enumerate(zip(owners, targets, strict=True))
            ),
            return_exceptions=True,
        )

        async with world.units.reading_everywhere() as unit:
            left = await unit.memberships.owners(organization.id)
        refused = [outcome for outcome in outcomes if outcome is not None]
        assert all(isinstance(outcome, LastOwner | Forbidden | NotFound) for outcome in refused), outcomes
        assert len(left) == len(refused) >= 1


async def test_an_owner_who_is_no_longer_one_decides_nothing_more(world: World) -> None:
    owner, other = world.viewers[Role.OWNER], await world.join(world.organization_id, Role.OWNER)
    target = world.viewers[Role.MEMBER].user_id

    outcomes = await asyncio.gather(
        _demote(world, owner, world.organization_id, other.user_id),
        *(
            world.users.members.update_member(other, world.organization_id, target, role)
            for role in (Role.OWNER, Role.VIEWER, Role.ADMIN)
        ),
        return_exceptions=True,
    )

    assert outcomes[0] is None
    assert all(outcome is None or isinstance(outcome, Forbidden) for outcome in outcomes)
    with pytest.raises(Forbidden):
        await world.users.members.update_member(other, world.organization_id, target, Role.OWNER)


async def test_who_is_removed_while_they_make_a_key_has_none(world: World) -> None:
    owner = world.viewers[Role.OWNER]
    for _ in range(5):
        member = await world.join(world.organization_id, Role.MEMBER)
        await asyncio.gather(
            _remove(world, owner, world.organization_id, member.user_id),
            *(world.users.api_keys.create_api_key(member, world.organization_id, "bot", Role.VIEWER) for _ in range(3)),
            return_exceptions=True,
        )
        keys = [row for row in await world.rows("api_keys") if row["user_id"] == member.user_id]
        assert all(row["revoked_at"] is not None for row in keys)
        with pytest.raises(DomainError):
            await world.users.api_keys.create_api_key(member, world.organization_id, "bot", Role.VIEWER)


async def test_an_invitation_is_either_claimed_or_withdrawn(world: World) -> None:
    owner, recognition = world.viewers[Role.OWNER], Recognition(world.units, world.clock)
    for turn in range(10):
        email = f"eve-{turn}@example.com"
        identity = VerifiedIdentity("https://id.example.com", email, "Eve", email)
        await recognition.recognize(identity)
        invited = await world.users.invitations.add_member(owner, world.organization_id, email, Role.ADMIN)

        user, *outcomes = await asyncio.gather(
            recognition.recognize(identity),
            *(world.users.invitations.remove_invitation(owner, invited.invitation_id) for _ in range(3)),
            return_exceptions=True,
        )

        assert isinstance(user, User)
        async with world.units.reading_everywhere() as unit:
            role = await unit.memberships.role_of(user.id, world.organization_id)
        assert outcomes.count(world.organization_id) == (1 if role is None else 0)
        assert all(isinstance(outcome, NotFound) for outcome in outcomes if outcome != world.organization_id)


@pytest.mark.parametrize("deed", [_demote, _remove])
@pytest.mark.parametrize("claim", [None, Role.VIEWER], ids=["", "claims"])
async def test_what_an_owner_decides_of_somebody_who_comes_in_at_this_moment_holds(
    world: World, deed: Deed, claim: Role | None
) -> None:
    owner, recognition = world.viewers[Role.OWNER], Recognition(world.units, world.clock)
    for turn in range(10):
        email = f"ada-{turn}@example.com"
        identity = VerifiedIdentity("https://id.example.com", email, "Ada", email)
        user = await recognition.recognize(identity)
        await world.users.invitations.add_member(owner, world.organization_id, email, Role.OWNER)
        await world.users.issue_api_key("acme", email, Role.VIEWER)  # the operator was faster
        if claim is not None:
            identity = replace(identity, organization="acme", role=claim)

        await asyncio.gather(recognition.recognize(identity), deed(world, owner, world.organization_id, user.id))

        async with world.units.reading_everywhere() as unit:
            role = await unit.memberships.role_of(user.id, world.organization_id)
        decided = None if deed is _remove else Role.ADMIN
        assert role in {decided, decided if claim is None else claim}  # what claims say holds where they come later
        assert await world.rows("invitations") == []
