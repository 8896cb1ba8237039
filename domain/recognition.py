"""Recognition: whom an identity provider's word is about. Finds the user, or makes one, and lets them join.

Called for each bearer token that is seen anew and for each sign-in. What it changes, it changes in one unit of work;
where nothing is to be changed, which is usual, it only reads.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.entities.audit import AuditAction, AuditRecord
from domain.entities.event import Actor, ActorKind
from domain.entities.identifiers import new_id
from domain.entities.identity import VerifiedIdentity
from domain.entities.user import Membership, Role, User
from domain.errors import NameTaken, Unauthenticated
from domain.last_owner import is_last_owner
from domain.people_ports import KnownIdentity
from domain.ports import UnitOfWork, UnitsOfWork

SEEN_AGAIN_AFTER: Final = timedelta(minutes=15)
"""How exactly it is kept when somebody was last seen: not each request is worth a write."""

ANOTHER_PROVIDER: Final = (
    "Somebody with this e-mail address signs in by another identity provider already. Sign in by that one."
)


class Recognition:
    """Stateless."""

    def __init__(self, units_of_work: UnitsOfWork, clock: Callable[[], datetime]) -> None:
        self._units_of_work = units_of_work
        self._clock = clock

    async def recognize(self, identity: VerifiedIdentity) -> User:
        """The user. Raises Unauthenticated where the e-mail address is that of a person of another provider."""
        async with self._units_of_work.reading_everywhere() as unit:
            known = await unit.identities.find(identity.issuer, identity.subject)
            if known is not None and not await self._has_news(unit, identity, known):
                return known.user
        while True:
            with suppress(NameTaken):  # somebody else had the address first: by now they are found
                async with self._units_of_work.writing_everywhere() as unit:
                    user = await self._find_or_add(unit, identity)
                    if user is not None:
                        await self._let_join(unit, await self._as_it_counts(unit, identity), user)
                        await unit.commit()
                        return user

    async def _has_news(self, unit: UnitOfWork, identity: VerifiedIdentity, known: KnownIdentity) -> bool:
        user = known.user
        if not timedelta() <= self._clock() - known.seen_at < SEEN_AGAIN_AFTER:
            return True
        if identity.email is not None and await unit.invitations.exist_for(identity.email, self._clock()):
            return True
        slug = identity.organization
        if known.told_at is not None and identity.issued_at is not None and identity.issued_at < known.told_at:
            return False
        organization = None if slug is None else await unit.organizations.find_by_slug(slug)
        if organization is None:
            return False
        role = await unit.memberships.role_of(user.id, organization.id)
        return role is None or (identity.role is not None and role is not identity.role)

    async def _find_or_add(self, unit: UnitOfWork, identity: VerifiedIdentity) -> User | None:
        """None where another request of theirs was first: then this unit is of no use."""
        now = self._clock()
        known = await unit.identities.find(identity.issuer, identity.subject)
        user = await self._of_email(unit, identity) if known is None else known.user
        if user is None:
            return None
        if known is None and not await unit.identities.add(identity.issuer, identity.subject, user.id, now):
            return None
        user.name = identity.name or user.name
        user.avatar_url = identity.avatar_url or user.avatar_url
        user.email = await self._free_email(unit, identity, user)
        await unit.users.save(user)
        await unit.identities.mark_seen(identity.issuer, identity.subject, now)
        return user

    async def _as_it_counts(self, unit: UnitOfWork, identity: VerifiedIdentity) -> VerifiedIdentity:
        """Without what an older token says of membership: the newest word holds, whoever still has an earlier one."""
        if identity.organization is None or identity.issued_at is None:
            return identity
        if await unit.identities.mark_told(identity.issuer, identity.subject, identity.issued_at):
            return identity
        return replace(identity, organization=None, role=None)

    async def _of_email(self, unit: UnitOfWork, identity: VerifiedIdentity) -> User | None:
        """Whoever the operator knew by this address alone so far; else somebody new. None as above."""
        name = identity.name or (identity.email or "").partition("@")[0] or identity.subject[:100]
        new = User(new_id(), name, identity.email, identity.avatar_url, self._clock())
        user = await unit.users.find_or_add(new)
        if user.id != new.id and await unit.identities.has_any(user.id):
            if await unit.identities.find(identity.issuer, identity.subject) is not None:
                return None
            raise Unauthenticated(ANOTHER_PROVIDER)
        return user

    async def _free_email(self, unit: UnitOfWork, identity: VerifiedIdentity, user: User) -> str | None:
        """The new address, unless it is somebody else's here: then they keep the one that they had."""
        if identity.email is None:
            return user.email
        owner = await unit.users.find_by_email(identity.email)
        return identity.email if owner is None or owner.id == user.id else user.email

    async def _let_join(self, unit: UnitOfWork, identity: VerifiedIdentity, user: User) -> None:
        now, slug = self._clock(), identity.organization
        email = identity.email if identity.email == user.email else None  # what is somebody else's here claims nothing
        claimed = None if slug is None else await unit.organizations.find_by_slug(slug)
        joined = set() if claimed is None else {claimed.id}
        if email is not None:
            joined |= set(await unit.invitations.inviting(email, now))
        for organization_id in sorted(joined):
            # First, as those who change members do it: then neither waits for the other in a circle.
            await unit.organizations.get(organization_id)
        if email is not None:
            for invitation in await unit.invitations.take_all_for(email, now):
                membership = Membership(invitation.organization_id, user.id, invitation.role, now)
                if await unit.memberships.add(membership):
                    await self._tell(unit, AuditAction.MEMBER_JOINED, membership, user, "invitation")
                elif await unit.memberships.raise_role(membership):
                    await self._tell(unit, AuditAction.MEMBER_UPDATED, membership, user, "invitation")
        if claimed is not None:
            await self._follow_claims(unit, claimed.id, identity.role, user)

    async def _follow_claims(self, unit: UnitOfWork, organization_id: UUID, role: Role | None, user: User) -> None:
        """What the issuer says of membership holds, but an organization never loses its last owner by it."""
        membership = Membership(organization_id, user.id, role or Role.VIEWER, self._clock())
        if await unit.memberships.add(membership):
            await self._tell(unit, AuditAction.MEMBER_JOINED, membership, user, "issuer")
        elif role is not None and await self._changes(unit, membership):
            await self._tell(unit, AuditAction.MEMBER_UPDATED, membership, user, "issuer")

    async def _changes(self, unit: UnitOfWork, membership: Membership) -> bool:
        if membership.role is not Role.OWNER and await is_last_owner(
            unit, membership.organization_id, membership.user_id
        ):
            return False
        return await unit.memberships.change_role(membership)

    async def _tell(self, unit: UnitOfWork, action: AuditAction, membership: Membership, user: User, by: str) -> None:
        actor = Actor(ActorKind.USER, user.name, user.id)
        organization_id, now, role = membership.organization_id, self._clock(), membership.role.value
        await unit.audit.add(AuditRecord.of_person(actor, organization_id, user, action, now, by=by, role=role))
