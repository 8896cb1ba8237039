"""Who may join which organization, as rows.

Reached as `unit.invitations`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, delete, exists, select

from domain.entities.email_address import email_key
from domain.entities.identity import Invitation
from domain.entities.user import Role
from persistence.repositories.insert_or_update import insert_or_update
from persistence.tables import invitations
from persistence.transaction import Transaction

_c = invitations.c


class SqlInvitationRepository:
    """Implements InvitationRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def exist_for(self, email: str, now: datetime) -> bool:
        return bool((await self._transaction.execute(select(exists().where(_open(email, now))))).scalar_one())

    async def inviting(self, email: str, now: datetime) -> Sequence[UUID]:
        found = await self._transaction.execute(select(_c.organization_id).where(_open(email, now)))
        return list(found.scalars())

    async def take_all_for(self, email: str, now: datetime) -> Sequence[Invitation]:
        taken = await self._transaction.execute(delete(invitations).where(_open(email, now)).returning(invitations))
        return [_entity(row) for row in taken]

    async def find(self, invitation_id: UUID) -> Invitation | None:
        row = (await self._transaction.execute(select(invitations).where(_c.id == invitation_id))).one_or_none()
        return None if row is None else _entity(row)

    async def put(self, invitation: Invitation) -> Invitation:
        values = {
            "organization_id": invitation.organization_id,
            "id": invitation.id,
            "email": invitation.email,
            "email_key": email_key(invitation.email),
            "role": invitation.role.value,
            "invited_by": invitation.invited_by,
            "created_at": invitation.created_at,
            "expires_at": invitation.expires_at,
        }
        anew = ("email", "role", "invited_by", "expires_at")
        await insert_or_update(
            self._transaction,
            invitations,
            values,
            key=("organization_id", "email_key"),
            changes=lambda wanted: {name: wanted[name] for name in anew},
        )
        kept = await self._transaction.execute(
            select(invitations).where(
                _c.organization_id == invitation.organization_id, _c.email_key == email_key(invitation.email)
            )
        )
        return _entity(kept.one())

    async def remove(self, organization_id: UUID, invitation_id: UUID) -> bool:
        removed = await self._transaction.execute(
            delete(invitations).where(_c.organization_id == organization_id, _c.id == invitation_id)
        )
        return removed.rowcount == 1

    async def take_for(self, organization_id: UUID, email: str) -> Invitation | None:
        taken = await self._transaction.execute(
            delete(invitations)
            .where(_c.organization_id == organization_id, _c.email_key == email_key(email))
            .returning(invitations)
        )
        row = taken.one_or_none()
        return None if row is None else _entity(row)

    async def forget(self, expired_before: datetime, limit: int) -> int:
        """The oldest first."""
        oldest = select(_c.id).where(_c.expires_at < expired_before).order_by(_c.expires_at).limit(limit)
        return (await self._transaction.execute(delete(invitations).where(_c.id.in_(oldest)))).rowcount


def _open(email: str, now: datetime) -> ColumnElement[bool]:
    return and_(_c.email_key == email_key(email), _c.expires_at > now)


def _entity(row: Row[Any]) -> Invitation:
    return Invitation(
        id=row.id,
        organization_id=row.organization_id,
        email=row.email,
        role=Role(row.role),
        invited_by=row.invited_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
