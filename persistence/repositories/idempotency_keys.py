"""Answered creating calls as rows: of two equal calls at once, one finds its key taken.

Reached as `unit.idempotency_keys`.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, tuple_

from persistence.repositories.insert_if_new import insert_if_new
from persistence.tables import idempotency_keys
from persistence.transaction import Transaction

_c = idempotency_keys.c


class SqlIdempotencyKeyRepository:
    """Implements IdempotencyKeyRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, user_id: UUID, operation: str, key: str) -> tuple[bytes, UUID] | None:
        statement = select(_c.input_hash, _c.result_id).where(
            _c.user_id == user_id, _c.operation == operation, _c.key == key
        )
        async with self._transaction.everywhere():  # it may have been used for another organization
            found = await self._transaction.execute(statement)
        row = found.one_or_none()
        return None if row is None else (row.input_hash, row.result_id)

    async def add(
        self,
        *,
        user_id: UUID,
        operation: str,
        key: str,
        organization_id: UUID,
        input_hash: bytes,
        result_id: UUID,
        now: datetime,
    ) -> bool:
        values = {
            "user_id": user_id,
            "operation": operation,
            "key": key,
            "organization_id": organization_id,
            "input_hash": input_hash,
            "result_id": result_id,
            "created_at": now,
        }
        return await insert_if_new(self._transaction, idempotency_keys, values)

    async def forget(self, created_before: datetime, limit: int) -> int:
        """The oldest first."""
        old = select(_c.user_id, _c.operation, _c.key).where(_c.created_at < created_before)
        oldest = old.order_by(_c.created_at).limit(limit)
        forgotten = await self._transaction.execute(
            delete(idempotency_keys).where(tuple_(_c.user_id, _c.operation, _c.key).in_(oldest))
        )
        return forgotten.rowcount
