"""Many credentials that end at once, and several processes that refresh them, some of which are killed meanwhile.

Run small by test_refresh_storm.py, and as large as wanted by hand:
`python -m tests.domain.refresh_storm 10000 --kills 5`, and with `--on-demand` for processes that all call with the same
refused tokens at once, so that no task's lease stands between them, but the credential's own only.
"""

import argparse
import asyncio
import os
import random
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from domain.address_guard import OutboundAllow
from domain.credential_encryption import CredentialEncryption
from domain.credential_vault import CredentialVault
from domain.entities.connection_status import ConnectionStatus
from domain.entities.identifiers import new_id
from domain.entities.organization import Organization
from domain.entities.service_connection import ServiceConnection
from domain.http import HttpClient
from domain.key_ring import KeyRing, LocalKeyProvider
from domain.refresh_flight import LEASE
from domain.services.base import Identified
from domain.services.github import GitHub
from domain.services.service_fault import FaultKind, ServiceFault
from persistence import migrations
from persistence.database import Database
from persistence.tables import service_connections, service_credentials
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.oauth_links import OAuthLinks
from tests.domain.refresh_worker import Order
from tests.domain.world import Clock
from tests.every_row import every_row
from tests.postgresql import running_postgresql
from tests.preloaded_python import KILL, start_module
from tests.sandbox_server import SandboxServer, running_sandbox

LINKED_AT_ONCE: Final = 20
POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Aftermath:
    """How many credentials work, how many say why they don't, how many don't say; and what the service has seen."""

    fresh: int
    expired_with_reason: int
    silently_dead: int
    refreshes: int
    reuses: int
    killed: int
    seconds: float
    answered: int = 0
    """How many calls on demand have worked in the end, of all processes together."""


class Storm:
    """One client at the sandbox, its credentials in a migrated, empty database, and the processes."""

    def __init__(
        self, database: Database, sandbox: SandboxServer, order: Order, links: OAuthLinks, github: GitHub
    ) -> None:
        self._database = database
        self._sandbox = sandbox
        self._order = order
        self._links = links
        self._github = github
        self._connections: list[ServiceConnection] = []
        self._workers: list[Process] = []
        self._starting: list[asyncio.Task[None]] = []
        self._killed = 0

    async def link(self, organization_id: UUID, credentials: int) -> None:
        """All of them end in two minutes, so that all are due."""
        room = asyncio.Semaphore(LINKED_AT_ONCE)

        async def one(number: int) -> ServiceConnection:
            async with room:
                return await self._links.link(self._github, organization_id, f"Linked {number}")

        self._connections = list(await asyncio.gather(*map(one, range(credentials))))

    async def rage(self, processes: int, kills: int) -> Aftermath:
        """Start the processes, kill one now and then, starting another for it, and see what has become of it all."""
        await asyncio.gather(*(self._start() for _ in range(processes)))
        begun, total = time.monotonic(), len(self._connections)
        left = await self._unsettled()
        while left:
            # Spread over the work, each while some of it is under way.
            if self._killed < kills and self._workers and total - left > total * self._killed // (kills + 1):
                await self._kill()
            await asyncio.sleep(POLL_SECONDS)
            left = await self._unsettled()
        seconds = time.monotonic() - begun
        await self._stop()
        return await self._look(seconds)

    async def refuse_access_tokens(self) -> None:
        """From now on each call is refused, until its credential is refreshed."""
        room = asyncio.Semaphore(LINKED_AT_ONCE)

        async def one(connection: ServiceConnection) -> None:
            async with room:
                secret = await self._links.secret(connection)
                await self._sandbox.put_token(secret.access_token.reveal(), service="github", behaviour="expired")

        await asyncio.gather(*map(one, self._connections))

    async def rage_on_demand(self, processes: int) -> Aftermath:
        """Have all processes call with all of the credentials at once."""
        await asyncio.gather(*(self._start() for _ in range(processes)))
        begun = time.monotonic()
        outputs = await asyncio.gather(*(worker.communicate(b"") for worker in self._workers))
        seconds = time.monotonic() - begun
        if any(worker.returncode for worker in self._workers):
            raise RuntimeError("workers have failed")
        return replace(await self._look(seconds), answered=sum(int(output) for output, _ in outputs))

    async def _start(self) -> None:
        worker = await start_module("tests.domain.refresh_worker", stdin=PIPE, stdout=PIPE)
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(self._order.written().encode())
        if await worker.stdout.readline() != b"ready\n":
            raise RuntimeError("a worker doesn't start")
        self._workers.append(worker)

    async def _kill(self) -> None:
        victim = self._workers.pop(random.randrange(len(self._workers)))  # noqa: S311 - any of them
        victim.send_signal(KILL)
        await victim.wait()
        self._killed += 1
        self._starting.append(asyncio.create_task(self._start()))

    async def _stop(self) -> None:
        await asyncio.gather(*self._starting)
        for worker in self._workers:
            assert worker.stdin is not None
            worker.stdin.close()
        codes = [await worker.wait() for worker in self._workers]
        if any(codes):
            raise RuntimeError(f"workers have failed: {codes}")

    async def _unsettled(self) -> int:
        """How many credentials are neither refreshed nor given up."""
        rows = service_credentials.join(
            service_connections, service_connections.c.id == service_credentials.c.connection_id
        )
        waiting = (service_credentials.c.generation == 1, service_connections.c.status == ConnectionStatus.ACTIVE.value)
        async with every_row(self._database) as connection:
            return (await connection.execute(select(func.count()).select_from(rows).where(*waiting))).scalar_one()

    async def _look(self, seconds: float) -> Aftermath:
        room = asyncio.Semaphore(LINKED_AT_ONCE)

        async def one(connection: ServiceConnection) -> str:
            async with room:
                return await self._state(connection)

        states = Counter(await asyncio.gather(*map(one, self._connections)))
        count = await self._sandbox.refreshes("github", self._order.client_id)
        return Aftermath(
            fresh=states["fresh"],
            expired_with_reason=states["expired"],
            silently_dead=states["dead"],
            refreshes=count.taken,
            reuses=count.reused,
            killed=self._killed,
            seconds=seconds,
        )

    async def _state(self, linked: ServiceConnection) -> str:
        connection = await self._links.stored(linked)
        if connection.status is ConnectionStatus.EXPIRED:
            reason = connection.status_reason
            return "expired" if reason is not None and reason.code == "REFRESH_REFUSED" else "dead"
        answer = await self._github.identify(await self._links.secret(linked))
        while isinstance(answer, ServiceFault) and answer.kind is FaultKind.UNREACHABLE:  # a busy machine says nothing
            answer = await self._github.identify(await self._links.secret(linked))
        works = isinstance(answer, Identified)
        return "fresh" if works and (await self._links.credential(linked)).generation == 2 else "dead"


async def storm(
    database_url: str,
    *,
    credentials: int,
    processes: int,
    kills: int = 0,
    lease_seconds: float,
    at_once: int = 16,
    on_demand: bool = False,
) -> Aftermath:
    """The whole of it."""
    key, clock = os.urandom(32), Clock()
    provider = LocalKeyProvider(key)
    data_key = KeyRing.generate(provider)
    http = HttpClient(allow=OutboundAllow.parse("127.0.0.1"))
    async with aclosing(http), Database(database_url) as database, running_sandbox() as sandbox:
        units = SqlUnitsOfWork(database, lambda organization_id: None)
        organization = Organization.create(id=new_id(), slug="acme", name="Acme", now=clock())
        async with units.writing_everywhere() as unit:
            await unit.data_keys.add(data_key)
            await unit.organizations.add(organization)
            await unit.commit()
        vault = CredentialVault(CredentialEncryption(KeyRing([data_key], provider)))
        links = OAuthLinks(sandbox, units, vault, clock)
        await links.register()
        order = Order(
            database_url=database_url,
            encryption_key=key.hex(),
            github_url=sandbox.github_url,
            github_api_url=sandbox.github_api_url,
            client_id=links.client.client_id,
            client_secret=links.client.client_secret.reveal(),
            lease_seconds=lease_seconds,
            at_once=at_once,
            on_demand_of=str(organization.id) if on_demand else None,
        )
        made = Storm(database, sandbox, order, links, links.service(http))
        await made.link(organization.id, credentials)
        if on_demand:
            await made.refuse_access_tokens()
            return await made.rage_on_demand(processes)
        return await made.rage(processes, kills)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("credentials", type=int)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--kills", type=int, default=0, help="how many processes are killed meanwhile")
    parser.add_argument("--on-demand", action="store_true", help="call with refused tokens; nobody is killed")
    parser.add_argument("--lease-seconds", type=float, default=LEASE.total_seconds())
    arguments = vars(parser.parse_args())
    with running_postgresql() as server:
        database_url = server.url(server.create_database())
        migrations.upgrade(database_url)
        sys.stdout.write(f"{asyncio.run(storm(database_url, **arguments))}\n")


if __name__ == "__main__":
    main()
