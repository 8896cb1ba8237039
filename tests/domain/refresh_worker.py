"""A process that refreshes what is due, until its input ends: one of those that refresh_storm.py sets on one database.

It is told what it needs to know as one line of JSON, and says `ready` once it works. One that works on demand calls the
service with every credential of an organization instead, when its input ends, and says how many of its calls worked.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Self
from uuid import UUID

from domain.address_guard import OutboundAllow
from domain.credential_encryption import CredentialEncryption
from domain.credential_refresh import CredentialRefresher
from domain.credential_vault import CredentialVault
from domain.entities.task import TaskKind
from domain.http import HttpClient
from domain.key_ring import KeyRing, LocalKeyProvider
from domain.runner import PlannedWork, Runner
from domain.secret import Secret
from domain.services.base import Identified
from domain.services.catalogue import ServiceCatalogue
from domain.services.github import GitHub
from domain.services.oauth_client import OAuthClient
from persistence.database import Database
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.world import Clock


@dataclass(frozen=True)
class Order:
    """What a worker is told."""

    database_url: str
    encryption_key: str
    github_url: str
    github_api_url: str
    client_id: str
    client_secret: str
    lease_seconds: float
    at_once: int
    on_demand_of: str | None = None
    """The organization whose credentials are used; None for what is due by itself."""

    def written(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read(cls, line: str) -> Self:
        return cls(**json.loads(line))


@dataclass(frozen=True)
class Tools:
    """What a process refreshes with."""

    units: SqlUnitsOfWork
    github: GitHub
    refresher: CredentialRefresher
    clock: Clock
    lease: timedelta


@asynccontextmanager
async def tools(order: Order) -> AsyncIterator[Tools]:
    clock, lease = Clock(), timedelta(seconds=order.lease_seconds)
    async with Database(order.database_url) as database:
        units = SqlUnitsOfWork(database, lambda organization_id: None)
        async with units.reading_everywhere() as unit:
            key_ring = KeyRing(await unit.data_keys.list(), LocalKeyProvider(bytes.fromhex(order.encryption_key)))
        http = HttpClient(allow=OutboundAllow.parse("127.0.0.1"))
        client = OAuthClient(order.client_id, Secret(order.client_secret))
        github = GitHub(http, order.github_api_url, order.github_url, clock, client=client)
        vault = CredentialVault(CredentialEncryption(key_ring))
        refresher = CredentialRefresher(units, ServiceCatalogue([github]), vault, clock, lease=lease)
        yield Tools(units, github, refresher, clock, lease)
        await refresher.aclose()
        await http.aclose()


async def work(order: Order) -> None:
    """By the runner, as tasks fall due."""
    async with tools(order) as tool:
        plan = {TaskKind.REFRESH_CREDENTIAL: PlannedWork(tool.refresher.refresh_due, tool.lease, order.at_once)}
        async with Runner(tool.units, plan, tool.clock, poll_seconds=0.1).working():
            await _ready_until_told()


async def work_on_demand(order: Order, organization_id: UUID) -> None:
    """By calls with tokens that the service refuses, in the order in which every other process makes them too."""
    async with tools(order) as tool:
        room = asyncio.Semaphore(order.at_once)

        async def call(connection_id: UUID) -> bool:
            async with room:
                answer = await tool.refresher.call(organization_id, connection_id, tool.github.identify)
            return isinstance(answer, Identified)

        async with tool.units.reading(organization_id) as unit:
            connections = await unit.connections.list(limit=_ALL)
        await _ready_until_told()
        worked = await asyncio.gather(*(call(connection.id) for connection in connections))
        _say(str(sum(worked)))


async def _ready_until_told() -> None:
    _say("ready")
    await asyncio.to_thread(sys.stdin.read)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


_ALL = 1_000_000


if __name__ == "__main__":
    told = Order.read(sys.stdin.readline())
    organization = told.on_demand_of
    asyncio.run(work(told) if organization is None else work_on_demand(told, UUID(organization)))
