"""One Tether for all clients of a module, on SQLite; and one on PostgreSQL for whom it matters."""

from collections.abc import AsyncIterator

import pytest

from tests.gql.conftest import encryption_key, sandbox, shared_server
from tests.gql.server import TetherServer, running_tether
from tests.postgresql import PostgresqlServer
from tests.sandbox_server import SandboxServer

__all__ = ["encryption_key", "sandbox", "shared_server"]


@pytest.fixture(scope="module")
async def postgresql_tether(
    postgresql_server: PostgresqlServer, postgresql_template: str, sandbox: SandboxServer, encryption_key: str
) -> AsyncIterator[TetherServer]:
    database = postgresql_server.create_database(template=postgresql_template)
    async with running_tether(postgresql_server.url(database), sandbox, encryption_key) as running:
        yield running
    postgresql_server.drop_database(database)
