"""Connections that are checked every few seconds by several processes, which are killed at any moment and replaced.

Run small by test_check_storm.py, and with fifty kills by hand: `python -m tests.domain.check_storm`.
"""

import argparse
import asyncio
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import select

from domain.credential_encryption import CredentialEncryption
from domain.credential_vault import CredentialVault
from domain.entities.health import ExternalAccount
from domain.entities.identifiers import new_id
from domain.entities.organization import Organization
from domain.key_ring import KeyRing, LocalKeyProvider
from domain.schedule import JITTER
from domain.secret import Secret
from persistence import migrations
from persistence.database import Database
from persistence.tables import connection_health, health_checks
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.check_worker import Order
from tests.domain.many_connections import store_many
from tests.domain.world import Clock
from tests.every_row import every_row
from tests.gql.waiting import eventually
from tests.postgresql import running_postgresql
from tests.preloaded_python import KILL, start_module
from tests.sandbox_server import SandboxServer, running_sandbox

INTERVAL: Final = timedelta(seconds=3)
LEASE: Final = timedelta(seconds=3)
ANSWER_SECONDS: Final = 0.8
"""How long the service takes for each, so that a kill always meets checks that are under way."""
POLL_SECONDS: Final = 0.1
KILL_WITHIN_SECONDS: Final = 1.0
USUAL_WAIT_SECONDS: Final = (INTERVAL.total_seconds() * (1 - JITTER), INTERVAL.total_seconds() * (1 + JITTER))
SLACK_SECONDS: Final = 2.8
"""For polls, the answer and what gathers findings: less than a lease."""
DEADLINE_SECONDS: Final = 60.0
NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What the history says. Times are in seconds, from one check of a connection to its next.

    `cut_off`: how many claimed checks kills have ended, `most_in_a_row` of them of one connection. `longest_wait`:
    where none was cut off in between; `longest_wait_cut_off`: where some were, less the lease of each of them.
    """

    killed: int
    checks: int
    calls: int
    cut_off: int
    most_in_a_row: int
    longest_wait: float
    longest_wait_cut_off: float
    shortest_wait: float
    recorded_twice: int
    untold: int
    """Connections whose health isn't that of the last check in their history."""
    stale_leases: int
    """Leases that are over, and left behind."""


@dataclass(frozen=True, slots=True)
class _Claim:
    connection_id: UUID
    lease: UUID
    until: datetime


class Storm:
    """The connections in a migrated database, and the processes."""

    def __init__(self, database: Database, sandbox: SandboxServer, order: Order) -> None:
        self._database = database
        self._sandbox = sandbox
        self._order = order
        self._workers: list[Process] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._seen: set[_Claim] = set()
        self._killed = 0

    async def rage(self, processes: int, kills: int) -> Aftermath:
        """Start the processes, kill one at any moment while another works, and see what has become of it all."""
        await asyncio.gather(*(self._start() for _ in range(processes)))
        await self._each_checked_since(NEVER + timedelta(days=1))
        while self._killed < kills:
            await asyncio.sleep(random.uniform(0, KILL_WITHIN_SECONDS))  # noqa: S311 - any moment
            while len(self._workers) < min(2, processes):
                await asyncio.wait(self._starting, return_when=asyncio.FIRST_COMPLETED)
            await eventually(self._claims)  # where processes started late, checks come in waves
            await self._kill()
        await self._each_checked_since(datetime.now(UTC) + LEASE)  # what the last kill has cut off is due again then
        stale = await self._claims(left_before=datetime.now(UTC) - timedelta(seconds=SLACK_SECONDS))
        await self._stop()
        return await self._look(len(stale))

    async def _start(self) -> None:
        worker = await start_module("tests.domain.check_worker", stdin=PIPE, stdout=PIPE)
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
        self._seen.update(await self._claims())
        starting = asyncio.create_task(self._start())
        self._starting.add(starting)
        starting.add_done_callback(self._started)

    def _started(self, starting: asyncio.Task[None]) -> None:
        self._starting.discard(starting)
        starting.result()

    async def _stop(self) -> None:
        if self._starting:
            await asyncio.wait(self._starting)
        for worker in self._workers:
            assert worker.stdin is not None
            worker.stdin.close()
        codes = [await worker.wait() for worker in self._workers]
        if any(codes):
            raise RuntimeError(f"workers have failed: {codes}")

    async def _each_checked_since(self, moment: datetime) -> None:
        async def checked() -> bool:
            return all((row["checked_at"] or NEVER) >= moment for row in await self._rows("health"))

        await eventually(checked, within_seconds=DEADLINE_SECONDS)

    async def _claims(self, *, left_before: datetime | None = None) -> list[_Claim]:
        """What is claimed now; or only what should have been given up before that moment."""
        return [
            _Claim(row["connection_id"], row["lease"], row["leased_until"])
            for row in await self._rows("health")
            if row["lease"] is not None and (left_before is None or row["leased_until"] < left_before)
        ]

    async def _rows(self, which: str) -> list[dict[str, Any]]:
        table = {"health": connection_health, "checks": health_checks}[which]
        async with every_row(self._database) as connection:
            return [dict(row) for row in (await connection.execute(select(table))).mappings()]

    async def _look(self, stale_leases: int) -> Aftermath:
        checks, health = await self._rows("checks"), await self._rows("health")
        moments: dict[UUID, list[datetime]] = {row["connection_id"]: [] for row in health}
        for check in checks:
            moments[check["connection_id"]].append(check["started_at"])
        waits: list[tuple[int, float]] = []  # how many were cut off meanwhile, and how long it was
        for connection_id, own in moments.items():
            for before, after in pairwise(sorted(own)):
                waits.append((self._cut_off(connection_id, before, after), (after - before).total_seconds()))
        lease = LEASE.total_seconds()
        return Aftermath(
            killed=self._killed,
            checks=len(checks),
            calls=len([call for call in await self._sandbox.calls() if call.path == "/user"]),
            cut_off=sum(cut_off for cut_off, _ in waits),
            most_in_a_row=max(cut_off for cut_off, _ in waits),
            longest_wait=max(wait for cut_off, wait in waits if not cut_off),
            longest_wait_cut_off=max((wait - cut_off * lease for cut_off, wait in waits if cut_off), default=0.0),
            shortest_wait=min(wait for _, wait in waits),
            recorded_twice=len(checks) - len({(check["connection_id"], check["started_at"]) for check in checks}),
            untold=sum(row["checked_at"] != max(moments[row["connection_id"]]) for row in health),
            stale_leases=stale_leases,
        )

    def _cut_off(self, connection_id: UUID, before: datetime, after: datetime) -> int:
        """How many claims of it were begun and ended by their time alone between two of its checks."""
        return sum(
            claim.connection_id == connection_id and before < claim.until - LEASE and claim.until <= after
            for claim in self._seen
        )


async def storm(database_url: str, *, connections: int, processes: int, kills: int) -> Aftermath:
    """The whole of it."""
    key, clock = os.urandom(32), Clock()
    provider = LocalKeyProvider(key)
    data_key = KeyRing.generate(provider)
    async with Database(database_url) as database, running_sandbox() as sandbox:
        units = SqlUnitsOfWork(database, lambda organization_id: None)
        organization = Organization.create(id=new_id(), slug="acme", name="Acme", now=clock())
        organization.check_interval = INTERVAL
        async with units.writing_everywhere() as unit:
            await unit.data_keys.add(data_key)
            await unit.organizations.add(organization)
            await unit.commit()
        tokens = []
        for number in range(connections):
            token, account = Secret(f"storm-{uuid4()}"), ExternalAccount(str(1_000 + number), f"account-{number}")
            await sandbox.put_token(
                token.reveal(),
                service="github",
                account={"id": int(account.id), "login": account.name},
                behaviour="slow",
                delay_seconds=ANSWER_SECONDS,
            )
            tokens.append((token, account))
        vault = CredentialVault(CredentialEncryption(KeyRing([data_key], provider)))
        await store_many(database, vault, organization.id, tokens, clock())
        async with units.writing_everywhere() as unit:  # not in waves, between which kills would meet nothing
            moments = (clock() + INTERVAL * number / connections for number in range(connections))
            await unit.due_checks.spread("github", clock(), at=lambda: next(moments), limit=connections)
            await unit.commit()
        order = Order(
            database_url=database_url,
            encryption_key=key.hex(),
            github_url=sandbox.github_url,
            github_api_url=sandbox.github_api_url,
            lease_seconds=LEASE.total_seconds(),
            poll_seconds=POLL_SECONDS,
        )
        return await Storm(database, sandbox, order).rage(processes, kills)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--kills", type=int, default=50)
    arguments = vars(parser.parse_args())
    with running_postgresql() as server:
        database_url = server.url(server.create_database())
        migrations.upgrade(database_url)
        sys.stdout.write(f"{asyncio.run(storm(database_url, **arguments))}\n")


if __name__ == "__main__":
    main()
