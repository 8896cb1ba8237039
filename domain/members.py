"""Members: their roles, and the end of their membership. An organization always has an owner.

Called by the mutations updateMember and removeMember. How somebody becomes a member is in `invitations.py` and
`recognition.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.authorization import authorize_alone
from domain.entities.audit import AuditAction, AuditRecord
from domain.entities.event import Actor
from domain.entities.user import Action, Membership, Role, User, Viewer
from domain.errors import Forbidden, LastOwner, NotFound
from domain.last_owner import is_last_owner
from domain.ports import UnitOfWork, UnitsOfWork


class Members:
    """One a process. `forget_keys`: have it forget whose these keys are."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        clock: Callable[[], datetime],
        forget_keys: Callable[[Sequence[UUID]], None],
    ) -> None:
        self._units_of_work = units_of_work
        self._clock = clock
        self._forget_keys = forget_keys

    async def update_member(self, viewer: Viewer, organization_id: UUID, user_id: UUID, role: Role) -> None:
        """Give a member this role. Raises NotFound, Forbidden and LastOwner."""
        async with self._units_of_work.writing(organization_id) as unit:
            await authorize_alone(unit, viewer, organization_id, Action.MANAGE_PEOPLE)
            membership, user = await _member(unit, organization_id, user_id)
            if membership.role is role:
                return
            if role is not Role.OWNER:
                await _leave_an_owner(unit, membership)
            await self._withdraw_invitation(unit, viewer, organization_id, user, by="role")
            changed = Membership(organization_id, user_id, role, membership.joined_at)
            await unit.memberships.change_role(changed)
            record = self._record(AuditAction.MEMBER_UPDATED, viewer, changed, user)
            await unit.audit.add(replace(record, data={**record.data, "from": membership.role.value}))
            await unit.commit()

    async def remove_member(self, viewer: Viewer, organization_id: UUID, user_id: UUID) -> None:
        """End a membership, the viewer's own or another's, and the keys that the member has made there.

        Raises NotFound, Forbidden and LastOwner.
        """
        leaving = user_id == viewer.user_id
        async with self._units_of_work.writing(organization_id) as unit:
            action = Action.LEAVE if leaving else Action.MANAGE_PEOPLE
            acting = await authorize_alone(unit, viewer, organization_id, action)
            membership, user = await _member(unit, organization_id, user_id)
            if leaving and acting is not membership.role:
                raise Forbidden(
                    f"You are {membership.role} in the organization, and this key acts as {acting}: no key below "
                    "a member's role ends the membership."
                )
            await _leave_an_owner(unit, membership)
            await self._withdraw_invitation(unit, viewer, organization_id, user, by="removal")
            await unit.memberships.remove(organization_id, user_id)
            keys = await unit.api_keys.revoke_all_of(organization_id, user_id, self._clock())
            await unit.audit.add(self._record(AuditAction.MEMBER_REMOVED, viewer, membership, user))
            for key in keys:
                record = AuditRecord.of_api_key(
                    Actor.of(viewer), key, AuditAction.API_KEY_REVOKED, self._clock(), by="removal"
                )
                await unit.audit.add(record)
            await unit.commit()
        self._forget_keys([key.id for key in keys])

    async def _withdraw_invitation(
        self, unit: UnitOfWork, viewer: Viewer, organization_id: UUID, user: User, *, by: str
    ) -> None:
        """The one of the member's own address, if it is still open: what is decided of a member counts from now on."""
        invitation = None if user.email is None else await unit.invitations.take_for(organization_id, user.email)
        if invitation is not None:
            action = AuditAction.INVITATION_WITHDRAWN
            await unit.audit.add(AuditRecord.of_invitation(viewer, invitation, action, self._clock(), by=by))

    def _record(self, action: AuditAction, viewer: Viewer, membership: Membership, user: User) -> AuditRecord:
        actor, now, role = Actor.of(viewer), self._clock(), membership.role.value
        return AuditRecord.of_person(actor, membership.organization_id, user, action, now, role=role)


async def _member(unit: UnitOfWork, organization_id: UUID, user_id: UUID) -> tuple[Membership, User]:
    found = await unit.memberships.find(organization_id, user_id)
    if found is None:
        raise NotFound.member()
    return found


async def _leave_an_owner(unit: UnitOfWork, membership: Membership) -> None:
    if await is_last_owner(unit, membership.organization_id, membership.user_id):
        raise LastOwner(
            "An organization always has an owner, and this is the last one. Make somebody else an owner first.",
            ("input", "userId"),
        )
