"""A server whose processor time can be read: `tether serve` as a process of its own, on a database with one member.

Used by test_hostile.py and `python -m tests.hostile`.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from domain.entities.user import Role
from domain.key_ring import generate_key
from gql.bootstrap import running
from gql.settings import Settings
from tests.gql.command import tether_serve


@dataclass(frozen=True, slots=True)
class MeasuredServer:
    """`http` sends with the key of an organization's owner, which is `token`."""

    url: str
    token: str
    process: int
    http: httpx2.AsyncClient

    def processor_ms(self) -> float:
        """User and system time of its process so far, all threads included, to the microsecond."""
        return time.clock_gettime(~self.process << 3 | 2) * 1000  # Linux's clock of another process


@asynccontextmanager
async def measured_server(database_url: str) -> AsyncIterator[MeasuredServer]:
    """On a migrated database, which nobody else uses."""
    environ = {
        "TETHER_ENVIRONMENT": "development",
        "TETHER_DATABASE_URL": database_url,
        "TETHER_ENCRYPTION_KEY": generate_key(development=True),
        "TETHER_LOG_FORMAT": "json",
    }
    async with running(Settings.from_environment(environ)) as tether:
        token = (await tether.user_service.issue_api_key("acme", "ada@acme.example", Role.OWNER)).reveal()
    async with tether_serve(environ, "--without-worker", preloaded=False) as serving:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        async with httpx2.AsyncClient(base_url=serving.url, trust_env=False, timeout=60, headers=headers) as http:
            yield MeasuredServer(serving.url, token, serving.process.pid, http)
