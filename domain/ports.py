"""Protocols where the arrow of imports must turn: what the domain needs of whatever keeps its entities.

Implemented in `persistence/`; used by ServiceConnectionManager, UserService and the background work. Every repository
of a tenant's rows is bound to the organization of its unit of work: no method can reach another's. Those of no
tenant's rows are in `people_ports.py`, `sign_in_ports.py`, `work_ports.py` and `document_ports.py`.
Of their verbs, `get` raises NotFound, `find` returns None, `add` inserts, `save` updates.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from domain.command_ports import CommandRunHistory, CommandRunRepository
from domain.document_ports import TrustedDocumentRepository
from domain.entities.credential import ServiceCredential
from domain.entities.event import Actor, ConnectionEvent, EventDraft
from domain.entities.health import HealthCheck
from domain.entities.repository import Repository
from domain.entities.repository_sync import RepositorySyncState
from domain.entities.service_connection import ServiceConnection
from domain.entities.user import Viewer
from domain.key_ring import DataKey
from domain.people_ports import (
    ApiKeyRepository,
    AuditRepository,
    IdempotencyKeyRepository,
    IdentityRepository,
    InvitationRepository,
    MembershipRepository,
    OrganizationRepository,
    UserRepository,
)
from domain.sign_in_ports import SessionRepository, SignInFlowRepository
from domain.work_ports import (
    AuthorizationFlowRepository,
    CallBudgetRepository,
    DeletedConnectionRepository,
    DueCheckRepository,
    EventRetentionRepository,
    HealthHistoryRepository,
    OperationBudgetRepository,
    ServiceIncidentRepository,
    TaskRepository,
    WebhookDeliveryRepository,
)


class ServiceConnectionRepository(Protocol):
    """Connections of the unit of work's organization. Deleted ones are as good as gone."""

    async def get(self, connection_id: UUID) -> ServiceConnection:
        """The connection, locked against other writers until the unit ends. Raises NotFound."""

    async def find(self, connection_id: UUID) -> ServiceConnection | None: ...

    async def list(self, *, after: UUID | None = None, limit: int = 100) -> Sequence[ServiceConnection]:
        """Connections in the order of their ids, after `after`."""

    async def add(self, connection: ServiceConnection) -> None:
        """Raises NameTaken."""

    async def save(self, connection: ServiceConnection, *, keep_version: bool = False) -> None:
        """Store it if its version is still the one that was loaded, and raise the version by one on row and entity.

        `keep_version`: nothing has changed that callers decide on, so that what they expect stays good. Raises
        VersionConflict if it isn't, NameTaken if the new name is another's.
        """


class LeaseOutcome(StrEnum):
    """Whether a credential could be leased."""

    TAKEN = "TAKEN"
    TAKEN_OVER = "TAKEN_OVER"
    HELD = "HELD"  # by somebody else, for now
    CHANGED = "CHANGED"  # it is of another generation, or gone


class ServiceCredentialRepository(Protocol):
    """Credentials of the organization's connections, one each, sealed."""

    async def find(self, connection_id: UUID) -> ServiceCredential | None: ...

    async def add(self, credential: ServiceCredential) -> None: ...

    async def save(self, credential: ServiceCredential, *, replaces_generation: int, lease: UUID | None = None) -> None:
        """Store it if the row is still of `replaces_generation`. Raises VersionConflict, with the row's generation.

        With a `lease`, only while that one holds the credential; the lease ends with it. Raises LeaseLost.
        """

    async def lease(
        self, connection_id: UUID, lease: UUID, *, generation: int, now: datetime, until: datetime
    ) -> LeaseOutcome:
        """Take the credential for a refresh, if it is of that generation and nobody has it.

        TAKEN_OVER: somebody had it, and neither finished nor gave it back in their time.
        """

    async def release(self, connection_id: UUID, lease: UUID) -> None:
        """Give it back, if this lease still holds it."""

    async def mark_used(self, connection_id: UUID, at: datetime) -> None: ...

    async def remove(self, connection_id: UUID) -> None:
        """Forget the secret: the row is gone."""


class RepositoryRepository(Protocol):
    """Repositories that the organization's connections reach."""

    async def list(self, connection_id: UUID) -> Sequence[Repository]: ...

    async def list_by_external_id(self, connection_id: UUID, external_ids: Sequence[str]) -> Sequence[Repository]:
        """Those of the connection that the service calls so: of a page's worth of ids, the ones that are kept."""

    async def add_all(self, repositories: Sequence[Repository]) -> None: ...

    async def save(self, repository: Repository) -> None: ...

    async def mark_synced(self, repository_ids: Sequence[UUID], at: datetime) -> None:
        """They were found, unchanged, as of that moment: a page's worth of them."""

    async def get(self, repository_id: UUID) -> Repository:
        """Locked against other writers until the unit ends. Raises NotFound."""

    async def remove(self, repository_ids: Sequence[UUID]) -> None: ...


class RepositorySyncRepository(Protocol):
    """How far the syncs of the organization's connections have come."""

    async def find(self, connection_id: UUID) -> RepositorySyncState | None: ...

    async def is_current(self, state: RepositorySyncState) -> bool:
        """Whether nobody has saved it since it was found or saved."""

    async def save(self, state: RepositorySyncState) -> None:
        """Add or replace it, with all of its pages: for where a listing begins or ends."""

    async def save_last_page(self, state: RepositorySyncState) -> None:
        """Keep what adding a page has changed. It costs the same however many pages there are."""

    async def save_distrust(self, state: RepositorySyncState) -> None:
        """Keep that the etag of the page that comes next is forgotten."""

    async def remove(self, connection_id: UUID) -> None: ...

    async def want(self, connection_id: UUID, since: datetime) -> None:
        """Note that a listing is wanted that begins then or later, if any has begun before."""

    async def wanted(self, connection_id: UUID) -> datetime | None:
        """The latest such moment; None where nothing is wanted."""

    async def satisfy(self, connection_id: UUID, since: datetime) -> None:
        """Note that what was wanted until then is done."""


class HealthCheckRepository(Protocol):
    """The history of checks. What a check learned of identity and quota is kept on the connection instead."""

    async def add(self, check: HealthCheck) -> None: ...

    async def latest(self, connection_id: UUID) -> HealthCheck | None:
        """The one that began last, with the probes that it shares; without what it learned."""


class ConnectionEventRepository(Protocol):
    """The organization's feed, written."""

    async def append(self, drafts: Sequence[EventDraft], actor: Actor) -> Sequence[ConnectionEvent]:
        """Give the drafts the organization's next numbers and keep them.

        Call it last: it holds the organization's counter row until the commit.
        """

    async def has(self, event_id: UUID) -> bool:
        """Whether the event of this id has been told."""


class DataKeyRepository(Protocol):
    """Wrapped data keys."""

    async def list(self) -> Sequence[DataKey]: ...

    async def add(self, key: DataKey) -> bool:
        """False if the table holds a primary key already, which another process has added meanwhile."""


class UnitOfWork(Protocol):
    """One transaction. Leaving it without `commit` undoes everything.

    The properties of a tenant's rows (connections, credentials, repositories, repository_syncs, health_checks, events,
    command_runs) raise RuntimeError in a unit that isn't bound to an organization; those of no one tenant's (users,
    identities, data_keys, deleted_connections, health_history, event_retention, command_run_history,
    webhook_deliveries, trusted_documents) in one that isn't for all.
    """

    @property
    def organization_id(self) -> UUID: ...
    @property
    def connections(self) -> ServiceConnectionRepository: ...
    @property
    def credentials(self) -> ServiceCredentialRepository: ...
    @property
    def repositories(self) -> RepositoryRepository: ...
    @property
    def repository_syncs(self) -> RepositorySyncRepository: ...
    @property
    def health_checks(self) -> HealthCheckRepository: ...
    @property
    def events(self) -> ConnectionEventRepository: ...
    @property
    def command_runs(self) -> CommandRunRepository: ...
    @property
    def organizations(self) -> OrganizationRepository: ...
    @property
    def users(self) -> UserRepository: ...
    @property
    def memberships(self) -> MembershipRepository: ...
    @property
    def api_keys(self) -> ApiKeyRepository: ...
    @property
    def identities(self) -> IdentityRepository: ...
    @property
    def invitations(self) -> InvitationRepository: ...
    @property
    def audit(self) -> AuditRepository: ...
    @property
    def sessions(self) -> SessionRepository: ...
    @property
    def sign_in_flows(self) -> SignInFlowRepository: ...
    @property
    def idempotency_keys(self) -> IdempotencyKeyRepository: ...
    @property
    def authorization_flows(self) -> AuthorizationFlowRepository: ...
    @property
    def tasks(self) -> TaskRepository: ...
    @property
    def due_checks(self) -> DueCheckRepository: ...
    @property
    def call_budgets(self) -> CallBudgetRepository: ...
    @property
    def operation_budgets(self) -> OperationBudgetRepository: ...
    @property
    def service_incidents(self) -> ServiceIncidentRepository: ...
    @property
    def deleted_connections(self) -> DeletedConnectionRepository: ...
    @property
    def health_history(self) -> HealthHistoryRepository: ...
    @property
    def command_run_history(self) -> CommandRunHistory: ...
    @property
    def event_retention(self) -> EventRetentionRepository: ...
    @property
    def webhook_deliveries(self) -> WebhookDeliveryRepository: ...
    @property
    def data_keys(self) -> DataKeyRepository: ...
    @property
    def trusted_documents(self) -> TrustedDocumentRepository: ...

    async def commit(self) -> None:
        """Make it all true at once, then wake the feed of this process."""


class UnitsOfWork(Protocol):
    """Begins units of work. All raise ServiceUnavailable when the database can't be reached.

    A unit sees what it is begun for: there is none that was bound to nothing by leaving something out.
    """

    def writing(self, organization_id: UUID) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit of one organization that will commit; rows that it gets are locked."""

    def reading(self, organization_id: UUID) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit of one organization that only looks: it locks nothing and never commits."""

    def reading_for(self, viewer: Viewer) -> AbstractAsyncContextManager[UnitOfWork]:
        """One that looks where the viewer may, to find out of which organization something is."""

    def writing_everywhere(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit that is meant for all organizations: background work, people, the server's own."""

    def reading_everywhere(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """The same, only to look."""
