"""Who belongs to which organization, and as what, as rows.

Reached as `unit.memberships`.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update

from domain.entities.email_address import email_key
from domain.entities.user import Membership, Role, User
from persistence.repositories.insert_if_new import insert_if_new
from persistence.repositories.users import user_entity
from persistence.tables import memberships, users
from persistence.transaction import Transaction

_c = memberships.c


class SqlMembershipRepository:
    """Implements MembershipRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def role_of(self, user_id: UUID, organization_id: UUID) -> Role | None:
        found = await self._transaction.execute(
            select(_c.role).where(_c.organization_id == organization_id, _c.user_id == user_id)
        )
        role = found.scalar_one_or_none()
        return None if role is None else Role(role)

    async def add(self, membership: Membership) -> bool:
        values = {
            "organization_id": membership.organization_id,
            "user_id": membership.user_id,
            "role": membership.role.value,
            "joined_at": membership.joined_at,
        }
        return await insert_if_new(self._transaction, memberships, values)

    async def find(self, organization_id: UUID, user_id: UUID) -> tuple[Membership, User] | None:
        return await self._one(_c.organization_id == organization_id, _c.user_id == user_id)

    async def find_by_email(self, organization_id: UUID, email: str) -> tuple[Membership, User] | None:
        return await self._one(_c.organization_id == organization_id, users.c.email_key == email_key(email))

    async def raise_role(self, membership: Membership) -> bool:
        lower = [role.value for role in Role if not role.covers(membership.role)]
        raised = await self._transaction.execute(
            update(memberships)
            .where(
                _c.organization_id == membership.organization_id,
                _c.user_id == membership.user_id,
                _c.role.in_(lower),  # as the row is when its lock is had, whoever has raised it meanwhile
            )
            .values(role=membership.role.value)
        )
        return raised.rowcount == 1

    async def change_role(self, membership: Membership) -> bool:
        changed = await self._transaction.execute(
            update(memberships)
            .where(
                _c.organization_id == membership.organization_id,
                _c.user_id == membership.user_id,
                _c.role != membership.role.value,
            )
            .values(role=membership.role.value)
        )
        return changed.rowcount == 1

    async def remove(self, organization_id: UUID, user_id: UUID) -> None:
        await self._transaction.execute(
            delete(memberships).where(_c.organization_id == organization_id, _c.user_id == user_id)
        )

    async def organizations_of(self, user_id: UUID) -> Sequence[UUID]:
        found = await self._transaction.execute(select(_c.organization_id).where(_c.user_id == user_id))
        return list(found.scalars())

    async def owners(self, organization_id: UUID) -> Sequence[UUID]:
        found = await self._transaction.execute(
            select(_c.user_id).where(_c.organization_id == organization_id, _c.role == Role.OWNER.value)
        )
        return list(found.scalars())

    async def _one(self, *conditions: ColumnElement[bool]) -> tuple[Membership, User] | None:
        found = await self._transaction.execute(
            select(memberships, users).join_from(memberships, users, users.c.id == _c.user_id).where(*conditions)
        )
        row = found.one_or_none()
        if row is None:
            return None
        return Membership(row.organization_id, row.user_id, Role(row.role), row.joined_at), user_entity(row)
