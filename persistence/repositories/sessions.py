"""Sessions of browsers as rows: the hash of the secret, never the secret. An ended one is gone.

Reached as `unit.sessions`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, or_, select, update

from domain.entities.session import Session
from domain.entities.user import User
from persistence.repositories.users import user_entity
from persistence.tables import sessions, users
from persistence.transaction import Transaction

_c = sessions.c


class SqlSessionRepository:
    """Implements SessionRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, secret_hash: bytes) -> tuple[Session, User] | None:
        found = await self._transaction.execute(
            select(sessions, users).join(users, users.c.id == _c.user_id).where(_c.secret_hash == secret_hash)
        )
        row = found.one_or_none()
        return None if row is None else (_entity(row), user_entity(row))

    async def add(self, session: Session) -> None:
        await self._transaction.execute(
            insert(sessions).values(
                id=session.id,
                secret_hash=session.secret_hash,
                user_id=session.user_id,
                issuer=session.issuer,
                created_at=session.created_at,
                seen_at=session.seen_at,
                expires_at=session.expires_at,
            )
        )

    async def mark_seen(self, session_id: UUID, at: datetime) -> None:
        await self._transaction.execute(update(sessions).where(_c.id == session_id, _c.seen_at < at).values(seen_at=at))

    async def take(self, secret_hash: bytes) -> Session | None:
        taken = await self._transaction.execute(
            delete(sessions).where(_c.secret_hash == secret_hash).returning(sessions)
        )
        row = taken.one_or_none()
        return None if row is None else _entity(row)

    async def take_all_of(self, user_id: UUID) -> Sequence[Session]:
        taken = await self._transaction.execute(delete(sessions).where(_c.user_id == user_id).returning(sessions))
        return [_entity(row) for row in taken]

    async def forget(self, *, expired: datetime, unused_since: datetime, limit: int) -> int:
        over = select(_c.id).where(or_(_c.expires_at <= expired, _c.seen_at <= unused_since)).limit(limit)
        return (await self._transaction.execute(delete(sessions).where(_c.id.in_(over)))).rowcount


def _entity(row: Row[Any]) -> Session:
    columns = row._mapping  # by column, since both tables of a joined row have an id
    return Session(
        id=columns[_c.id],
        secret_hash=columns[_c.secret_hash],
        user_id=columns[_c.user_id],
        issuer=columns[_c.issuer],
        created_at=columns[_c.created_at],
        seen_at=columns[_c.seen_at],
        expires_at=columns[_c.expires_at],
    )
