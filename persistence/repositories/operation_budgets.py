"""What is left of people's budgets, as rows: one moment says it, when a budget will be full again.

Reached as `unit.operation_budgets`, by units for all organizations. As with the budgets of calls, taking points moves
that moment on, and the points are there as long as it isn't too far ahead.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.entities.operation_budget import OperationAllowance, OperationBlock
from persistence.tables import operation_budgets
from persistence.transaction import Transaction

_c = operation_budgets.c


class SqlOperationBudgetRepository:
    """Implements OperationBudgetRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def take(
        self, user_id: UUID, allowance: OperationAllowance, now: datetime, *, back: int, least: int, most: int
    ) -> OperationBlock:
        known = await self._locked(user_id, now)
        emptiest = now + _time_for(allowance.points, allowance)  # later is a clock's mistake, or another allowance's
        # What was lent while the database was gone is owed, which is negative here; nobody owes more than there can be.
        full_at = min(emptiest, max(now, min(known, emptiest) - _time_for(back, allowance)))
        left = allowance.points - round((full_at - now).total_seconds() / allowance.each_seconds)
        taken = 0 if left < least else min(left, most)
        full_at += _time_for(taken, allowance)
        if full_at != known:
            await self._transaction.execute(
                update(operation_budgets).where(_c.user_id == user_id).values(full_at=full_at)
            )
        return OperationBlock(taken, left - taken)

    async def forget(self, full_before: datetime, limit: int) -> int:
        over = select(_c.user_id).where(_c.full_at < full_before).limit(limit)
        forgotten = await self._transaction.execute(delete(operation_budgets).where(_c.user_id.in_(over)))
        return forgotten.rowcount

    async def _locked(self, user_id: UUID, now: datetime) -> datetime:
        """When it is full; of one that isn't known yet, now."""
        dialect = sqlite if self._transaction.connection.dialect.name == "sqlite" else postgresql
        insert = dialect.insert(operation_budgets).values(user_id=user_id, full_at=now)
        rows = await self._transaction.execute(
            insert.on_conflict_do_update(index_elements=["user_id"], set_={"full_at": _c.full_at}).returning(_c.full_at)
        )
        full_at: datetime = rows.scalar_one()
        return full_at


def _time_for(points: int, allowance: OperationAllowance) -> timedelta:
    return timedelta(seconds=points * allowance.each_seconds)
