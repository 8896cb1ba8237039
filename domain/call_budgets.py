"""CallBudgets: whether a service may be called for an account now, by what all processes together have called already.

Asked before every call with a stored credential. Calls are taken from the account's budget in blocks, so that a burst
asks the database once; a block is good for less than a minute, so that what one process is told of a wait soon is known
to all.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.call_budget import limited_until
from domain.entities.call_budget import Block, BudgetKey
from domain.entities.health import ExternalAccount
from domain.ports import UnitsOfWork
from domain.services.base import Service
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import ServiceFault

BLOCK: Final = 20
GOOD_FOR_SECONDS: Final = 30.0
KEPT: Final = 10_000


@dataclass(slots=True)
class _Held:
    calls: int
    until_seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """So many of the calls may not be made, the next one of them at `again_at`."""

    calls: int
    again_at: datetime


class CallBudgets:
    """One a process."""

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        catalogue: ServiceCatalogue,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._units_of_work = units_of_work
        self._catalogue = catalogue
        self._clock = clock
        self._monotonic = monotonic
        self._held: OrderedDict[BudgetKey, _Held] = OrderedDict()
        self._taking = asyncio.Lock()

    async def take(self, key: BudgetKey | None) -> ServiceFault | None:
        """One call; None where it may be made, else the fault that it would end with. Raises ServiceUnavailable."""
        if key is None:
            return None
        refused = (await self.take_all([key])).get(key)
        return None if refused is None else limited_until(key.service, refused.again_at, self._clock())

    async def take_all(self, keys: Iterable[BudgetKey]) -> Mapping[BudgetKey, Refused]:
        """One call for each time that a key is given: of which keys how many are refused. Raises ServiceUnavailable."""
        missing = self._not_held(Counter(keys))
        if not missing:
            return {}
        async with self._taking:  # of many who ask at once, one takes a block for all
            missing = self._not_held(missing)
            return await self._take_blocks(missing) if missing else {}

    def _not_held(self, wanted: Mapping[BudgetKey, int]) -> Mapping[BudgetKey, int]:
        return {key: count for key, count in wanted.items() if not self._take_held(key, count)}

    def _take_held(self, key: BudgetKey, count: int) -> bool:
        held = self._held.get(key)
        if held is None or held.until_seconds <= self._monotonic() or held.calls < count:
            return False
        held.calls -= count
        return True

    async def _take_blocks(self, wanted: Mapping[BudgetKey, int]) -> Mapping[BudgetKey, Refused]:
        now, refused = self._clock(), {}
        asked = {
            key: (self._catalogue.get_connected(key.service).allowance, count - 1 + BLOCK)
            for key, count in wanted.items()
        }
        async with self._units_of_work.writing_everywhere() as unit:
            blocks = await unit.call_budgets.take(asked, now)
            await unit.commit()
        for key, block in blocks.items():
            if block.calls < wanted[key]:
                refused[key] = Refused(wanted[key] - block.calls, block.again_at)
            else:
                self._hold(key, block, wanted[key])
        return refused

    def _hold(self, key: BudgetKey, block: Block, taken: int) -> None:
        left, now = self._held.get(key), self._monotonic()
        calls = block.calls - taken + (left.calls if left is not None and left.until_seconds > now else 0)
        self._held[key] = _Held(calls, now + GOOD_FOR_SECONDS)
        self._held.move_to_end(key)
        while len(self._held) > KEPT:
            self._held.popitem(last=False)


def budget_key(service: Service, account: ExternalAccount | None) -> BudgetKey | None:
    """Whose budget a call for an account takes from; None while it isn't known whose the credential is."""
    return None if account is None else BudgetKey(service.id, service.host, account.id)
