"""Protocols where the arrow of imports must turn: what the domain needs of whatever keeps its entities.

Implemented in `persistence/`; used by ServiceConnectionManager, UserService and the background work. Every repository
of a tenant's rows is bound to the organization of its unit of work: no method can reach another's.
Of their verbs, `get` raises NotFound, `find` returns None, `add` inserts, `save` updates.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.entities.credential import ServiceCredential
from domain.entities.event import Actor, ConnectionEvent, EventDraft
from domain.entities.health import HealthCheck
from domain.entities.organization import Organization
from domain.entities.repository import Repository
from domain.entities.service_connection import ServiceConnection
from domain.entities.user import ApiKey, Membership, Role, User
from domain.key_ring import DataKey


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


class ServiceCredentialRepository(Protocol):
    """Credentials of the organization's connections, one each, sealed."""

    async def find(self, connection_id: UUID) -> ServiceCredential | None: ...

    async def add(self, credential: ServiceCredential) -> None: ...

    async def save(self, credential: ServiceCredential, *, replaces_generation: int) -> None:
        """Store it if the row is still of `replaces_generation`. Raises VersionConflict, with the row's generation."""

    async def mark_used(self, connection_id: UUID, at: datetime) -> None: ...

    async def remove(self, connection_id: UUID) -> None:
        """Forget the secret: the row is gone."""


class RepositoryRepository(Protocol):
    """Repositories that the organization's connections reach."""

    async def list(self, connection_id: UUID) -> Sequence[Repository]: ...

    async def add_all(self, repositories: Sequence[Repository]) -> None: ...

    async def save(self, repository: Repository) -> None: ...

    async def remove(self, repository_ids: Sequence[UUID]) -> None: ...


class HealthCheckRepository(Protocol):
    """The history of checks. What a check learned of identity and quota is kept on the connection instead."""

    async def add(self, check: HealthCheck) -> None: ...


class ConnectionEventRepository(Protocol):
    """The organization's feed, written."""

    async def append(self, drafts: Sequence[EventDraft], actor: Actor) -> Sequence[ConnectionEvent]:
        """Give the drafts the organization's next numbers and keep them.

        Call it last: it holds the organization's counter row until the commit.
        """


class OrganizationRepository(Protocol):
    """All organizations."""

    async def find(self, organization_id: UUID) -> Organization | None: ...

    async def find_by_slug(self, slug: str) -> Organization | None: ...

    async def owning_connection(self, connection_id: UUID) -> UUID | None:
        """The id of the organization that a connection belongs to; None for a deleted one, too."""

    async def any(self) -> bool:
        """Whether there is one at all."""

    async def add(self, organization: Organization) -> None:
        """Also starts its feed. Raises NameTaken, field ("input", "slug")."""

    async def find_or_add(self, organization: Organization) -> Organization:
        """The one with this slug, which is this one if there was none, also where several add it at once."""


class UserRepository(Protocol):
    """All people."""

    async def find(self, user_id: UUID) -> User | None: ...

    async def find_by_email(self, email: str) -> User | None:
        """Upper and lower case alike."""

    async def add(self, user: User) -> None: ...

    async def find_or_add(self, user: User) -> User:
        """The one with this e-mail address, which is this one if there was none, also where several add it at once."""


class MembershipRepository(Protocol):
    """Who belongs where, and as what."""

    async def role_of(self, user_id: UUID, organization_id: UUID) -> Role | None: ...

    async def add(self, membership: Membership) -> bool:
        """False if they are a member already, and stay what they are."""

    async def raise_role(self, membership: Membership) -> None:
        """Make the member what `membership` says, unless they are more already, also by another call at this time."""


class ApiKeyRepository(Protocol):
    """API keys, by the id that their token carries."""

    async def find(self, key_id: UUID) -> tuple[ApiKey, User] | None:
        """The key and the user it acts as."""

    async def find_named(self, organization_id: UUID, user_id: UUID, name: str) -> ApiKey | None:
        """The newest key of that name which the organization issued to the user."""

    async def add(self, key: ApiKey) -> None: ...

    async def save(self, key: ApiKey) -> None: ...

    async def mark_used(self, key_id: UUID, at: datetime) -> None: ...


class IdempotencyKeyRepository(Protocol):
    """Which creating calls have been answered, so that a repeated one isn't done twice."""

    async def find(self, user_id: UUID, operation: str, key: str) -> tuple[bytes, UUID] | None:
        """The hash of the first call's input, and the id of what it created."""

    async def add(
        self,
        *,
        user_id: UUID,
        operation: str,
        key: str,
        organization_id: UUID,
        input_hash: bytes,
        result_id: UUID,
        now: datetime,
    ) -> bool:
        """False if another call has taken the key meanwhile; waits for it to end where it is still running."""


class DataKeyRepository(Protocol):
    """Wrapped data keys."""

    async def list(self) -> Sequence[DataKey]: ...

    async def add(self, key: DataKey) -> bool:
        """False if the table holds a primary key already, which another process has added meanwhile."""


class UnitOfWork(Protocol):
    """One transaction. Leaving it without `commit` undoes everything.

    The properties of a tenant's rows (connections, credentials, repositories, health_checks, events) raise
    RuntimeError in a unit that isn't bound to an organization.
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
    def health_checks(self) -> HealthCheckRepository: ...
    @property
    def events(self) -> ConnectionEventRepository: ...
    @property
    def organizations(self) -> OrganizationRepository: ...
    @property
    def users(self) -> UserRepository: ...
    @property
    def memberships(self) -> MembershipRepository: ...
    @property
    def api_keys(self) -> ApiKeyRepository: ...
    @property
    def idempotency_keys(self) -> IdempotencyKeyRepository: ...
    @property
    def data_keys(self) -> DataKeyRepository: ...

    async def commit(self) -> None:
        """Make it all true at once, then wake the feed of this process."""


class UnitsOfWork(Protocol):
    """Begins units of work. Both raise ServiceUnavailable when the database can't be reached."""

    def writing(self, organization_id: UUID | None = None) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit that will commit; rows that it gets are locked."""

    def reading(self, organization_id: UUID | None = None) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit that only looks: it locks nothing and never commits."""
