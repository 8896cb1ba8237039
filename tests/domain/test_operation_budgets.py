"""Budgets of several processes on one database: they let nobody spend more than there is, and seldom ask it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.entities.operation_budget import OperationAllowance
from domain.errors import RateLimited, ServiceUnavailable
from domain.operation_budgets import FIRST_BLOCK, GOOD_FOR_SECONDS, LARGEST_PART, OperationBudgets
from domain.ports import UnitOfWork
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.world import World

pytestmark = pytest.mark.anyio

ADA = UUID(int=1)
THOUSAND = OperationAllowance(points=1_000, per_minute=600)
"""Ten more a second."""
LARGEST_BLOCK = THOUSAND.points // LARGEST_PART


@dataclass(slots=True)
class Clock:
    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Outage:
    """Units of work that begin unless the database is gone."""

    units: SqlUnitsOfWork
    gone: bool = False

    def writing_everywhere(self) -> AbstractAsyncContextManager[UnitOfWork]:
        if self.gone:
            raise ServiceUnavailable("The database is gone.")
        return self.units.writing_everywhere()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def process(world: World, clock: Clock) -> Callable[[], OperationBudgets]:
    return lambda: OperationBudgets(world.units, THOUSAND, clock)


async def _spent(budgets: OperationBudgets, points: int, user_id: UUID = ADA) -> bool:
    try:
        await budgets.spend(user_id, points)
    except RateLimited:
        return False
    return True


async def test_processes_together_let_nobody_spend_more_than_there_is(process: Callable[[], OperationBudgets]) -> None:
    one, other = process(), process()
    answers = await asyncio.gather(*(_spent(budgets, 7) for _ in range(100) for budgets in (one, other)))
    assert 1_000 - 2 * LARGEST_BLOCK < 7 * sum(answers) <= 1_000


async def test_what_comes_back_can_be_spent_by_any_of_them(
    process: Callable[[], OperationBudgets], clock: Clock
) -> None:
    one, other = process(), process()
    assert await _spent(one, 1_000)
    assert not await _spent(other, 1)
    clock.now += 3
    assert [await _spent(each, points) for each, points in ((other, 30), (one, 1), (other, 1))] == [True, False, False]


async def test_a_block_grows_with_what_is_spent_and_is_never_more_than_a_part(
    process: Callable[[], OperationBudgets],
) -> None:
    budgets, other = process(), process()
    taken = []
    for _ in range(100):
        before = budgets.blocks_taken
        assert await _spent(budgets, 1)
        taken.append(budgets.blocks_taken - before)
    assert sum(taken) == 4, "10, 30, 50 (a twentieth) and again"
    assert taken[0] == taken[FIRST_BLOCK] == 1
    await other.spend(ADA, 0)
    assert other.standing(ADA).remaining == 1_000 - 10 - 30 - 50 - 50


async def test_what_was_not_spent_goes_back_after_a_while(
    process: Callable[[], OperationBudgets], clock: Clock
) -> None:
    one, other = process(), process()
    assert await _spent(one, 1)
    assert await _spent(other, 980)
    assert not await _spent(other, 15), "one holds nine of the nineteen"
    assert one.standing(ADA).remaining == 999
    clock.now += GOOD_FOR_SECONDS
    assert await _spent(one, 1)
    assert one.standing(ADA).remaining == 1_000 - 981 + 600 - 1


async def test_who_is_refused_is_told_when_to_come_again_without_asking_the_database(
    process: Callable[[], OperationBudgets], clock: Clock
) -> None:
    budgets = process()
    await budgets.spend(ADA, 1_000)
    asked = budgets.blocks_taken
    for points, seconds in ((1, 1), (10, 1), (11, 2), (1_000, 100)):
        with pytest.raises(RateLimited) as refused:
            await budgets.spend(ADA, points)
        assert refused.value.retry_after_seconds == seconds
        assert refused.value.details == {"retryAfterSeconds": seconds}
    assert budgets.blocks_taken == asked
    clock.now += 2
    assert await _spent(budgets, 11)


async def test_what_costs_nothing_is_never_refused(process: Callable[[], OperationBudgets]) -> None:
    one, other = process(), process()
    await one.spend(ADA, 1_000)
    for budgets in (one, other):
        await budgets.spend(ADA, 0)
        standing = budgets.standing(ADA)
        assert (standing.limit, standing.remaining) == (1_000, 0)


async def test_many_at_once_take_one_block(process: Callable[[], OperationBudgets]) -> None:
    budgets = process()
    assert all(await asyncio.gather(*(_spent(budgets, 1) for _ in range(FIRST_BLOCK))))
    assert budgets.blocks_taken == 1


async def test_one_person_takes_nothing_from_another(process: Callable[[], OperationBudgets]) -> None:
    budgets = process()
    await budgets.spend(ADA, 1_000)
    assert await _spent(budgets, 1_000, uuid4())


async def test_what_is_lent_while_the_database_is_gone_is_owed_until_the_budget_is_full_again(
    world: World, clock: Clock
) -> None:
    units = Outage(world.units)
    budgets = OperationBudgets(units, THOUSAND, clock)  # type: ignore[arg-type]  # as far as budgets need it
    assert await _spent(budgets, 500)
    units.gone = True
    for _ in range(100):
        clock.now += GOOD_FOR_SECONDS  # with a block that is too old, the database has to be asked
        assert await _spent(budgets, 900)
    units.gone = False
    clock.now += GOOD_FOR_SECONDS
    assert not await _spent(budgets, 1)
    standing = budgets.standing(ADA)
    assert standing.remaining == 0
    assert standing.reset_at.timestamp() == clock.now + 100
    clock.now += 101
    assert await _spent(budgets, 1)
    assert not await _spent(OperationBudgets(world.units, THOUSAND, clock), 995), "no debt is larger than a budget"


async def test_a_process_that_was_killed_has_spent_its_block(process: Callable[[], OperationBudgets]) -> None:
    assert await _spent(process(), 1)
    assert not await _spent(process(), 991)
    assert await _spent(process(), 990)


async def test_a_clock_that_is_set_back_asks_anew(process: Callable[[], OperationBudgets], clock: Clock) -> None:
    budgets = process()
    await budgets.spend(ADA, 500)
    clock.now -= 3_600
    assert not await _spent(budgets, 1), "as if the budget were empty, for as long as it takes to fill"
    clock.now += 100
    assert await _spent(budgets, 1_000)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 120), st.sampled_from([0.0, 0.0, 0.5, 3.0, 20.0, 61.0])),
        max_size=25,
    )
)
async def test_whatever_is_asked_no_more_is_spent_than_there_was_and_what_is_held(
    world: World, steps: list[tuple[int, int, float]]
) -> None:
    clock, user_id = Clock(), uuid4()
    processes = [OperationBudgets(world.units, THOUSAND, clock) for _ in range(3)]
    spent, began = 0, clock.now
    for which, points, pause in steps:
        clock.now += pause
        spent += points if await _spent(processes[which], points, user_id) else 0
        there_was = THOUSAND.points + (clock.now - began) * THOUSAND.per_minute / 60
        assert spent <= there_was + len(processes)  # rounding
        remaining = processes[which].standing(user_id).remaining
        assert 0 <= remaining <= THOUSAND.points
