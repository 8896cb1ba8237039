"""Invitations: who may become a member, by an e-mail address. Nobody learns whether the address is known elsewhere.

Called by the mutations addMember and removeInvitation. Recognition lets those join who sign in with the address.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.authorization import authorize, authorize_invitation
from domain.entities.audit import AuditAction, AuditRecord
from domain.entities.email_address import clean_email
from domain.entities.identifiers import new_id
from domain.entities.identity import Invitation
from domain.entities.user import Action, Role, Viewer
from domain.errors import AlreadyMember, NotFound
from domain.idempotency import IdempotentCall
from domain.ports import UnitOfWork, UnitsOfWork

LIFETIME: Final = timedelta(days=7)

_EMAIL: Final = ("input", "email")


@dataclass(frozen=True, slots=True)
class Invited:
    """The invitation's id; and whose membership it has become, where an equal call made it before."""

    invitation_id: UUID
    member_id: UUID | None = None


class Invitations:
    """Stateless."""

    def __init__(self, units_of_work: UnitsOfWork, clock: Callable[[], datetime]) -> None:
        self._units_of_work = units_of_work
        self._clock = clock

    async def add_member(
        self, viewer: Viewer, organization_id: UUID, email: str, role: Role, *, idempotency_key: str | None = None
    ) -> Invited:
        """Invite whoever has this address. Once more: the same invitation gets the new role and lasts anew.

        Raises NotFound, Forbidden, InvalidInput, AlreadyMember and IdempotencyKeyReused.
        """
        call = IdempotentCall.of(
            viewer, "addMember", idempotency_key, organization=str(organization_id), email=email, role=role.value
        )
        async with self._units_of_work.writing_everywhere() as unit:
            await authorize(unit, viewer, organization_id, Action.MANAGE_PEOPLE)
            address = clean_email(email, _EMAIL)
            earlier = await call.earlier_result(unit)
            if earlier is not None:
                return await _invited_before(unit, organization_id, address, earlier)
            if await unit.memberships.find_by_email(organization_id, address) is not None:
                raise AlreadyMember("Somebody with this e-mail address is a member already.", _EMAIL)
            now = self._clock()
            invitation = await unit.invitations.put(
                Invitation(new_id(), organization_id, address, role, viewer.user_id, now, now + LIFETIME)
            )
            await unit.audit.add(AuditRecord.of_invitation(viewer, invitation, AuditAction.MEMBER_INVITED, now))
            if await call.claim(unit, organization_id, invitation.id, now):
                await unit.commit()
                return Invited(invitation.id)
            # An equal call was faster.
            earlier = await call.earlier_result(unit)
            return await _invited_before(unit, organization_id, address, earlier or invitation.id)

    async def remove_invitation(self, viewer: Viewer, invitation_id: UUID) -> UUID:
        """Withdraw it; the organization whose it was. Raises NotFound, also for those who may not manage people."""
        async with self._units_of_work.writing_everywhere() as unit:
            invitation = await authorize_invitation(unit, viewer, invitation_id)
            if not await unit.invitations.remove(invitation.organization_id, invitation.id):
                raise NotFound.invitation()  # it was claimed at this moment
            action = AuditAction.INVITATION_WITHDRAWN
            await unit.audit.add(AuditRecord.of_invitation(viewer, invitation, action, self._clock()))
            await unit.commit()
        return invitation.organization_id


async def _invited_before(unit: UnitOfWork, organization_id: UUID, address: str, invitation_id: UUID) -> Invited:
    member = await unit.memberships.find_by_email(organization_id, address)
    return Invited(invitation_id, None if member is None else member[1].id)
