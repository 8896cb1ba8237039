"""How far the syncs of repositories have come, one row a connection.

Reached as `unit.repository_syncs`.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, delete, select

from domain.entities.repository_sync import RepositorySyncState, SyncedPage
from persistence.repositories.insert_or_update import insert_or_update
from persistence.repositories.tenant import Tenant
from persistence.tables import repository_syncs

_c = repository_syncs.c


class SqlRepositorySyncRepository:
    """Implements RepositorySyncRepository."""

    def __init__(self, tenant: Tenant) -> None:
        self._transaction = tenant.transaction
        self._organization_id = tenant.organization_id
        self._own = tenant.own

    async def find(self, connection_id: UUID) -> RepositorySyncState | None:
        rows = await self._transaction.execute(select(repository_syncs).where(self._of(connection_id)))
        row = rows.one_or_none()
        return None if row is None else _entity(row)

    async def save(self, state: RepositorySyncState) -> None:
        self._own(state.organization_id)
        values = _values(state)
        await insert_or_update(
            self._transaction,
            repository_syncs,
            values,
            key=["organization_id", "connection_id"],
            changes=lambda new: {name: new[name] for name in values},
        )

    async def remove(self, connection_id: UUID) -> None:
        await self._transaction.execute(delete(repository_syncs).where(self._of(connection_id)))

    def _of(self, connection_id: UUID) -> ColumnElement[bool]:
        return and_(_c.organization_id == self._organization_id, _c.connection_id == connection_id)


def _values(state: RepositorySyncState) -> dict[str, Any]:
    return {
        "organization_id": state.organization_id,
        "connection_id": state.connection_id,
        "started_at": state.started_at,
        "pages": [_page_to_json(page) for page in state.pages],
        "previous": [_page_to_json(page) for page in state.previous],
        "added": state.added,
        "updated": state.updated,
        "unchanged": state.unchanged,
        "completed_at": state.completed_at,
    }


def _page_to_json(page: SyncedPage) -> dict[str, Any]:
    return {"at": page.at, "etag": page.etag, "next": page.next, "externalIds": page.external_ids}


def _entity(row: Row[Any]) -> RepositorySyncState:
    return RepositorySyncState(
        organization_id=row.organization_id,
        connection_id=row.connection_id,
        started_at=row.started_at,
        pages=[_page_from_json(page) for page in row.pages],
        previous=[_page_from_json(page) for page in row.previous],
        added=row.added,
        updated=row.updated,
        unchanged=row.unchanged,
        completed_at=row.completed_at,
    )


def _page_from_json(page: dict[str, Any]) -> SyncedPage:
    return SyncedPage(page["at"], page["etag"], page["next"], tuple(page["externalIds"]))
