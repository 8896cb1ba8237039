"""Who belongs to which organization, and as what, as rows.

Reached as `unit.memberships`.
"""

from uuid import UUID

from sqlalchemy import insert, select, update

from domain.entities.user import Membership, Role
from domain.errors import NotFound
from persistence.tables import memberships
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

    async def add(self, membership: Membership) -> None:
        await self._transaction.execute(
            insert(memberships).values(
                organization_id=membership.organization_id,
                user_id=membership.user_id,
                role=membership.role.value,
                joined_at=membership.joined_at,
            )
        )

    async def save(self, membership: Membership) -> None:
        """Only the role can change. Raises NotFound if they are no longer a member."""
        saved = await self._transaction.execute(
            update(memberships)
            .where(_c.organization_id == membership.organization_id, _c.user_id == membership.user_id)
            .values(role=membership.role.value)
        )
        if saved.rowcount == 0:
            raise NotFound("This user is no member of the organization.")
