"""The world that tests of whole use cases run in. The sandbox is one a module; its tokens are each test's own."""

from collections.abc import AsyncIterator

import pytest

from tests.domain.world import World, a_world
from tests.sandbox_server import SandboxServer, running_sandbox


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[SandboxServer]:
    async with running_sandbox() as server:
        yield server


@pytest.fixture
async def world(database_url: str, sandbox: SandboxServer) -> AsyncIterator[World]:
    async with a_world(database_url, sandbox) as made:
        yield made
