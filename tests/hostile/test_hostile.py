"""Whatever a caller sends is answered in the contract's words, at a cost that lets them slow nobody down."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.hostile.corpus import corpus
from tests.hostile.cost import Cost, cost_of
from tests.hostile.measured_server import measured_server
from tests.hostile.socket_corpus import cost_of_conversation, socket_corpus

pytestmark = pytest.mark.anyio

MOST_MS: Final = 50.0
NOISE: Final = 2.0
"""How much dearer a busy machine makes a request, whose processors are shared."""
MORE_RUNS: Final = 6


async def test_hostile_requests_are_told_what_is_wrong_and_cost_little(sqlite_template: Path, tmp_path: Path) -> None:
    """One test for all, since the server that is measured is a process of its own."""
    file = tmp_path / "tether.db"
    shutil.copyfile(sqlite_template, file)
    async with measured_server(f"sqlite+aiosqlite:///{file}") as server:
        costs = [await cost_of(each, server, 1) for each in corpus()]
        costs += [
            await cost_of(each, server, MORE_RUNS)
            for each, cost in zip(corpus(), costs, strict=True)
            if cost.processor_ms > MOST_MS * NOISE
        ]
        costs += [await cost_of_conversation(each, server, 2) for each in socket_corpus()]

    least: dict[str, Cost] = {}
    for cost in costs:
        least[cost.name] = min(cost, least.get(cost.name, cost), key=lambda one: one.processor_ms)
    assert [f"{cost.name}: {cost.outcome} {cost.wrong}" for cost in costs if cost.wrong] == []
    dear = [
        f"{cost.name}: {cost.processor_ms:.0f} ms" for cost in least.values() if cost.processor_ms > MOST_MS * NOISE
    ]
    assert dear == []
    assert len(least) > 170
