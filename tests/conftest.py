"""What every test may ask for: the event loop's backend and a fresh, migrated database of each kind.

Called by pytest. Each worker of pytest-xdist has a PostgreSQL of its own, started by the first test that needs it.
"""

import gc
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from persistence import migrations
from tests.identity_provider.running import IdentityProviderServer, running_identity_provider
from tests.postgresql import PostgresqlServer, running_postgresql

# Node.js and npm are among the packages that tests need: those are found first, also where the machine has others.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

hypothesis.settings.register_profile("default", deadline=None, max_examples=30, derandomize="CI" in os.environ)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_finish() -> None:
    """What was collected stays until the end: to look through it again and again took a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database of this test's own, migrated to the newest revision and empty."""
    if request.param == "sqlite":
        file = request.getfixturevalue("tmp_path") / "tether.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite+aiosqlite:///{file}"
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql_server")
        database = server.create_database(template=request.getfixturevalue("postgresql_template"))
        yield server.url(database)
        server.drop_database(database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrations.upgrade(f"sqlite+aiosqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: PostgresqlServer) -> Iterator[str]:
    database = postgresql_server.create_database()
    migrations.upgrade(postgresql_server.url(database))
    yield database
    postgresql_server.drop_database(database)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
async def identity_provider() -> AsyncIterator[IdentityProviderServer]:
    """A real one, of npm's, shared by all tests of a process."""
    async with running_identity_provider() as running:
        yield running
