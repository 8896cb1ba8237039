"""People's budgets on both databases: what is taken is gone for everybody, and comes back with time."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain.entities.operation_budget import OperationAllowance, OperationBlock
from persistence.unit_of_work import SqlUnitsOfWork

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ADA = UUID(int=1)
HUNDRED = OperationAllowance(points=100, per_minute=60)
VAST = OperationAllowance(points=999_999_999, per_minute=999_999_999)


async def _take(
    units: SqlUnitsOfWork,
    most: int,
    now: datetime = NOW,
    *,
    back: int = 0,
    least: int = 1,
    user_id: UUID = ADA,
    allowance: OperationAllowance = HUNDRED,
) -> OperationBlock:
    async with units.writing_everywhere() as unit:
        block = await unit.operation_budgets.take(user_id, allowance, now, back=back, least=least, most=most)
        await unit.commit()
    return block


async def test_a_budget_is_emptied_and_fills_with_time(units: SqlUnitsOfWork) -> None:
    assert await _take(units, 70) == OperationBlock(70, 30)
    assert await _take(units, 70) == OperationBlock(30, 0)
    assert await _take(units, 70) == OperationBlock(0, 0)
    assert await _take(units, 70, NOW + timedelta(seconds=12)) == OperationBlock(12, 0)
    assert await _take(units, 1, NOW + timedelta(days=1)) == OperationBlock(1, 99)


async def test_fewer_than_the_least_are_not_taken(units: SqlUnitsOfWork) -> None:
    await _take(units, 70)
    assert await _take(units, 70, least=31) == OperationBlock(0, 30)
    assert await _take(units, 70, least=30) == OperationBlock(30, 0)


async def test_what_is_given_back_is_there_again_and_never_more_than_all(units: SqlUnitsOfWork) -> None:
    await _take(units, 70)
    assert await _take(units, 50, back=20) == OperationBlock(50, 0)
    assert await _take(units, 10, back=1_000) == OperationBlock(10, 90)
    assert await _take(units, 10, back=-85) == OperationBlock(5, 0), "what was lent is taken first"
    assert await _take(units, 10, back=-30) == OperationBlock(0, 0), "nobody owes more than there can be"
    assert await _take(units, 10, NOW + timedelta(seconds=1)) == OperationBlock(1, 0)


async def test_one_person_takes_nothing_from_another(units: SqlUnitsOfWork) -> None:
    await _take(units, 100)
    assert await _take(units, 100, user_id=uuid4()) == OperationBlock(100, 0)


async def test_the_largest_budget_there_may_be_is_counted_to_the_microsecond(units: SqlUnitsOfWork) -> None:
    each = VAST.per_minute // 60_000_000 + 1
    for taken in range(1, 4):
        block = await _take(units, 1_000, allowance=VAST)
        assert block.points == 1_000
        assert abs(block.left - (VAST.points - 1_000 * taken)) <= each * taken


async def test_a_clock_that_was_ahead_leaves_an_empty_budget_at_worst(units: SqlUnitsOfWork) -> None:
    await _take(units, 50, NOW + timedelta(days=3))
    assert await _take(units, 1) == OperationBlock(0, 0)
    assert await _take(units, 100, NOW + timedelta(seconds=100)) == OperationBlock(100, 0)


async def test_of_many_at_once_nobody_takes_what_another_has(units: SqlUnitsOfWork) -> None:
    blocks = await asyncio.gather(*(_take(units, 7) for _ in range(20)))
    assert sum(block.points for block in blocks) == 100


async def test_full_ones_are_forgotten(units: SqlUnitsOfWork) -> None:
    await _take(units, 50)
    await _take(units, 10, user_id=uuid4())
    async with units.writing_everywhere() as unit:
        assert await unit.operation_budgets.forget(NOW + timedelta(seconds=30), 10) == 1
        await unit.commit()
    assert await _take(units, 1) == OperationBlock(1, 49)
