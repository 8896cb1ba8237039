"""The bench compares like with like: Tether and a peer give the same answers from the same tables."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.data import USER, Size, connect, connection_ids, copy_for_peers, copy_to_sqlite, dsn, load, slug
from bench.operations import FOLLOWING_PAGE, ONE, PAGE, PAGE_WITHOUT_PROBES, comparable
from bench.peers.plain_strawberry.schema import create_pool, schema
from bench.peers.plain_strawberry.statements import Context
from domain.entities.user import Role, Viewer
from tests.documents.reading import reading
from tests.postgresql import PostgresqlServer

pytestmark = pytest.mark.anyio

SIZE = Size(organizations=3, connections_each=60, rare=5)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A database with the bench's data, the one who sees all of it, and some connections."""

    url: str
    viewer: Viewer
    connections: list[str]


@pytest.fixture(scope="module")
def loaded(postgresql_server: PostgresqlServer, postgresql_template: str) -> Iterator[Loaded]:
    database = postgresql_server.create_database(template=postgresql_template)
    url = postgresql_server.url(database)
    yield asyncio.run(_loaded(url))
    postgresql_server.drop_database(database)


async def _loaded(url: str) -> Loaded:
    connection = await connect(url)
    if connection.get_server_version().major < 18:
        pytest.skip("the bench's data is made with PostgreSQL 18's uuidv7")
    await load(url, SIZE)
    user_id, name = await connection.fetchrow("select id, name from users where email = $1", USER)
    await connection.close()
    return Loaded(url, Viewer(user_id, name, Role.OWNER), await connection_ids(url, 5))


def _asked(loaded: Loaded) -> list[tuple[str, dict[str, Any]]]:
    pages = [(PAGE, 50), (PAGE, 60), (PAGE, 0), (PAGE_WITHOUT_PROBES, 7)]
    return [(text, {"slug": slug(2), "first": first}) for text, first in pages] + [
        (ONE, {"id": id_}) for id_ in loaded.connections
    ]


async def test_tether_and_plain_strawberry_answer_the_same(loaded: Loaded, postgresql_server: PostgresqlServer) -> None:
    peers_url = await asyncio.to_thread(copy_for_peers, postgresql_server, loaded.url)
    async with reading(loaded.url) as tether, create_pool(dsn(peers_url)) as pool:
        for text, variables in _asked(loaded):
            peers = await schema.execute(text, variable_values=variables, context_value=Context(pool))
            assert peers.errors is None
            assert peers.data is not None
            assert comparable(peers.data) == comparable(await tether.data(text, loaded.viewer, variables))


async def test_tether_answers_the_same_from_sqlite(loaded: Loaded, sqlite_template: Path, tmp_path: Path) -> None:
    file = shutil.copyfile(sqlite_template, tmp_path / "tether.db")
    await copy_to_sqlite(loaded.url, str(file))
    sqlite_url = f"sqlite+aiosqlite:///{file}"
    async with reading(loaded.url) as tether, reading(sqlite_url) as on_sqlite:
        for text, variables in [*_asked(loaded), (FOLLOWING_PAGE, {"slug": slug(1), "first": 10})]:
            answer = await tether.data(text, loaded.viewer, variables)
            assert await on_sqlite.data(text, loaded.viewer, variables) == answer


def test_what_differs_is_noticed() -> None:
    one = {"node": {"createdAt": "2026-11-02T09:30:00.12+00:00", "endCursor": "a", "names": ["x", None], "id": "1-1"}}
    same = {"node": {"id": "1-1", "names": ["x", None], "endCursor": "b", "createdAt": "2026-11-02T09:30:00.120Z"}}
    assert comparable(one) == comparable(same)
    for name, value in (("createdAt", "2026-11-02T09:30:00.121Z"), ("endCursor", None), ("names", ["x"]), ("id", "1")):
        assert comparable(one) != comparable({"node": {**same["node"], name: value}})
