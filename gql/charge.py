"""Charge: what the operation that runs has cost its caller, told by `Query.rateLimit` and in each answer's extensions.

Made by `gql/admission.py`. It belongs to the task that runs the operation, as one socket's context serves many.
"""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from domain.entities.operation_budget import Standing
from domain.errors import RateLimited
from domain.operation_budgets import OperationBudgets


@dataclass(slots=True)  # not frozen: one is made for each operation, which would take twice as long
class Charge:
    """`cost` in points. Strangers are charged nothing."""

    cost: int
    budgets: OperationBudgets
    user_id: UUID

    def standing(self) -> Standing:
        """What the caller has left at this moment."""
        return self.budgets.standing(self.user_id)

    def extension(self) -> dict[str, Any]:
        """The answer's `extensions.cost`."""
        standing = self.budgets.standing(self.user_id)
        return {
            "requested": self.cost,
            "limit": standing.limit,
            "remaining": standing.remaining,
            "resetAt": standing.reset_at,
        }


async def pay_again() -> None:
    """Charge the running operation once more, as soon as there are enough points: for each event that it tells."""
    charge = charged.get()
    while charge is not None:
        try:
            await charge.budgets.spend(charge.user_id, charge.cost)
        except RateLimited as limited:
            await asyncio.sleep(limited.retry_after_seconds)
        else:
            return


charged: Final[ContextVar[Charge | None]] = ContextVar("charge", default=None)
