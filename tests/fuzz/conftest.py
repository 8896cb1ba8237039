"""The services that a fuzzed server calls."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox_server import SandboxServer, running_sandbox


@pytest.fixture(scope="session")
async def sandbox() -> AsyncIterator[SandboxServer]:
    async with running_sandbox() as server:
        yield server
