"""Organizations as rows, each with the counter that numbers its events.

Reached as `unit.organizations`.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, and_, exists, insert, join, select, update

from domain.entities.organization import Organization
from domain.entities.user import Role
from domain.errors import NameTaken, NotFound, VersionConflict
from persistence.repositories.insert_if_new import insert_if_new
from persistence.tables import (
    event_counters,
    memberships,
    organizations,
    repositories,
    service_connections,
    service_credentials,
)
from persistence.transaction import Transaction

_c = organizations.c


class SqlOrganizationRepository:
    """Implements OrganizationRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, organization_id: UUID) -> Organization | None:
        return await self._one(_c.id == organization_id)

    async def find_by_slug(self, slug: str) -> Organization | None:
        return await self._one(_c.slug == slug)

    async def get(self, organization_id: UUID) -> Organization:
        found = await self._one(_c.id == organization_id, lock=self._transaction.writes)
        if found is None:
            raise NotFound.organization()
        return found

    async def save(self, organization: Organization) -> None:
        version = organization.version + 1
        saved = await self._transaction.execute(
            update(organizations)
            .where(_c.id == organization.id, _c.version == organization.version)
            .values({**_values(organization), "version": version})
        )
        if saved.rowcount == 0:
            raise VersionConflict((await self.get(organization.id)).version)
        organization.version = version

    async def owning_connection(self, connection_id: UUID, user_id: UUID) -> tuple[UUID, Role] | None:
        return await self._owner(service_connections.c.id == connection_id, service_connections, user_id)

    async def owning_repository(self, repository_id: UUID, user_id: UUID) -> tuple[UUID, Role] | None:
        of_its_connection = and_(
            service_connections.c.organization_id == repositories.c.organization_id,
            service_connections.c.id == repositories.c.connection_id,
        )
        reached = join(service_connections, repositories, of_its_connection)
        return await self._owner(repositories.c.id == repository_id, reached, user_id)

    async def credential_held(self, service: str, fingerprint: str, *, besides: UUID | None = None) -> bool:
        of_its_connection = and_(
            service_connections.c.organization_id == service_credentials.c.organization_id,
            service_connections.c.id == service_credentials.c.connection_id,
        )
        held = (
            select(service_credentials.c.id)
            .join_from(service_credentials, service_connections, of_its_connection)
            .where(service_credentials.c.fingerprint == fingerprint, service_connections.c.service == service)
        )
        if besides is not None:
            held = held.where(service_connections.c.id != besides)
        async with self._transaction.everywhere():  # to revoke it would end all of them
            return bool((await self._transaction.execute(select(held.exists()))).scalar_one())

    async def connections_reached(self, service: str, webhook_keys: Sequence[str]) -> Sequence[tuple[UUID, UUID]]:
        """In the order of their ids."""
        statement = (
            select(service_connections.c.organization_id, service_connections.c.id)
            .where(
                service_connections.c.service == service,
                service_connections.c.webhook_key.in_(webhook_keys),
                service_connections.c.deleted_at.is_(None),
            )
            .order_by(service_connections.c.id)
        )
        async with self._transaction.everywhere():  # a service knows nothing of organizations
            found = await self._transaction.execute(statement)
        return [(row.organization_id, row.id) for row in found]

    async def any(self) -> bool:
        found = await self._transaction.execute(select(exists().select_from(organizations)))
        return bool(found.scalar_one())

    async def add(self, organization: Organization) -> None:
        if not await self._insert(organization):
            message = f"The slug “{organization.slug}” is another organization's already."
            raise NameTaken(message, ("input", "slug"))

    async def find_or_add(self, organization: Organization) -> Organization:
        present = await self.find_by_slug(organization.slug)
        if present is not None:
            return present
        if await self._insert(organization):
            return organization
        return await self.find_or_add(organization)  # by now another transaction's is there

    async def _insert(self, organization: Organization) -> bool:
        """False if the slug is taken."""
        if not await insert_if_new(self._transaction, organizations, _values(organization)):
            return False
        await self._transaction.execute(
            insert(event_counters).values(organization_id=organization.id, epoch=1, sequence=0, pruned_sequence=0)
        )
        return True

    async def _owner(
        self, condition: ColumnElement[bool], source: FromClause, user_id: UUID
    ) -> tuple[UUID, Role] | None:
        organization_id = service_connections.c.organization_id
        member = and_(memberships.c.organization_id == organization_id, memberships.c.user_id == user_id)
        found = await self._transaction.execute(
            select(organization_id, memberships.c.role)
            .join_from(source, memberships, member)
            .where(condition, service_connections.c.deleted_at.is_(None))
        )
        row = found.one_or_none()
        return None if row is None else (row.organization_id, Role(row.role))

    async def _one(self, condition: ColumnElement[bool], *, lock: bool = False) -> Organization | None:
        statement = select(organizations).where(condition)
        if lock:
            statement = statement.with_for_update(key_share=True)  # its connections needn't wait
        row: Any = (await self._transaction.execute(statement)).one_or_none()
        if row is None:
            return None
        return Organization(
            id=row.id,
            slug=row.slug,
            name=row.name,
            created_at=row.created_at,
            updated_at=row.updated_at,
            version=row.version,
            check_interval=timedelta(seconds=row.check_interval_seconds),
        )


def _values(organization: Organization) -> dict[str, Any]:
    return {
        "id": organization.id,
        "slug": organization.slug,
        "name": organization.name,
        "created_at": organization.created_at,
        "updated_at": organization.updated_at,
        "version": organization.version,
        "check_interval_seconds": round(organization.check_interval.total_seconds()),
    }
