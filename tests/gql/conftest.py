"""A running Tether for each test, or for a module whose tests can't disturb each other; one sandbox for all."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.key_ring import generate_key
from tests.gql.server import TetherServer, running_tether
from tests.sandbox_server import SandboxServer, running_sandbox


@pytest.fixture(scope="session")
def encryption_key() -> str:
    return generate_key(development=True)


@pytest.fixture(scope="session")
async def sandbox() -> AsyncIterator[SandboxServer]:
    async with running_sandbox() as server:
        yield server


@pytest.fixture
async def server(database_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    """On each kind of database, empty."""
    async with running_tether(database_url, sandbox, encryption_key) as running:
        yield running


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A database for tests in which its kind can't matter."""
    file = tmp_path / "tether.db"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite+aiosqlite:///{file}"


@pytest.fixture(scope="module")
async def shared_server(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, sandbox: SandboxServer, encryption_key: str
) -> AsyncIterator[TetherServer]:
    """One for a module, on SQLite, for tests that change nothing that another one reads."""
    file = tmp_path_factory.mktemp("shared") / "tether.db"
    shutil.copyfile(sqlite_template, file)
    async with running_tether(f"sqlite+aiosqlite:///{file}", sandbox, encryption_key) as running:
        yield running
