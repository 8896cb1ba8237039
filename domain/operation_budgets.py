"""OperationBudgets: whether somebody may run an operation now, by what they have run on all processes together.

Asked before each operation. Points are taken from the person's budget in blocks, so that most operations ask the
database nothing: a block is small at first, larger for whoever spends it soon, and a twentieth of the budget at most.
What is left of one that was held for a minute goes back with the next. Nobody spends what isn't there; what other
processes hold meanwhile, or held when they were killed, is missing for as long. Where the database can't be asked, a
block is lent, so that what could still be answered is.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import Final
from uuid import UUID

from domain.entities.operation_budget import OperationAllowance, OperationBlock, Standing
from domain.errors import RateLimited, ServiceUnavailable
from domain.ports import UnitsOfWork

FIRST_BLOCK: Final = 10
"""So many times what the operation costs for which it is taken."""
LARGEST_PART: Final = 20
"""A block is at most this part of a budget."""
GOOD_FOR_SECONDS: Final = 60.0
KEPT: Final = 10_000


@dataclass(slots=True)
class _Held:
    """Points to spend; `left` were in the bucket at `seen_at`. `spent` of this block; `owed`: lent, not taken."""

    points: int = 0
    owed: int = 0
    left: int = 0
    seen_at: float = 0.0
    spent: int = 0
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)


class OperationBudgets:
    """One a process. `seconds` is the clock as a number, since each operation asks."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        allowance: OperationAllowance,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._units_of_work = units_of_work
        self._allowance = allowance
        self._seconds = seconds
        self._per_second = allowance.per_minute / 60
        self._held: OrderedDict[UUID, _Held] = OrderedDict()
        self.blocks_taken = 0

    async def spend(self, user_id: UUID, points: int) -> None:
        """Take them. Raises RateLimited where there are too few."""
        if self.spend_held(user_id, points):
            return
        held = self._held.get(user_id)
        if held is None:
            held = self._held[user_id] = _Held()
            while len(self._held) > KEPT:
                self._held.popitem(last=False)
        self._held.move_to_end(user_id)
        async with held.taking:  # of many who ask at once, one takes a block for all
            if not self._spent(held, points):
                await self._take(user_id, held, points)

    def spend_held(self, user_id: UUID, points: int) -> bool:
        """Take them at once if this process holds as many; else `spend` is to be asked. Raises RateLimited."""
        held = self._held.get(user_id)
        return held is not None and self._spent(held, points)

    def standing(self, user_id: UUID) -> Standing:
        """What they may still spend, as far as this process knows, which has taken a block within a minute."""
        limit, now = self._allowance.points, self._seconds()
        held = self._held.get(user_id)
        remaining = limit if held is None else min(limit, held.points + self._left(held, now))
        return Standing(limit, remaining, datetime.fromtimestamp(now + (limit - remaining) / self._per_second, UTC))

    def _spent(self, held: _Held, points: int) -> bool:
        """Whether they could be taken from what is held. Raises RateLimited if the bucket is known to have too few."""
        now = self._seconds()
        if not 0 <= now - held.seen_at < GOOD_FOR_SECONDS:  # a clock that was set back has to ask, too
            return False
        if held.points >= points:
            held.points -= points
            held.spent += points
            return True
        missing = points - held.points - self._left(held, now)
        if missing > 0:
            raise RateLimited(points, self._waiting(missing))
        return False

    async def _take(self, user_id: UUID, held: _Held, points: int) -> None:
        back, held.points, held.owed = held.points - held.owed, 0, 0
        block = max(points, min(self._allowance.points // LARGEST_PART, FIRST_BLOCK * points + 2 * held.spent))
        now = self._seconds()
        try:
            async with self._units_of_work.writing_everywhere() as unit:
                taken = await unit.operation_budgets.take(
                    user_id, self._allowance, datetime.fromtimestamp(now, UTC), back=back, least=points, most=block
                )
                await unit.commit()
        except ServiceUnavailable:  # what needs the database says so itself; writes may be stopped, and reads not
            held.owed = block - back
            taken = OperationBlock(block, held.left)
        self.blocks_taken += 1
        held.left, held.seen_at, held.spent = taken.left, now, 0
        if taken.points < points:
            raise RateLimited(points, self._waiting(points - taken.left))
        held.points = taken.points - points
        held.spent = points

    def _left(self, held: _Held, now: float) -> int:
        """What is in the bucket by now, unless other processes have taken of it."""
        return min(self._allowance.points, held.left + int((now - held.seen_at) * self._per_second))

    def _waiting(self, missing: int) -> int:
        return max(1, ceil(missing / self._per_second))
