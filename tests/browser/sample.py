"""What `make serve` gives, on ports and files of its own: a Tether with the sample organization beside a sandbox.

Used by the tests here and by `make screenshots`.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.key_ring import generate_key
from gql.sample import create_sample
from persistence import migrations
from tests.gql.server import TetherServer, running_tether
from tests.sandbox_server import running_sandbox


@asynccontextmanager
async def serving_sample(**variables: str) -> AsyncIterator[TetherServer]:
    """In development, unless `variables` say otherwise."""
    key = generate_key(development="TETHER_ENVIRONMENT" not in variables)
    with tempfile.TemporaryDirectory(prefix="tether-browser-") as folder:
        database_url = f"sqlite+aiosqlite:///{folder}/tether.db"
        await asyncio.to_thread(migrations.upgrade, database_url)
        async with running_sandbox() as sandbox:
            async with running_tether(database_url, sandbox, key, **variables) as first:
                await create_sample(first.tether)
            # A Tether looks for the sample's founder when it starts.
            async with running_tether(database_url, sandbox, key, **variables) as server:
                yield server
