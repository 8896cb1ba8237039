"""Repositories of the connected services as rows, many at a time when they are synced.

Reached as `unit.repositories`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select, update

from domain.entities.repository import Repository
from domain.entities.text import search_key
from domain.errors import NotFound
from persistence.repositories.tenant import Tenant
from persistence.tables import repositories

_c = repositories.c
_REMOVED_AT_ONCE = 1_000  # SQLite takes 32,766 parameters in a statement


class SqlRepositoryRepository:
    """Implements RepositoryRepository."""

    def __init__(self, tenant: Tenant) -> None:
        self._transaction = tenant.transaction
        self._organization_id = tenant.organization_id
        self._own = tenant.own

    async def list(self, connection_id: UUID) -> Sequence[Repository]:
        """All of the connection's, by name."""
        rows = await self._transaction.execute(
            select(repositories)
            .where(_c.organization_id == self._organization_id, _c.connection_id == connection_id)
            .order_by(_c.full_name_key, _c.id)
        )
        return [_entity(row) for row in rows]

    async def list_by_external_id(self, connection_id: UUID, external_ids: Sequence[str]) -> Sequence[Repository]:
        rows = await self._transaction.execute(
            select(repositories)
            .where(
                _c.organization_id == self._organization_id,
                _c.connection_id == connection_id,
                _c.external_id.in_(external_ids),
            )
            .order_by(_c.id)
        )
        return [_entity(row) for row in rows]

    async def add_all(self, new: Sequence[Repository]) -> None:
        for repository in new:
            self._own(repository.organization_id)
        if new:
            await self._transaction.execute(insert(repositories), [_values(repository) for repository in new])

    async def save(self, repository: Repository) -> None:
        """Raises NotFound if it was removed meanwhile."""
        self._own(repository.organization_id)
        saved = await self._transaction.execute(
            update(repositories)
            .where(_c.organization_id == self._organization_id, _c.id == repository.id)
            .values(_values(repository))
        )
        if saved.rowcount == 0:
            raise NotFound.repository()

    async def mark_synced(self, repository_ids: Sequence[UUID], at: datetime) -> None:
        if repository_ids:
            await self._transaction.execute(
                update(repositories)
                .where(_c.organization_id == self._organization_id, _c.id.in_(repository_ids))
                .values(synced_at=at)
            )

    async def get(self, repository_id: UUID) -> Repository:
        statement = select(repositories).where(_c.organization_id == self._organization_id, _c.id == repository_id)
        rows = await self._transaction.execute(statement.with_for_update() if self._transaction.writes else statement)
        row = rows.one_or_none()
        if row is None:
            raise NotFound.repository()
        return _entity(row)

    async def remove(self, repository_ids: Sequence[UUID]) -> None:
        for start in range(0, len(repository_ids), _REMOVED_AT_ONCE):
            some = repository_ids[start : start + _REMOVED_AT_ONCE]
            await self._transaction.execute(
                delete(repositories).where(_c.organization_id == self._organization_id, _c.id.in_(some))
            )


def _values(repository: Repository) -> dict[str, Any]:
    return {
        "organization_id": repository.organization_id,
        "id": repository.id,
        "connection_id": repository.connection_id,
        "external_id": repository.external_id,
        "full_name": repository.full_name,
        "full_name_key": search_key(repository.full_name),
        "url": repository.url,
        "default_branch": repository.default_branch,
        "private": repository.private,
        "archived": repository.archived,
        "selected": repository.selected,
        "synced_at": repository.synced_at,
    }


def _entity(row: Row[Any]) -> Repository:
    return Repository(
        id=row.id,
        organization_id=row.organization_id,
        connection_id=row.connection_id,
        external_id=row.external_id,
        full_name=row.full_name,
        url=row.url,
        default_branch=row.default_branch,
        private=row.private,
        archived=row.archived,
        selected=row.selected,
        synced_at=row.synced_at,
    )
