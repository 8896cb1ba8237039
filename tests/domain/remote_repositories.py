"""A service whose list of repositories stands in memory: in pages, with etags, and changing while it is being read.

Used by the tests of RepositorySync, whose whole world `Syncing` is: a database, such a service, and a connection.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

from domain.credential_encryption import CredentialEncryption
from domain.credential_refresh import CredentialRefresher
from domain.credential_secrets import CredentialSecret, TokenSecret
from domain.credential_vault import CredentialVault
from domain.entities.call_budget import CallAllowance
from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import SCHEDULER
from domain.entities.health import ExternalAccount, Identity, Json, ServiceRateLimit
from domain.entities.identifiers import new_id
from domain.entities.organization import Organization
from domain.entities.repository import Repository
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task, TaskKind
from domain.key_ring import KeyRing, LocalKeyProvider
from domain.repository_sync import RepositorySync
from domain.repository_sync_outcome import SyncReport, SyncStopped
from domain.secret import Secret
from domain.services.authorization import Authorization, AuthorizationMethod, Grant
from domain.services.base import IdentityAnswer, Revocation, Service, ServiceScope
from domain.services.catalogue import ServiceCatalogue
from domain.services.commands import Commands
from domain.services.form import FormProblem
from domain.services.repository_listing import PageUnchanged, RemoteRepository, RepositoryListing, RepositoryPage
from domain.services.service_fault import ServiceFault
from domain.services.webhooks import Webhooks
from domain.task_outcome import TaskOutcome
from persistence.unit_of_work import SqlUnitsOfWork


class ProcessKilled(Exception):
    """The process that syncs ends here."""


@dataclass
class RemoteRepositories:
    """The service's list. `before_call` are things that happen, each once, before the call of that number is answered.

    A fault that they return is the call's answer.
    """

    page_size: int = 3
    etags_of_items_only: bool = False
    """As GitHub's: whether another page follows is no part of them, so that a full last page gets none."""
    now: list[RemoteRepository] = field(default_factory=list)
    rate_limit: ServiceRateLimit | None = None
    before_call: dict[int, Callable[[], ServiceFault | None]] = field(default_factory=dict)
    calls: list[tuple[str | None, bool]] = field(default_factory=list)
    """Each call: its place, and whether the page was unchanged."""

    async def page(
        self, secret: CredentialSecret, at: str | None, etag: str | None
    ) -> RepositoryPage | PageUnchanged | ServiceFault:
        happens = self.before_call.pop(len(self.calls), None)
        self.calls.append((at, False))
        fault = None if happens is None else happens()
        if fault is not None:
            return fault
        start = int(at or "0")
        end = start + self.page_size
        items, following = tuple(self.now[start:end]), str(end) if end < len(self.now) else None
        page = RepositoryPage(items, following, self._etag(items, following), self.rate_limit)
        if page.etag is not None and page.etag == etag:
            self.calls[-1] = (at, True)
            return PageUnchanged(self.rate_limit)
        return page

    def _etag(self, items: Sequence[RemoteRepository], following: str | None) -> str | None:
        if self.etags_of_items_only and following is None and len(items) == self.page_size:
            return None
        return sha256(repr((items, None if self.etags_of_items_only else following)).encode()).hexdigest()

    def put(self, *ids: str) -> None:
        """Make these the list's items; those that are there already stay what they are."""
        known = {each.external_id: each for each in self.now}
        self.now = [known.get(id_) or remote(id_) for id_ in ids]

    def rename(self, id_: str, full_name: str) -> None:
        self.now = [replace(each, full_name=full_name) if each.external_id == id_ else each for each in self.now]

    @contextmanager
    def counting(self) -> Iterator[list[tuple[str | None, bool]]]:
        """The calls made within the block, when it has ended."""
        before, made = len(self.calls), list[tuple[str | None, bool]]()
        yield made
        made.extend(self.calls[before:])


def remote(id_: str) -> RemoteRepository:
    return RemoteRepository(id_, f"acme/{id_}", f"https://forge.example/acme/{id_}", "main", True, False)


@dataclass(frozen=True)
class Forge:
    """A service of which only the list matters; nothing else is asked of it."""

    repositories: RepositoryListing | None
    id: str = "forge"
    name: str = "Forge"
    host: str = "forge.example"
    allowance: CallAllowance = field(default_factory=lambda: CallAllowance(3_600, 60))
    description: str = "Repositories."
    documentation_url: str = "https://forge.example/docs"
    authorization_methods: Sequence[AuthorizationMethod] = (AuthorizationMethod.TOKEN,)
    scopes: Sequence[ServiceScope] = ()
    settings_schema: Mapping[str, Json] = field(default_factory=dict)
    authorization: Authorization | None = None
    webhooks: Webhooks | None = None
    commands: Commands | None = None
    revocation_spreads: bool = False

    def settings_problems(self, settings: Mapping[str, Json]) -> Iterator[FormProblem]:
        return iter(())

    def required_scopes(self, settings: Mapping[str, Json]) -> tuple[str, ...]:
        return ()

    def missing_scopes(self, required: Sequence[str], granted: Sequence[str]) -> tuple[str, ...]:
        return ()

    async def identify(self, secret: CredentialSecret) -> IdentityAnswer:
        raise AssertionError("nobody asks whose it is")

    def revokes(self, secret: CredentialSecret) -> bool:
        return False

    async def revoke(self, secret: CredentialSecret) -> Revocation | ServiceFault:
        return Revocation.NOT_REVOCABLE


@dataclass
class Syncing:
    """One connection to a Forge, and what a sync leaves of it in the database."""

    units: SqlUnitsOfWork
    remote: RemoteRepositories
    connection: ServiceConnection
    vault: CredentialVault
    ahead: timedelta = field(default_factory=timedelta)

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def process(self, service: Service | None = None, *, turn_seconds: float = 60) -> RepositorySync:
        """A process of its own, as far as syncs go, in which the service may be another than one with `remote`."""
        catalogue = ServiceCatalogue([service or Forge(self.remote)])
        refresher = CredentialRefresher(self.units, catalogue, self.vault, self.clock)
        return RepositorySync(self.units, catalogue, refresher, self.clock, turn_seconds=turn_seconds)

    async def sync(
        self,
        *,
        seconds: float = 60,
        since: datetime | None = None,
        service: Service | None = None,
    ) -> SyncReport | SyncStopped:
        process, since = self.process(service), since or self.clock()
        return await process.run(
            self.connection.organization_id, self.connection.id, SCHEDULER, since=since, seconds=seconds
        )

    async def sync_due(self, service: Service | None = None, *, turn_seconds: float = 60) -> TaskOutcome:
        """The runner's turn with a task that is due just now."""
        connection = self.connection
        task = Task(new_id(), TaskKind.SYNC_REPOSITORIES, connection.id, connection.organization_id, self.clock())
        return await self.process(service, turn_seconds=turn_seconds).sync_due(task)

    async def rows(self) -> dict[str, Repository]:
        """The repositories that are kept, by the service's ids."""
        async with self.units.reading(self.connection.organization_id) as unit:
            return {each.external_id: each for each in await unit.repositories.list(self.connection.id)}

    async def told(self) -> set[RemoteRepository]:
        """What is kept of what the service told."""
        return {
            RemoteRepository(
                each.external_id, each.full_name, each.url, each.default_branch, each.private, each.archived
            )
            for each in (await self.rows()).values()
        }

    async def select(self, *ids: str) -> None:
        async with self.units.writing(self.connection.organization_id) as unit:
            for each in await unit.repositories.list(self.connection.id):
                each.selected = each.external_id in ids
                await unit.repositories.save(each)
            await unit.commit()

    async def selected(self) -> set[str]:
        return {id_ for id_, each in (await self.rows()).items() if each.selected}

    async def stored(self) -> ServiceConnection:
        async with self.units.reading(self.connection.organization_id) as unit:
            return await unit.connections.get(self.connection.id)


async def an_organization(units: SqlUnitsOfWork) -> UUID:
    now = datetime.now(UTC)
    organization = Organization.create(id=new_id(), slug=f"acme-{new_id().hex}", name="Acme", now=now)
    async with units.writing_everywhere() as unit:
        await unit.organizations.add(organization)
        await unit.commit()
    return organization.id


async def syncing(units: SqlUnitsOfWork, organization_id: UUID, page_size: int = 3) -> Syncing:
    """A new connection whose service has no repositories yet."""
    now = datetime.now(UTC)
    connection = ServiceConnection(
        id=new_id(),
        organization_id=organization_id,
        service="forge",
        name=f"Forge {new_id()}",
        status=ConnectionStatus.ACTIVE,
        status_changed_at=now,
        created_by=None,
        created_at=now,
        updated_at=now,
    )
    provider = LocalKeyProvider(uuid4().bytes * 2)
    vault = CredentialVault(CredentialEncryption(KeyRing([KeyRing.generate(provider)], provider)))
    identity = Identity(ExternalAccount("1", "acme"))
    credential = vault.create(connection, Grant(TokenSecret(Secret("forge-token"))), identity, now)
    async with units.writing(organization_id) as unit:
        await unit.connections.add(connection)
        await unit.credentials.add(credential)
        await unit.commit()
    return Syncing(units, RemoteRepositories(page_size), connection, vault)
