"""Who users are at identity providers, as rows.

Reached as `unit.identities`.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, exists, or_, select, update

from domain.people_ports import KnownIdentity
from persistence.repositories.insert_if_new import insert_if_new
from persistence.repositories.users import user_entity
from persistence.tables import user_identities, users
from persistence.transaction import Transaction

_c = user_identities.c


class SqlIdentityRepository:
    """Implements IdentityRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, issuer: str, subject: str) -> KnownIdentity | None:
        statement = (
            select(users, _c.seen_at, _c.told_at)
            .join_from(user_identities, users, users.c.id == _c.user_id)
            .where(_c.issuer == issuer, _c.subject == subject)
        )
        row = (await self._transaction.execute(statement)).one_or_none()
        return None if row is None else KnownIdentity(user_entity(row), row.seen_at, row.told_at)

    async def add(self, issuer: str, subject: str, user_id: UUID, at: datetime) -> bool:
        values = {"issuer": issuer, "subject": subject, "user_id": user_id, "created_at": at, "seen_at": at}
        return await insert_if_new(self._transaction, user_identities, values)

    async def mark_seen(self, issuer: str, subject: str, at: datetime) -> None:
        await self._transaction.execute(
            update(user_identities).where(and_(_c.issuer == issuer, _c.subject == subject)).values(seen_at=at)
        )

    async def mark_told(self, issuer: str, subject: str, told_at: datetime) -> bool:
        not_later = or_(_c.told_at.is_(None), _c.told_at <= told_at)  # as the row is when its lock is had
        marked = await self._transaction.execute(
            update(user_identities)
            .where(and_(_c.issuer == issuer, _c.subject == subject), not_later)
            .values(told_at=told_at)
        )
        return marked.rowcount == 1

    async def has_any(self, user_id: UUID) -> bool:
        return bool((await self._transaction.execute(select(exists().where(_c.user_id == user_id)))).scalar_one())
