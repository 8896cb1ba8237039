"""A server whose processor time can be read: `tether serve` as a process of its own, on a database with one member.

Used by test_hostile.py and `python -m tests.hostile`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from domain.entities.user import Role
from domain.key_ring import generate_key
from gql.bootstrap import running
from gql.settings import Settings
from tests.gql.command import start_tether, url_when_listening


@dataclass(frozen=True, slots=True)
class MeasuredServer:
    """`http` sends with the key of an organization's owner, which is `token`."""

    url: str
    token: str
    organization_id: str
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
        "TETHER_BUDGET_POINTS": "999999999",  # else one caller who asks for all of it is stopped by that
        "TETHER_BUDGET_POINTS_PER_MINUTE": "999999999",
    }
    async with running(Settings.from_environment(environ)) as tether:
        token = (await tether.user_service.issue_api_key("acme", "ada@acme.example", Role.OWNER)).reveal()
    # Not forked, as other tests' servers are: the process that is measured has to be the one that serves.
    process = await start_tether(["serve", "--port", "0", "--without-worker"], environ, preloaded=False)
    url = await url_when_listening(process)
    ending = asyncio.create_task(process.communicate())  # which reads its log meanwhile
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60, headers=headers) as http:
            acme = await http.post("/graphql", json={"query": '{ organization(by: {slug: "acme"}) { id } }'})
            yield MeasuredServer(url, token, acme.json()["data"]["organization"]["id"], process.pid, http)
    finally:
        process.terminate()
        _, log = await ending
    assert process.returncode == 0, log.decode()
    assert b"Traceback" not in log, log.decode()
