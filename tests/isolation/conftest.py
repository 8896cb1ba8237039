"""The two organizations in a database of each kind, stored once, and copied for tests that change something."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.documents.data import store
from tests.isolation.harness import Harness, harness
from tests.isolation.two_organizations import TwoOrganizations, make_two_organizations
from tests.postgresql import PostgresqlServer


@pytest.fixture(scope="session")
def two() -> TwoOrganizations:
    return make_two_organizations()


@pytest.fixture(scope="session")
def sqlite_two(two: TwoOrganizations, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that is copied."""
    file = tmp_path_factory.mktemp("isolation") / "two.db"
    shutil.copyfile(sqlite_template, file)
    asyncio.run(store(two.world, f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgresql_two(
    two: TwoOrganizations, postgresql_server: PostgresqlServer, postgresql_template: str
) -> Iterator[str]:
    """The name of the database that is copied."""
    name = postgresql_server.create_database(template=postgresql_template)
    asyncio.run(store(two.world, postgresql_server.url(name)))
    yield name
    postgresql_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def two_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own."""
    if request.param == "sqlite":
        file = shutil.copyfile(request.getfixturevalue("sqlite_two"), tmp_path / "two.db")
        yield f"sqlite+aiosqlite:///{file}"
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        name = server.create_database(template=request.getfixturevalue("postgresql_two"))
        yield server.url(name)
        server.drop_database(name)


@pytest.fixture
async def asking(two: TwoOrganizations, two_url: str) -> AsyncIterator[Harness]:
    async with harness(two_url, two) as made:
        yield made
