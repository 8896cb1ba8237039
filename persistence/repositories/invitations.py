"""Who may join which organization, as rows.

Reached as `unit.invitations`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, exists, select

from domain.entities.identity import Invitation
from domain.entities.text import search_key
from domain.entities.user import Role
from persistence.tables import invitations
from persistence.transaction import Transaction

_c = invitations.c


class SqlInvitationRepository:
    """Implements InvitationRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def exist_for(self, email: str, now: datetime) -> bool:
        return bool((await self._transaction.execute(select(exists().where(_open(email, now))))).scalar_one())

    async def take_all_for(self, email: str, now: datetime) -> Sequence[Invitation]:
        taken = await self._transaction.execute(delete(invitations).where(_open(email, now)).returning(invitations))
        return [_entity(row) for row in taken]


def _open(email: str, now: datetime) -> ColumnElement[bool]:
    return and_(_c.email_key == search_key(email), _c.expires_at > now)


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
