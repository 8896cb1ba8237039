"""A process that refreshes what is due, until its input ends: one of those that refresh_storm.py sets on one database.

It is told what it needs to know as one line of JSON, and says `ready` once it works.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Self

from domain.address_guard import OutboundAllow
from domain.credential_encryption import CredentialEncryption
from domain.credential_refresh import CredentialRefresher
from domain.credential_vault import CredentialVault
from domain.entities.task import TaskKind
from domain.http import HttpClient
from domain.key_ring import KeyRing, LocalKeyProvider
from domain.runner import PlannedWork, Runner
from domain.secret import Secret
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

    def written(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read(cls, line: str) -> Self:
        return cls(**json.loads(line))


async def work(order: Order) -> None:
    clock, lease = Clock(), timedelta(seconds=order.lease_seconds)
    async with Database(order.database_url) as database:
        units = SqlUnitsOfWork(database, lambda organization_id: None)
        async with units.reading() as unit:
            key_ring = KeyRing(await unit.data_keys.list(), LocalKeyProvider(bytes.fromhex(order.encryption_key)))
        http = HttpClient(allow=OutboundAllow.parse("127.0.0.1"))
        client = OAuthClient(order.client_id, Secret(order.client_secret))
        github = GitHub(http, order.github_api_url, order.github_url, clock, client=client)
        vault = CredentialVault(CredentialEncryption(key_ring))
        refresher = CredentialRefresher(units, ServiceCatalogue([github]), vault, clock, lease=lease)
        plan = {TaskKind.REFRESH_CREDENTIAL: PlannedWork(refresher.refresh_due, lease, order.at_once)}
        async with Runner(units, plan, clock, poll_seconds=0.1).working():
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)
        await refresher.aclose()
        await http.aclose()


if __name__ == "__main__":
    asyncio.run(work(Order.read(sys.stdin.readline())))
