"""An issuer, and a desk that trusts it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.domain.identity_providers.desk import Desk, a_desk, trusted
from tests.local_issuer import LocalIssuer, running_local_issuer


@pytest.fixture
async def issuer() -> AsyncIterator[LocalIssuer]:
    async with running_local_issuer() as running:
        yield running


@pytest.fixture
async def desk(database_url: str, issuer: LocalIssuer) -> AsyncIterator[Desk]:
    async with a_desk(database_url, trusted(issuer)) as made:
        yield made


@pytest.fixture
async def on_sqlite(sqlite_template: Path, tmp_path: Path, issuer: LocalIssuer) -> AsyncIterator[Desk]:
    """For tests in which the kind of database can't matter."""
    file = shutil.copyfile(sqlite_template, tmp_path / "tether.db")
    async with a_desk(f"sqlite+aiosqlite:///{file}", trusted(issuer)) as made:
        yield made
