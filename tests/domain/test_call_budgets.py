"""Call budgets of several processes: together they call no more than the service takes, and know of waits soon."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from domain.call_budgets import BLOCK, GOOD_FOR_SECONDS, CallBudgets
from domain.credential_refresh import CredentialRefresher
from domain.credential_secrets import CredentialSecret
from domain.credential_vault import CredentialVault
from domain.entities.call_budget import BudgetKey
from domain.entities.health import HealthStatus
from domain.services.base import IdentityAnswer
from domain.services.service_fault import FaultKind, ServiceFault
from tests.domain.world import World

pytestmark = pytest.mark.anyio

SLACK = BudgetKey("slack", "slack.com", "T0123")
AT_ONCE = 100
"""What Slack takes after a pause; then one more every 0.6 seconds."""


def _process(world: World, monotonic: Callable[[], float] = lambda: 0.0) -> CallBudgets:
    """Another one's, at a moment that stands still."""
    now = world.clock()
    return CallBudgets(world.units, world.catalogue, lambda: now + world.clock.ahead, monotonic)


async def test_processes_together_never_call_more_than_there_is(world: World) -> None:
    one, other = _process(world), _process(world)
    answers = await asyncio.gather(*(budgets.take(SLACK) for _ in range(AT_ONCE) for budgets in (one, other)))
    assert sum(answer is None for answer in answers) == AT_ONCE
    world.clock.advance(seconds=6)
    answers = [await budgets.take(SLACK) for _ in range(10) for budgets in (one, other)]
    assert sum(answer is None for answer in answers) == 10


async def test_what_is_refused_says_when_to_come_again(world: World) -> None:
    budgets = _process(world)
    assert await budgets.take_all([SLACK] * AT_ONCE) == {}
    refused = await budgets.take(SLACK)
    assert refused is not None
    assert (refused.kind, refused.code, refused.retry_after_seconds) == (
        FaultKind.RATE_LIMITED,
        "slack_rate_limited",
        1,
    )
    [most] = (await budgets.take_all([SLACK] * 50)).values()
    assert most.calls == 50
    world.clock.advance(seconds=1)
    assert await budgets.take(SLACK) is None


async def test_many_at_once_in_one_process_take_one_block(world: World) -> None:
    one, other = _process(world), _process(world)
    assert set(await asyncio.gather(*(one.take(SLACK) for _ in range(BLOCK)))) == {None}
    assert await other.take_all([SLACK] * (AT_ONCE - BLOCK)) == {}


async def test_what_a_process_holds_is_good_for_a_while_only(world: World) -> None:
    seconds, now = 0.0, world.clock()
    budgets = CallBudgets(world.units, world.catalogue, lambda: now, lambda: seconds)
    assert await budgets.take(SLACK) is None
    async with world.units.writing_everywhere() as unit:
        await unit.call_budgets.block("slack", SLACK.holder, now + timedelta(minutes=5))
        await unit.commit()
    seconds = GOOD_FOR_SECONDS - 1
    assert await budgets.take(SLACK) is None
    seconds = GOOD_FOR_SECONDS
    refused = await budgets.take(SLACK)
    assert refused is not None
    assert refused.retry_after_seconds == 300


async def test_who_does_not_know_the_account_takes_from_nobody(world: World) -> None:
    assert await _process(world).take(None) is None


async def test_a_wait_told_to_one_connection_holds_for_another_of_the_same_account(world: World) -> None:
    token, other_token = await world.token(), await world.token()
    told, other = await world.connect(token), await world.connect(other_token, name="Other")
    seconds = 0.0
    budgets = CallBudgets(world.units, world.catalogue, world.clock, lambda: seconds)
    refresher = CredentialRefresher(
        world.units, world.catalogue, CredentialVault(world.encryption), world.clock, budgets=budgets
    )
    service = world.catalogue.get_connected("github")

    async def identify(secret: CredentialSecret) -> IdentityAnswer:
        return await service.identify(secret)

    async def call() -> IdentityAnswer:
        return await refresher.call(world.organization_id, other.id, identify)

    assert not isinstance(await call(), ServiceFault)
    await world.change(token, behaviour="rate_limited")  # until the hour of its quota is over
    await world.manager.check_connection_health(world.admin, told.id)
    assert not isinstance(await call(), ServiceFault)  # from the block that this process holds
    seconds = GOOD_FOR_SECONDS
    calls = await world.calls(other_token)
    refused = await call()
    assert isinstance(refused, ServiceFault)
    assert refused.kind is FaultKind.RATE_LIMITED
    assert refused.retry_after_seconds is not None
    assert 3_500 < refused.retry_after_seconds <= 3_600
    assert await world.calls(other_token) == calls
    world.clock.advance(seconds=3_601)
    assert not isinstance(await call(), ServiceFault)
    assert (await world.known(other.id)).health.status is HealthStatus.HEALTHY
    await refresher.aclose()
