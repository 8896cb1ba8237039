"""The contracts of the repositories of organizations, users, memberships and API keys, on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from domain.entities.identifiers import new_id
from domain.entities.identity import Invitation
from domain.entities.organization import Organization
from domain.entities.user import ApiKey, Membership, Role, User
from domain.errors import NameTaken, NotFound, VersionConflict
from persistence.unit_of_work import SqlUnitsOfWork
from tests.persistence.entities import NOW

pytestmark = pytest.mark.anyio


async def test_an_organization_is_found_by_id_and_slug(units: SqlUnitsOfWork) -> None:
    organization = Organization.create(id=new_id(), slug="acme", name="Acme", now=NOW)
    async with units.writing_everywhere() as unit:
        assert await unit.organizations.any() is False
        await unit.organizations.add(organization)
        assert await unit.organizations.any() is True
        assert await unit.organizations.find(organization.id) == organization
        assert await unit.organizations.find_by_slug("acme") == organization
        assert await unit.organizations.find(new_id()) is None
        assert await unit.organizations.find_by_slug("globex") is None


async def test_a_changed_organization_is_saved_unless_another_was_faster(units: SqlUnitsOfWork, acme: UUID) -> None:
    async with units.writing_everywhere() as unit:
        organization = await unit.organizations.get(acme)
        stale = replace(organization)
        organization.name, organization.check_interval = "Acme Inc.", timedelta(hours=1)
        await unit.organizations.save(organization)
        assert organization.version == 2
        assert await unit.organizations.find(acme) == organization
        with pytest.raises(VersionConflict) as conflict:
            await unit.organizations.save(stale)
        assert conflict.value.current_version == 2
        with pytest.raises(NotFound):
            await unit.organizations.get(new_id())


async def test_a_slug_is_given_once(units: SqlUnitsOfWork, acme: UUID) -> None:
    async with units.writing_everywhere() as unit:
        with pytest.raises(NameTaken) as taken:
            await unit.organizations.add(Organization.create(id=new_id(), slug="acme", name="Other", now=NOW))
    assert taken.value.field == ("input", "slug")


async def test_a_user_is_found_by_an_address_in_any_case(units: SqlUnitsOfWork) -> None:
    user = User(new_id(), "Ada", "Ada@Example.org", "https://example.org/ada.png", NOW)
    async with units.writing_everywhere() as unit:
        await unit.users.add(user)
        assert await unit.users.find(user.id) == user
        assert await unit.users.find_by_email("aDA@example.ORG") == user
        assert await unit.users.find_by_email("eve@example.org") is None
        assert await unit.users.find(new_id()) is None


async def test_an_address_belongs_to_one_user_and_none_to_many(units: SqlUnitsOfWork, ada: UUID) -> None:
    async with units.writing_everywhere() as unit:
        await unit.users.add(User(new_id(), "No", None, None, NOW))
        await unit.users.add(User(new_id(), "Address", None, None, NOW))
        with pytest.raises(NameTaken) as taken:
            await unit.users.add(User(new_id(), "Eve", "ADA@example.org", None, NOW))
    assert taken.value.field == ("input", "email")


async def test_what_several_add_at_once_is_there_once(units: SqlUnitsOfWork) -> None:
    async def join(role: Role) -> tuple[Organization, User, bool]:
        async with units.writing_everywhere() as unit:
            organization = await unit.organizations.find_or_add(
                Organization.create(id=new_id(), slug="acme", name=role, now=NOW)
            )
            user = await unit.users.find_or_add(User(new_id(), role, f"{role[0]}da@example.org", None, NOW))
            joined = await unit.memberships.add(Membership(organization.id, user.id, role, NOW))
            await unit.commit()
            return organization, user, joined

    joined = await asyncio.gather(*(join(role) for role in (Role.OWNER, Role.ADMIN, Role.ADMIN, Role.ADMIN)))
    assert len({organization.id for organization, _, _ in joined}) == 1
    assert len({user.id for _, user, _ in joined}) == 2
    assert [new for _, _, new in joined].count(True) == 2


async def test_a_role_is_raised_and_never_lowered(units: SqlUnitsOfWork, acme: UUID, globex: UUID, ada: UUID) -> None:
    membership = Membership(acme, ada, Role.MEMBER, NOW)
    async with units.writing_everywhere() as unit:
        await unit.memberships.raise_role(membership)
        assert await unit.memberships.role_of(ada, acme) is None
        assert await unit.memberships.add(membership) is True
        assert await unit.memberships.add(replace(membership, role=Role.OWNER)) is False
        for role, becomes in (
            (Role.VIEWER, Role.MEMBER),
            (Role.MEMBER, Role.MEMBER),
            (Role.OWNER, Role.OWNER),
            (Role.ADMIN, Role.OWNER),
        ):
            await unit.memberships.raise_role(replace(membership, role=role))
            assert await unit.memberships.role_of(ada, acme) is becomes
        assert await unit.memberships.role_of(ada, globex) is None
        assert await unit.memberships.role_of(new_id(), acme) is None


async def test_an_api_key_comes_with_its_user(units: SqlUnitsOfWork, acme: UUID, ada: UUID) -> None:
    key = ApiKey(new_id(), acme, ada, "deploy", Role.ADMIN, bytes(range(32)), NOW, NOW + timedelta(days=1))
    async with units.writing_everywhere() as unit:
        await unit.api_keys.add(key)
        user = await unit.users.find(ada)
        assert await unit.api_keys.find(key.id) == (key, user)
        assert await unit.api_keys.find(new_id()) is None
        for minutes in (5, 1):
            await unit.api_keys.mark_used(key.id, NOW + timedelta(minutes=minutes))
        assert await unit.api_keys.find(key.id) == (replace(key, last_used_at=NOW + timedelta(minutes=5)), user)


async def test_an_api_key_is_found_by_its_name_and_saved(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID, ada: UUID
) -> None:
    older, newer = (
        ApiKey(new_id(), acme, ada, "deploy", Role.ADMIN, bytes(range(32)), NOW, NOW + timedelta(days=1))
        for _ in range(2)
    )
    async with units.writing_everywhere() as unit:
        for key in (newer, older):
            await unit.api_keys.add(key)
        assert await unit.api_keys.find_named(acme, ada, "deploy") == newer
        assert await unit.api_keys.find_named(globex, ada, "deploy") is None
        assert await unit.api_keys.find_named(acme, new_id(), "deploy") is None
        assert await unit.api_keys.find_named(acme, ada, "Deploy") is None
        changed = replace(newer, role=Role.VIEWER, secret_hash=bytes(32), expires_at=None, revoked_at=NOW)
        await unit.api_keys.save(changed)
        assert await unit.api_keys.find_named(acme, ada, "deploy") == changed
        found = await unit.api_keys.find(older.id)
        assert found is not None
        assert found[0] == older


async def test_a_membership_is_found_by_user_and_address_and_ends(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID, ada: UUID
) -> None:
    membership = Membership(acme, ada, Role.MEMBER, NOW)
    async with units.writing_everywhere() as unit:
        await unit.memberships.add(membership)
        user = await unit.users.find(ada)
        assert await unit.memberships.find(acme, ada) == (membership, user)
        assert await unit.memberships.find_by_email(acme, "ADA@example.ORG") == (membership, user)
        assert await unit.memberships.find(globex, ada) is None
        assert await unit.memberships.find_by_email(globex, "ada@example.org") is None
        assert await unit.memberships.find_by_email(acme, "eve@example.org") is None
        await unit.memberships.remove(globex, ada)
        assert await unit.memberships.find(acme, ada) is not None
        await unit.memberships.remove(acme, ada)
        assert await unit.memberships.find(acme, ada) is None


async def test_an_invitation_is_one_for_each_address_of_an_organization(
    units: SqlUnitsOfWork, acme: UUID, globex: UUID, ada: UUID
) -> None:
    first = Invitation(new_id(), acme, "Eve@example.org", Role.OWNER, ada, NOW, NOW + timedelta(days=7))
    later = replace(
        first, id=new_id(), email="eve@EXAMPLE.org", role=Role.VIEWER, invited_by=None, expires_at=NOW + timedelta(9)
    )
    elsewhere = replace(first, id=new_id(), organization_id=globex)
    async with units.writing_everywhere() as unit:
        assert await unit.invitations.put(first) == first
        assert await unit.invitations.put(elsewhere) == elsewhere
        kept = await unit.invitations.put(replace(later, created_at=NOW + timedelta(days=2)))
        assert kept == replace(later, id=first.id)
        assert await unit.invitations.find(first.id) == kept
        assert await unit.invitations.find(later.id) is None
        assert await unit.invitations.take_for(acme, "eve@example.org") == kept
        assert await unit.invitations.take_for(acme, "eve@example.org") is None
        assert await unit.invitations.find(first.id) is None
        assert await unit.invitations.remove(acme, elsewhere.id) is False
        assert await unit.invitations.remove(globex, elsewhere.id) is True
        assert await unit.invitations.remove(globex, elsewhere.id) is False


async def test_invitations_are_forgotten_the_oldest_first(units: SqlUnitsOfWork, acme: UUID) -> None:
    made = [
        Invitation(new_id(), acme, f"eve.{days}@example.org", Role.VIEWER, None, NOW, NOW + timedelta(days=days))
        for days in (3, 1, 2, 4)
    ]
    async with units.writing_everywhere() as unit:
        for invitation in made:
            await unit.invitations.put(invitation)
        before = NOW + timedelta(days=4)
        assert await unit.invitations.forget(before, 2) == 2
        assert [await unit.invitations.find(one.id) is not None for one in made] == [True, False, False, True]
        assert await unit.invitations.forget(before, 2) == 1
        assert await unit.invitations.find(made[3].id) == made[3]


async def test_keys_are_revoked_once(units: SqlUnitsOfWork, acme: UUID, globex: UUID, ada: UUID) -> None:
    keys = [ApiKey(new_id(), place, ada, "bot", Role.ADMIN, bytes(32), NOW) for place in (acme, acme, acme, globex)]
    later = NOW + timedelta(hours=1)
    async with units.writing_everywhere() as unit:
        for key in keys:
            await unit.api_keys.add(key)
        assert [key.id for key in await unit.api_keys.revoke(keys[0].id, NOW)] == [keys[0].id]
        assert await unit.api_keys.revoke(keys[0].id, later) == []
        revoked = await unit.api_keys.revoke_all_of(acme, ada, later)
        assert {key.id for key in revoked} == {keys[1].id, keys[2].id}
        ends = []
        for key in keys:
            found = await unit.api_keys.find(key.id)
            assert found is not None
            ends.append(found[0].revoked_at)
    assert ends == [NOW, later, later, None]
