"""A process that checks what is due, until its input ends: one of those that check_storm.py sets on one database.

It is told what it needs to know as one line of JSON, and says `ready` once it works.
"""

import asyncio
import json
import random
import sys
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Self

from domain.address_guard import OutboundAllow
from domain.call_budgets import CallBudgets
from domain.check_recorder import CheckRecorder
from domain.credential_encryption import CredentialEncryption
from domain.credential_refresh import CredentialRefresher
from domain.credential_vault import CredentialVault
from domain.health import HealthCheckFactory
from domain.health_worker import HealthWorker, WorkerLimits
from domain.http import HttpClient
from domain.key_ring import KeyRing, LocalKeyProvider
from domain.scheduled_checks import ScheduledChecks
from domain.service_board import ServiceBoard
from domain.service_breakers import ServiceBreakers
from domain.services.catalogue import ServiceCatalogue
from domain.services.github import GitHub
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
    lease_seconds: float
    poll_seconds: float

    def written(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read(cls, line: str) -> Self:
        return cls(**json.loads(line))


async def work(order: Order) -> None:
    clock, http = Clock(), HttpClient(allow=OutboundAllow.parse("127.0.0.1"))
    async with aclosing(http), Database(order.database_url) as database:
        units = SqlUnitsOfWork(database, lambda organization_id: None)
        async with units.reading_everywhere() as unit:
            key_ring = KeyRing(await unit.data_keys.list(), LocalKeyProvider(bytes.fromhex(order.encryption_key)))
        catalogue = ServiceCatalogue([GitHub(http, order.github_api_url, order.github_url, clock)])
        vault = CredentialVault(CredentialEncryption(key_ring))
        board, budgets = ServiceBoard(units), CallBudgets(units, catalogue, clock)
        refresher = CredentialRefresher(units, catalogue, vault, clock, board=board, budgets=budgets)
        health_checks = HealthCheckFactory(catalogue, clock)
        checks = ScheduledChecks(units, catalogue, health_checks, vault, refresher, budgets, clock, random.random)
        breakers = ServiceBreakers(units, catalogue, board, clock, random.random)
        recorder = CheckRecorder(units, checks, breakers)
        limits = WorkerLimits(lease=timedelta(seconds=order.lease_seconds), poll_seconds=order.poll_seconds)
        worker = HealthWorker(units, catalogue, checks, recorder, breakers, clock, random.random, limits=limits)
        async with worker.working():
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)
        await refresher.aclose()


if __name__ == "__main__":
    asyncio.run(work(Order.read(sys.stdin.readline())))
