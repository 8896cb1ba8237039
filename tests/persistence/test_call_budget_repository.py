"""Call budgets on both databases: what is taken is gone for everybody, and comes back with time."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.call_budget import Block, BudgetKey, CallAllowance
from persistence.database import Database
from persistence.repositories.call_budgets import _taken
from persistence.unit_of_work import SqlUnitsOfWork

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
KEY = BudgetKey("github", "api.github.com", "583231")
OTHER = BudgetKey("github", "api.github.com", "9919")
TEN = CallAllowance(per_hour=3_600, at_once=10)


async def _take(units: SqlUnitsOfWork, most: int, now: datetime = NOW, key: BudgetKey = KEY) -> Block:
    async with units.writing_everywhere() as unit:
        blocks = await unit.call_budgets.take({key: (TEN, most)}, now)
        await unit.commit()
    return blocks[key]


async def test_a_budget_is_emptied_and_fills_with_time(units: SqlUnitsOfWork) -> None:
    assert (await _take(units, 6)).calls == 6
    assert await _take(units, 6) == Block(4, NOW + timedelta(seconds=1))
    assert await _take(units, 6) == Block(0, NOW + timedelta(seconds=1))
    later = NOW + timedelta(seconds=3)
    assert await _take(units, 6, later) == Block(3, later + timedelta(seconds=1))
    assert (await _take(units, 99, NOW + timedelta(days=1))).calls == 10


async def test_one_account_takes_nothing_from_another(units: SqlUnitsOfWork) -> None:
    async with units.writing_everywhere() as unit:
        blocks = await unit.call_budgets.take({KEY: (TEN, 10), OTHER: (TEN, 3)}, NOW)
        await unit.commit()
    assert {key: block.calls for key, block in blocks.items()} == {KEY: 10, OTHER: 3}


async def test_a_wait_holds_for_all_and_ends(units: SqlUnitsOfWork) -> None:
    await _take(units, 1)
    until = NOW + timedelta(seconds=30)
    async with units.writing_everywhere() as unit:
        await unit.call_budgets.block("github", KEY.holder, until)
        await unit.commit()
    assert await _take(units, 1) == Block(0, until)
    assert (await _take(units, 1, key=OTHER)).calls == 1
    assert (await _take(units, 1, until)).calls == 1


async def test_a_longer_wait_is_not_shortened(units: SqlUnitsOfWork) -> None:
    await _take(units, 1)
    async with units.writing_everywhere() as unit:
        for seconds in (3_600, 30, -3_600):
            await unit.call_budgets.block("github", KEY.holder, NOW + timedelta(seconds=seconds))
        await unit.commit()
    assert await _take(units, 1) == Block(0, NOW + timedelta(hours=1))


async def test_what_was_taken_by_a_clock_that_was_ahead_is_there_again_soon(units: SqlUnitsOfWork) -> None:
    await _take(units, 10, NOW + timedelta(days=1))
    assert (await _take(units, 1)).calls == 0
    assert (await _take(units, 10, NOW + timedelta(seconds=10))).calls == 10


async def test_those_who_take_at_once_get_no_more_than_there_is(units: SqlUnitsOfWork) -> None:
    blocks = await asyncio.gather(*(_take(units, 3) for _ in range(8)))
    assert sum(block.calls for block in blocks) == 10


async def test_what_has_been_full_for_long_is_forgotten(units: SqlUnitsOfWork, database: Database) -> None:
    await _take(units, 1)
    await _take(units, 1, NOW + timedelta(hours=2), OTHER)
    async with units.writing_everywhere() as unit:
        assert await unit.call_budgets.forget(NOW + timedelta(hours=1), 10) == 1
        await unit.commit()
    assert (await _take(units, 10)).calls == 10


async def test_a_clock_that_was_set_back_finds_all_of_them_full(units: SqlUnitsOfWork) -> None:
    await _take(units, 10, NOW + timedelta(hours=5))
    await _take(units, 1, NOW - timedelta(hours=5), OTHER)
    async with units.writing_everywhere() as unit:
        await unit.call_budgets.block("github", OTHER.holder, NOW + timedelta(hours=5))
        await unit.call_budgets.fill(NOW)
        await unit.commit()
    assert (await _take(units, 10)).calls == 10
    assert (await _take(units, 10, key=OTHER)).calls == 10


@dataclass
class SlowBucket:
    """The same, by fractions of calls that come back one moment after the other."""

    allowance: CallAllowance
    now: datetime = NOW
    level: Fraction = Fraction(0)
    taken: list[tuple[datetime, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.level = Fraction(self.allowance.at_once)

    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.level = min(Fraction(self.allowance.at_once), self.level + self._calls_in(timedelta(seconds=seconds)))

    def take(self, most: int) -> int:
        calls = min(most, int(self.level))
        self.level -= calls
        self.taken.append((self.now, calls))
        return calls

    def most_in_any_window(self) -> Fraction:
        """Of what was taken, less what had come back meanwhile."""
        return max(
            sum(calls for at, calls in self.taken[first : last + 1]) - self._calls_in(end - begin)
            for last, (end, _) in enumerate(self.taken)
            for first, (begin, _) in enumerate(self.taken[: last + 1])
        )

    def _calls_in(self, time: timedelta) -> Fraction:
        microsecond = timedelta(microseconds=1)
        return Fraction(time // microsecond, self.allowance.each // microsecond)


@given(
    per_hour=st.integers(1, 100_000),
    at_once=st.integers(1, 50),
    turns=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60)), min_size=1, max_size=12),
)
def test_never_are_more_taken_than_there_are_and_never_fewer(
    per_hour: int, at_once: int, turns: list[tuple[int, int]]
) -> None:
    allowance, full_at = CallAllowance(per_hour, at_once), NOW
    slow = SlowBucket(allowance)
    for seconds, most in turns:
        slow.wait(seconds)
        block, full_at = _taken(allowance, max(full_at, slow.now), None, most, slow.now)
        assert block.calls == slow.take(most)
        if block.again_at > slow.now:
            assert slow.level < 1
            assert _left(allowance, full_at, block.again_at) == 1
            assert _left(allowance, full_at, block.again_at - timedelta(microseconds=1)) == 0
        else:
            assert slow.level >= 1
    assert slow.most_in_any_window() <= at_once


def _left(allowance: CallAllowance, full_at: datetime, at: datetime) -> int:
    """How many could be taken then."""
    return _taken(allowance, max(full_at, at), None, allowance.at_once, at)[0].calls
