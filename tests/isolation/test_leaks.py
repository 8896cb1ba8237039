"""Operations made up by chance leak nothing, on either database; and the hunt would find it if they did."""

import random

import pytest

from tests.isolation.harness import Harness
from tests.isolation.leak_hunt import Hunt
from tests.isolation.test_third_net import alter, for_any_member

pytestmark = pytest.mark.anyio

_OPERATIONS = 1_000


async def test_made_up_operations_leak_nothing(asking: Harness) -> None:
    seed = random.SystemRandom().getrandbits(32)
    report = await Hunt(asking, seed).run(_OPERATIONS)
    assert report.leaks == [], f"seed {seed}"
    assert report.operations >= _OPERATIONS
    assert report.telling > _OPERATIONS / 50
    assert report.foreign_cursors > 0


@pytest.mark.parametrize("two_url", ["postgresql"], indirect=True)
async def test_a_leak_is_found(asking: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    alter(monkeypatch, for_any_member, third_too=True)
    assert (await Hunt(asking, 1).run(100)).leaks != []
