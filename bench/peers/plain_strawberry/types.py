"""The types of the schema with their resolvers, as Strawberry's documentation writes them."""

from datetime import datetime
from typing import Any, NewType
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from domain.entities.connection_status import ConnectionStatus
from domain.entities.credential import CredentialKind
from domain.entities.health import HealthStatus, ProbeOutcome, Remedy
from gql.types import enums as _enums  # noqa: F401 - makes the domain's enums known to Strawberry

Url = NewType("Url", str)


@strawberry.type
class StatusReason:
    code: str
    message: str
    remedy: Remedy | None


@strawberry.type
class ExternalAccount:
    id: str
    name: str
    url: Url | None
    avatar_url: Url | None


@strawberry.type
class ServiceRateLimit:
    limit: int | None
    remaining: int | None
    reset_at: datetime | None
    blocked_until: datetime | None


@strawberry.type
class HealthProbe:
    name: str
    outcome: ProbeOutcome
    code: str
    message: str
    remedy: Remedy
    latency_ms: int | None
    evidence: JSON | None


@strawberry.type
class ConnectionHealth:
    status: HealthStatus
    message: str | None
    checked_at: datetime | None
    next_check_at: datetime | None
    latency_ms: int | None
    consecutive_failures: int
    probes: list[HealthProbe]


@strawberry.type
class ServiceCredential:
    id: strawberry.ID
    kind: CredentialKind
    fingerprint: str
    scopes: list[str]
    expires_at: datetime | None
    refresh_expires_at: datetime | None
    generation: int
    rotated_at: datetime
    last_used_at: datetime | None


@strawberry.type
class Repository:
    id: strawberry.ID
    full_name: str
    url: Url
    default_branch: str | None
    private: bool
    archived: bool
    selected: bool
    synced_at: datetime


@strawberry.type
class RepositoryConnection:
    nodes: list[Repository]


Key = tuple[UUID, UUID]
"""Of a connection: its organization's id and its own."""

Info = strawberry.Info[Any, None]
"""Its context is a `Context` of `statements.py`."""


@strawberry.type
class ServiceConnection:
    key: strawberry.Private[Key]
    id: strawberry.ID
    name: str
    status: ConnectionStatus
    status_reason: StatusReason | None
    status_changed_at: datetime
    available_statuses: list[ConnectionStatus]
    external_account: ExternalAccount | None
    health: ConnectionHealth
    granted_scopes: list[str]
    required_scopes: list[str]
    missing_scopes: list[str]
    rate_limit: ServiceRateLimit | None
    labels: JSON
    settings: JSON
    version: int
    created_at: datetime
    updated_at: datetime

    @strawberry.field
    async def credential(self, info: Info) -> ServiceCredential | None:
        found: ServiceCredential | None = await info.context.credentials.load(self.key)
        return found

    @strawberry.field
    async def repositories(self, info: Info, first: int) -> RepositoryConnection:
        return RepositoryConnection(nodes=await info.context.repositories.load((self.key, first)))


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class ServiceConnectionConnection:
    organization_id: strawberry.Private[UUID]
    page_info: PageInfo
    nodes: list[ServiceConnection]

    @strawberry.field
    async def total_count(self, info: Info) -> int:
        count: int = await info.context.connection_count(self.organization_id)
        return count


@strawberry.type
class Organization:
    key: strawberry.Private[UUID]
    id: strawberry.ID
    slug: str
    name: str

    @strawberry.field
    async def connections(self, info: Info, first: int) -> ServiceConnectionConnection:
        read = await info.context.newest_connections(self.key, first + 1)
        nodes = read[:first]
        return ServiceConnectionConnection(
            organization_id=self.key,
            page_info=PageInfo(
                has_next_page=len(read) > first,
                has_previous_page=False,
                start_cursor=_cursor(nodes[0]) if nodes else None,
                end_cursor=_cursor(nodes[-1]) if nodes else None,
            ),
            nodes=nodes,
        )


def _cursor(connection: ServiceConnection) -> str:
    return f"{connection.id}~{connection.created_at.isoformat()}"


@strawberry.input
class OrganizationBy:
    slug: str


@strawberry.type
class Query:
    @strawberry.field
    async def node(self, info: Info, id: strawberry.ID) -> ServiceConnection | None:  # noqa: A002 - the schema's name
        found: ServiceConnection | None = await info.context.connection(UUID(id.removeprefix("conn_")))
        return found

    @strawberry.field
    async def organization(self, info: Info, by: OrganizationBy) -> Organization | None:
        found: Organization | None = await info.context.organization(by.slug)
        return found
