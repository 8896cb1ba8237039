"""A process that runs one command when it is told to: one of those that test_command_processes.py sets on one database.

It is told what it needs to know as one line of JSON, says `ready`, waits for another line, and then says how the run
came out, as JSON.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any, Self
from uuid import UUID

from domain.address_guard import OutboundAllow
from domain.call_budgets import CallBudgets
from domain.command_admission import CommandAdmission
from domain.command_runs import CommandRuns
from domain.credential_encryption import CredentialEncryption
from domain.credential_refresh import CredentialRefresher
from domain.credential_vault import CredentialVault
from domain.entities.user import Role, Viewer
from domain.http import HttpClient
from domain.key_ring import KeyRing, LocalKeyProvider
from domain.service_board import ServiceBoard
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
    user_id: str
    connection_id: str
    command: str
    arguments: dict[str, Any]
    idempotency_key: str

    def written(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read(cls, line: str) -> Self:
        return cls(**json.loads(line))


async def work(order: Order) -> None:
    clock = Clock()
    async with Database(order.database_url) as database:
        units = SqlUnitsOfWork(database, lambda organization_id: None)
        async with units.reading_everywhere() as unit:
            key_ring = KeyRing(await unit.data_keys.list(), LocalKeyProvider(bytes.fromhex(order.encryption_key)))
        http = HttpClient(allow=OutboundAllow.parse("127.0.0.1"))
        catalogue = ServiceCatalogue([GitHub(http, order.github_api_url, order.github_url, clock)])
        vault, board = CredentialVault(CredentialEncryption(key_ring)), ServiceBoard(units)
        budgets = CallBudgets(units, catalogue, clock)
        refresher = CredentialRefresher(units, catalogue, vault, clock, board=board, budgets=budgets)
        admission = CommandAdmission(catalogue, budgets, board, clock)
        commands = CommandRuns(units, admission, refresher, vault, clock)
        _say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        run = await commands.run(
            Viewer(UUID(order.user_id), "Worker", Role.OWNER),
            UUID(order.connection_id),
            order.command,
            order.arguments,
            idempotency_key=order.idempotency_key,
            wait_seconds=20,
        )
        _say(json.dumps({"id": str(run.id), "status": run.status.value}))
        await commands.aclose()
        await http.aclose()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(work(Order.read(sys.stdin.readline())))
