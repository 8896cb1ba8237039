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


@pytest.fixture(scope="module")
async def published_only(shared_server: TetherServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    """Another process, as it were, on the shared one's database: it answers published documents and nothing else."""
    url, sandbox = shared_server.tether.settings.database_url, shared_server.sandbox
    async with running_tether(url, sandbox, encryption_key, TETHER_TRUSTED_DOCUMENTS="require") as running:
        yield running
