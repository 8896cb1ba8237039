"""The statements, each with its data loader where it is asked for many rows at once, and rows as the schema's types."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import strawberry
from strawberry.dataloader import DataLoader

from bench.peers.plain_strawberry.types import (
    ConnectionHealth,
    ExternalAccount,
    HealthProbe,
    Key,
    Organization,
    Repository,
    ServiceConnection,
    ServiceCredential,
    ServiceRateLimit,
    StatusReason,
)
from domain.entities.connection_status import ConnectionStatus, allowed_for_members
from domain.entities.credential import CredentialKind
from domain.entities.health import HealthStatus, ProbeOutcome, Remedy

Row = Mapping[str, Any]


class Context:
    """What an operation runs with. Its loaders live as long as it does."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.credentials: DataLoader[Key, ServiceCredential | None] = DataLoader(self._credentials)
        self.repositories: DataLoader[tuple[Key, int], list[Repository]] = DataLoader(self._repositories)

    async def organization(self, slug: str) -> Organization | None:
        row = await self._pool.fetchrow(_ORGANIZATION, slug)
        if row is None:
            return None
        return Organization(key=row["id"], id=strawberry.ID(f"org_{row['id']}"), slug=row["slug"], name=row["name"])

    async def connection(self, connection_id: UUID) -> ServiceConnection | None:
        row = await self._pool.fetchrow(_CONNECTION, connection_id)
        return None if row is None else _connection(row)

    async def newest_connections(self, organization_id: UUID, most: int) -> list[ServiceConnection]:
        return [_connection(row) for row in await self._pool.fetch(_CONNECTIONS, organization_id, most)]

    async def connection_count(self, organization_id: UUID) -> int:
        count: int = await self._pool.fetchval(_COUNT, organization_id)
        return count

    async def _credentials(self, keys: list[Key]) -> list[ServiceCredential | None]:
        organizations, connections = zip(*keys, strict=True)
        rows = await self._pool.fetch(_CREDENTIALS, organizations, connections)
        found = {row["connection_id"]: _credential(row) for row in rows}
        return [found.get(connection) for connection in connections]

    async def _repositories(self, keys: list[tuple[Key, int]]) -> list[list[Repository]]:
        organizations, connections = zip(*(key for key, _ in keys), strict=True)
        rows = await self._pool.fetch(_REPOSITORIES, organizations, connections, [first for _, first in keys])
        found: dict[UUID, list[Repository]] = {connection: [] for connection in connections}
        for row in rows:
            found[row["connection_id"]].append(_repository(row))
        return [found[connection] for connection in connections]


_AVAILABLE = {status: list(allowed_for_members(status)) for status in ConnectionStatus}


def _connection(row: Row) -> ServiceConnection:
    status = ConnectionStatus(row["status"])
    return ServiceConnection(
        key=(row["organization_id"], row["id"]),
        id=strawberry.ID(f"conn_{row['id']}"),
        name=row["name"],
        status=status,
        status_reason=_status_reason(row),
        status_changed_at=row["status_changed_at"],
        available_statuses=_AVAILABLE[status],
        external_account=_external_account(row),
        health=_health(row),
        granted_scopes=row["granted_scopes"],
        required_scopes=row["required_scopes"],
        missing_scopes=row["missing_scopes"],
        rate_limit=_rate_limit(row),
        labels=row["labels"],
        settings=row["settings"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _status_reason(row: Row) -> StatusReason | None:
    code, remedy = row["status_reason_code"], row["status_reason_remedy"]
    if code is None:
        return None
    return StatusReason(code=code, message=row["status_reason_message"], remedy=remedy and Remedy(remedy))


def _external_account(row: Row) -> ExternalAccount | None:
    if row["account_id"] is None:
        return None
    return ExternalAccount(
        id=row["account_id"], name=row["account_name"], url=row["account_url"], avatar_url=row["account_avatar_url"]
    )


def _health(row: Row) -> ConnectionHealth:
    return ConnectionHealth(
        status=HealthStatus(row["health_status"]),
        message=row["health_message"],
        checked_at=row["health_checked_at"],
        next_check_at=row["health_next_check_at"],
        latency_ms=row["health_latency_ms"],
        consecutive_failures=row["health_consecutive_failures"],
        probes=[
            HealthProbe(
                name=probe["name"],
                outcome=ProbeOutcome(probe["outcome"]),
                code=probe["code"],
                message=probe["message"],
                remedy=Remedy(probe["remedy"]),
                latency_ms=probe["latency_ms"],
                evidence=probe["evidence"],
            )
            for probe in row["health_probes"]
        ],
    )


def _rate_limit(row: Row) -> ServiceRateLimit | None:
    if row["rate_limit_limit"] is None:
        return None
    return ServiceRateLimit(
        limit=row["rate_limit_limit"],
        remaining=row["rate_limit_remaining"],
        reset_at=row["rate_limit_reset_at"],
        blocked_until=row["rate_limit_blocked_until"],
    )


def _credential(row: Row) -> ServiceCredential:
    return ServiceCredential(
        id=strawberry.ID(f"cred_{row['id']}"),
        kind=CredentialKind(row["kind"]),
        fingerprint=row["fingerprint"],
        scopes=row["scopes"] or [],
        expires_at=row["expires_at"],
        refresh_expires_at=row["refresh_expires_at"],
        generation=row["generation"],
        rotated_at=row["rotated_at"],
        last_used_at=row["last_used_at"],
    )


def _repository(row: Row) -> Repository:
    return Repository(
        id=strawberry.ID(f"repo_{row['id']}"),
        full_name=row["full_name"],
        url=row["url"],
        default_branch=row["default_branch"],
        private=row["private"],
        archived=row["archived"],
        selected=row["selected"],
        synced_at=row["synced_at"],
    )


_ORGANIZATION = "select id, slug, name from organizations where slug = $1"

_COLUMNS = """
    organization_id, id, name, status, status_reason_code, status_reason_message, status_reason_remedy,
    status_changed_at, account_id, account_name, account_url, account_avatar_url, required_scopes, granted_scopes,
    missing_scopes, health_status, health_message, health_checked_at, health_next_check_at, health_latency_ms,
    health_consecutive_failures, health_probes, rate_limit_limit, rate_limit_remaining, rate_limit_reset_at,
    rate_limit_blocked_until, labels, settings, version, created_at, updated_at"""

_CONNECTION = f"select {_COLUMNS} from service_connections where id = $1 and deleted_at is null"

_CONNECTIONS = f"""
    select {_COLUMNS} from service_connections where organization_id = $1 and deleted_at is null
    order by created_at desc, id desc limit $2"""

_COUNT = "select count(*) from service_connections where organization_id = $1 and deleted_at is null"

_CREDENTIALS = """
    select c.connection_id, c.id, c.kind, c.fingerprint, c.scopes, c.expires_at, c.refresh_expires_at, c.generation,
      c.rotated_at, c.last_used_at
    from unnest($1::uuid[], $2::uuid[]) k(organization_id, connection_id)
    join service_credentials c using (organization_id, connection_id)"""

_REPOSITORIES = """
    select r.* from unnest($1::uuid[], $2::uuid[], $3::integer[]) k(organization_id, connection_id, first)
    cross join lateral (
      select r.connection_id, r.id, r.full_name, r.url, r.default_branch, r.private, r.archived, r.selected, r.synced_at
      from repositories r
      where r.organization_id = k.organization_id and r.connection_id = k.connection_id
      order by r.full_name_key, r.id limit k.first
    ) r"""
