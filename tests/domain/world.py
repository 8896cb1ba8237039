"""The domain with all that is real around it: a migrated database, the sandbox over HTTP, a member of each role.

Used by the tests of ServiceConnectionManager and UserService.
"""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from domain.address_guard import OutboundAllow
from domain.call_budgets import CallBudgets
from domain.check_recorder import CheckRecorder
from domain.command_admission import CommandAdmission
from domain.command_runs import CommandRuns
from domain.credential_encryption import CredentialEncryption
from domain.credential_refresh import CredentialRefresher
from domain.credential_secrets import TokenSecret
from domain.credential_vault import CredentialVault
from domain.entities.event import ConnectionEventType
from domain.entities.service_connection import ServiceConnection
from domain.entities.user import Membership, Role, User, Viewer
from domain.health import HealthCheckFactory
from domain.health_worker import HealthWorker, WorkerLimits
from domain.http import HttpClient
from domain.key_ring import DataKey, KeyRing, LocalKeyProvider
from domain.scheduled_checks import ScheduledChecks
from domain.secret import Secret
from domain.service_board import ServiceBoard
from domain.service_breakers import ServiceBreakers
from domain.service_connection_manager import ServiceConnectionManager
from domain.services.catalogue import ServiceCatalogue
from domain.services.github.service import GitHub
from domain.services.slack.service import Slack
from domain.user_service import UserService
from persistence.database import Database
from persistence.tables import connection_events, metadata
from persistence.unit_of_work import SqlUnitsOfWork
from tests.every_row import every_row
from tests.sandbox_server import SandboxServer


@dataclass
class Clock:
    """The real time, moved ahead."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, **duration: float) -> None:
        self.ahead += timedelta(**duration)


@dataclass
class World:
    database: Database
    units: SqlUnitsOfWork
    sandbox: SandboxServer
    catalogue: ServiceCatalogue
    encryption: CredentialEncryption
    manager: ServiceConnectionManager
    refresher: CredentialRefresher
    scheduled: ScheduledChecks
    users: UserService
    clock: Clock
    board: ServiceBoard
    commands: CommandRuns
    encryption_key: bytes
    data_key: DataKey
    viewers: dict[Role, Viewer] = field(default_factory=dict)
    organization_id: UUID = field(default_factory=uuid.uuid4)

    @property
    def admin(self) -> Viewer:
        return self.viewers[Role.ADMIN]

    async def join(self, organization_id: UUID, role: Role) -> Viewer:
        """A new user, a member of the organization with that role."""
        user = User(uuid.uuid4(), f"{role.title()} of {organization_id}", None, None, self.clock())
        async with self.units.writing_everywhere() as unit:
            await unit.users.add(user)
            await unit.memberships.add(Membership(organization_id, user.id, role, self.clock()))
            await unit.commit()
        return Viewer(user.id, user.name, Role.OWNER)

    async def token(self, service: str = "github", **behaviour: Any) -> Secret:
        """A new token that the sandbox knows."""
        name = f"sandbox-{uuid.uuid4()}"
        assert service in {"github", "slack"}
        await self.sandbox.put_token(name, service="github" if service == "github" else "slack", **behaviour)
        return Secret(name)

    async def change(self, token: Secret, **behaviour: Any) -> None:
        """Have the service treat this token of GitHub otherwise from now on."""
        await self.sandbox.put_token(token.reveal(), service="github", **behaviour)

    async def connect(self, token: Secret | None = None, **arguments: Any) -> ServiceConnection:
        """A connection to GitHub, made by the admin."""
        return await self.manager.create_connection(
            self.admin, self.organization_id, "github", TokenSecret(token or await self.token()), **arguments
        )

    def worker(self, *, chance: Callable[[], float] = lambda: 0.5, **limits: Any) -> HealthWorker:
        """What checks connections in one process."""
        breakers = ServiceBreakers(self.units, self.catalogue, self.board, self.clock, chance, proof_seconds=0.5)
        recorder = CheckRecorder(self.units, self.scheduled, breakers)
        limits = {"poll_seconds": 0.02, **limits}
        return HealthWorker(
            self.units,
            self.catalogue,
            self.scheduled,
            recorder,
            breakers,
            self.clock,
            chance,
            limits=WorkerLimits(**limits),
        )

    async def known(self, connection_id: UUID) -> ServiceConnection:
        return await self.manager.get(self.admin, connection_id)

    async def calls(self, token: Secret) -> int:
        return len(await self.sandbox.calls(token.reveal()))

    async def events(self, connection_id: UUID) -> list[ConnectionEventType]:
        """The types of a connection's events, in their order."""
        statement = select(connection_events.c.type).where(connection_events.c.connection_id == connection_id)
        async with every_row(self.database) as connection:
            rows = await connection.execute(statement.order_by(connection_events.c.sequence))
            return [ConnectionEventType(row.type) for row in rows]

    async def rows(self, table: str) -> list[dict[str, Any]]:
        async with every_row(self.database) as connection:
            return [dict(row) for row in (await connection.execute(select(metadata.tables[table]))).mappings()]


@asynccontextmanager
async def a_world(database_url: str, sandbox: SandboxServer) -> AsyncIterator[World]:
    clock = Clock()
    http = HttpClient(allow=OutboundAllow.parse("127.0.0.1"), retry_delay_seconds=lambda: 0.0)
    catalogue = ServiceCatalogue(
        [
            GitHub(http, sandbox.github_api_url, sandbox.github_url, clock),
            Slack(http, sandbox.slack_api_url, sandbox.slack_url, clock),
        ]
    )
    encryption_key = uuid.uuid4().bytes * 2
    provider = LocalKeyProvider(encryption_key)
    data_key = KeyRing.generate(provider)
    encryption = CredentialEncryption(KeyRing([data_key], provider))
    async with Database(database_url) as database:
        units = SqlUnitsOfWork(database, lambda organization_id: None)
        board, budgets = ServiceBoard(units), CallBudgets(units, catalogue, clock)
        refresher = CredentialRefresher(
            units, catalogue, CredentialVault(encryption), clock, lambda: 0.5, board=board, budgets=budgets
        )
        health_checks = HealthCheckFactory(catalogue, clock)
        manager = ServiceConnectionManager(
            units, catalogue, health_checks, encryption, refresher, clock, lambda: 0.5, board=board
        )
        scheduled = ScheduledChecks(
            units, catalogue, health_checks, CredentialVault(encryption), refresher, budgets, clock, lambda: 0.5
        )
        users = UserService(units, clock)
        admission = CommandAdmission(catalogue, budgets, board, clock)
        commands = CommandRuns(units, admission, refresher, CredentialVault(encryption), clock, lambda: 0.01)
        world = World(
            database,
            units,
            sandbox,
            catalogue,
            encryption,
            manager,
            refresher,
            scheduled,
            users,
            clock,
            board,
            commands,
            encryption_key,
            data_key,
        )
        await users.issue_api_key("acme", "owner@example.com", Role.OWNER)
        async with units.reading_everywhere() as unit:
            organization = await unit.organizations.find_by_slug("acme")
        assert organization is not None
        world.organization_id = organization.id
        for role in Role:
            world.viewers[role] = await world.join(organization.id, role)
        try:
            yield world
        finally:
            await commands.aclose()
            await users.aclose()
            await http.aclose()
