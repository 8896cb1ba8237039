"""Wrapped data keys as rows, of which one is PRIMARY: a unique index sees to that.

Reached as `unit.data_keys`.
"""

from collections.abc import Sequence

from sqlalchemy import select

from domain.key_ring import DataKey, DataKeyState
from persistence.repositories.insert_if_new import insert_if_new
from persistence.tables import data_keys
from persistence.transaction import Transaction


class SqlDataKeyRepository:
    """Implements DataKeyRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def list(self) -> Sequence[DataKey]:
        """The oldest first."""
        rows = await self._transaction.execute(select(data_keys).order_by(data_keys.c.created_at, data_keys.c.id))
        return [
            DataKey(
                id=row.id,
                wrapped=row.wrapped,
                provider_id=row.provider_id,
                state=DataKeyState(row.state),
                created_at=row.created_at,
            )
            for row in rows
        ]

    async def add(self, key: DataKey) -> bool:
        values = {
            "id": key.id,
            "wrapped": key.wrapped,
            "provider_id": key.provider_id,
            "state": key.state.value,
            "created_at": key.created_at,
        }
        return await insert_if_new(self._transaction, data_keys, values)
