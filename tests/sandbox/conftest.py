"""One sandbox for all tests of this folder, with a clock that a test can move."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer, running_sandbox

START = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)


class MovableClock:
    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **duration: float) -> None:
        self.moment += timedelta(**duration)


@pytest.fixture(scope="session")
def session_clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def clock(session_clock: MovableClock) -> Iterator[MovableClock]:
    yield session_clock
    session_clock.moment = START


@pytest.fixture(scope="session")
async def sandbox(session_clock: MovableClock) -> AsyncIterator[SandboxServer]:
    async with running_sandbox(session_clock) as server:
        yield server


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as http:
        yield http
