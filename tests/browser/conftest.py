"""A browser, the front end as it is built, and a Tether with sample data. Where one is missing, tests are skipped.

With CI set they fail instead, since there .ci/run has installed what they need.
"""

import fcntl
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.chromium import NAMES, Chromium, Page, find_chromium, running_chromium
from tests.browser.sample import serving_sample
from tests.gql.server import TetherServer

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def built() -> None:
    """GraphiQL's front end is built from its sources as they are, by one of the tests' processes."""
    with (ROOT / "gql/graphiql/package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        building = subprocess.run([ROOT / "scripts/build-graphiql"], capture_output=True, text=True)  # noqa: S603 - our own
    if building.returncode:
        _do_without(building.stderr.strip())


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Chromium]:
    program = find_chromium()
    if program is None:
        _do_without(f"None of these is installed: {', '.join(NAMES)}. On Debian: apt install chromium")
        return
    async with running_chromium(program) as running:
        yield running


@pytest.fixture(scope="session")
async def sample(built: None) -> AsyncIterator[TetherServer]:
    """In development; whoever comes by a browser is signed in."""
    async with serving_sample() as server:
        yield server


@pytest.fixture
async def production(built: None) -> AsyncIterator[TetherServer]:
    async with serving_sample(
        TETHER_ENVIRONMENT="production", TETHER_PUBLIC_URL="https://tether.example.com"
    ) as server:
        yield server


@pytest.fixture
async def page(chromium: Chromium) -> AsyncIterator[Page]:
    """A tab in which nothing may go wrong."""
    async with chromium.page() as opened:
        yield opened
        assert opened.problems == []
        assert opened.hosts <= {"127.0.0.1", ""}  # those without a host are data:, blob: and about:


def _do_without(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
