"""Organizations as rows, each with the counter that numbers its events.

Reached as `unit.organizations`.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, insert, select
from sqlalchemy.exc import IntegrityError

from domain.entities.organization import Organization
from domain.errors import NameTaken
from persistence.driver_errors import violates
from persistence.tables import event_counters, organizations, service_connections
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

    async def owning_connection(self, connection_id: UUID) -> UUID | None:
        found = await self._transaction.execute(
            select(service_connections.c.organization_id).where(
                service_connections.c.id == connection_id, service_connections.c.deleted_at.is_(None)
            )
        )
        return found.scalar_one_or_none()

    async def any(self) -> bool:
        found = await self._transaction.execute(select(exists().select_from(organizations)))
        return bool(found.scalar_one())

    async def add(self, organization: Organization) -> None:
        values = {
            "id": organization.id,
            "slug": organization.slug,
            "name": organization.name,
            "created_at": organization.created_at,
            "updated_at": organization.updated_at,
            "version": organization.version,
        }
        try:
            await self._transaction.execute(insert(organizations).values(values))
        except IntegrityError as error:
            if not violates(error, "uq_organizations_slug", _c.slug):
                raise
            message = f"The slug “{organization.slug}” is another organization's already."
            raise NameTaken(message, ("input", "slug")) from error
        await self._transaction.execute(
            insert(event_counters).values(organization_id=organization.id, epoch=1, sequence=0, pruned_sequence=0)
        )

    async def _one(self, condition: ColumnElement[bool]) -> Organization | None:
        row: Any = (await self._transaction.execute(select(organizations).where(condition))).one_or_none()
        if row is None:
            return None
        return Organization(
            id=row.id,
            slug=row.slug,
            name=row.name,
            created_at=row.created_at,
            updated_at=row.updated_at,
            version=row.version,
        )
