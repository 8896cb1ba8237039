"""Call budgets on both databases: what is taken is gone for everybody, and comes back with time."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from domain.entities.call_budget import Block, BudgetKey, CallAllowance
from persistence.database import Database
from persistence.unit_of_work import SqlUnitsOfWork

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
KEY = BudgetKey("github", "api.github.com", "583231")
OTHER = BudgetKey("github", "api.github.com", "9919")
TEN = CallAllowance(per_hour=3_600, at_once=10)


async def _take(units: SqlUnitsOfWork, most: int, now: datetime = NOW, key: BudgetKey = KEY) -> Block:
    async with units.writing() as unit:
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
    async with units.writing() as unit:
        blocks = await unit.call_budgets.take({KEY: (TEN, 10), OTHER: (TEN, 3)}, NOW)
        await unit.commit()
    assert {key: block.calls for key, block in blocks.items()} == {KEY: 10, OTHER: 3}


async def test_a_wait_holds_for_all_and_ends(units: SqlUnitsOfWork) -> None:
    await _take(units, 1)
    until = NOW + timedelta(seconds=30)
    async with units.writing() as unit:
        await unit.call_budgets.block("github", KEY.holder, until)
        await unit.commit()
    assert await _take(units, 1) == Block(0, until)
    assert (await _take(units, 1, key=OTHER)).calls == 1
    assert (await _take(units, 1, until)).calls == 1


async def test_a_longer_wait_is_not_shortened(units: SqlUnitsOfWork) -> None:
    await _take(units, 1)
    async with units.writing() as unit:
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
    async with units.writing() as unit:
        assert await unit.call_budgets.forget(NOW + timedelta(hours=1), 10) == 1
        await unit.commit()
    assert (await _take(units, 10)).calls == 10
