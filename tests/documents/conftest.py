"""The world in a database of each kind, stored once, with its read path; what is stored stays as it is."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.documents.data import World, make_world, store
from tests.documents.reading import Reading, reading
from tests.documents.slow_evaluator import SlowEvaluator
from tests.postgresql import PostgresqlServer


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()


@pytest.fixture(scope="session")
async def sqlite_reading(
    world: World, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Reading]:
    file = tmp_path_factory.mktemp("documents") / "world.db"
    shutil.copyfile(sqlite_template, file)
    url = f"sqlite+aiosqlite:///{file}"
    await store(world, url)
    async with reading(url) as path:
        yield path


@pytest.fixture(scope="session")
def postgresql_world_url(postgresql_server: PostgresqlServer, postgresql_template: str) -> Iterator[str]:
    name = postgresql_server.create_database(template=postgresql_template)
    yield postgresql_server.url(name)
    postgresql_server.drop_database(name)


@pytest.fixture(scope="session")
async def postgresql_reading(world: World, postgresql_world_url: str) -> AsyncIterator[Reading]:
    await store(world, postgresql_world_url)
    async with reading(postgresql_world_url) as path:
        yield path


@pytest.fixture(params=["sqlite", "postgresql"])
def read_path(request: pytest.FixtureRequest) -> Reading:
    path: Reading = request.getfixturevalue(f"{request.param}_reading")
    return path


@pytest.fixture(scope="session")
def evaluator(world: World, sqlite_reading: Reading) -> SlowEvaluator:
    return SlowEvaluator(sqlite_reading.schema.as_str(), world, sqlite_reading.catalogue)
