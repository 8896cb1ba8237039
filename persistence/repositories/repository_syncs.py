"""How far the syncs of repositories have come: a row a connection, and a row for each page of its listings.

Reached as `unit.repository_syncs`. A page is written once, when it comes; a listing's beginning and end write them all.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table, delete, insert, or_, select, update

from domain.entities.repository_sync import RepositorySyncState, SyncedPage
from persistence.repositories.insert_or_update import insert_or_update
from persistence.repositories.tenant import Tenant
from persistence.tables import repository_sync_pages, repository_syncs

_c, _p = repository_syncs.c, repository_sync_pages.c


class SqlRepositorySyncRepository:
    """Implements RepositorySyncRepository."""

    def __init__(self, tenant: Tenant) -> None:
        self._transaction = tenant.transaction
        self._organization_id = tenant.organization_id
        self._own = tenant.own

    async def find(self, connection_id: UUID) -> RepositorySyncState | None:
        found = await self._transaction.execute(
            select(repository_syncs).where(*self._of(repository_syncs, connection_id))
        )
        row = found.one_or_none()
        if row is None:
            return None
        listed: dict[bool, list[SyncedPage]] = {False: [], True: []}
        pages = select(repository_sync_pages).where(*self._of(repository_sync_pages, connection_id))
        for page in await self._transaction.execute(pages.order_by(_p.position)):
            listed[page.previous].append(SyncedPage(page.at, page.etag, page.next, tuple(page.external_ids)))
        return RepositorySyncState(
            organization_id=row.organization_id,
            connection_id=row.connection_id,
            started_at=row.started_at,
            pages=listed[False],
            previous=listed[True],
            added=row.added,
            updated=row.updated,
            unchanged=row.unchanged,
            completed_at=row.completed_at,
            revision=row.revision,
        )

    async def is_current(self, state: RepositorySyncState) -> bool:
        rows = await self._transaction.execute(
            select(_c.revision).where(*self._of(repository_syncs, state.connection_id))
        )
        return rows.scalar_one_or_none() == state.revision

    async def save(self, state: RepositorySyncState) -> None:
        await self._save(state)
        await self._transaction.execute(
            delete(repository_sync_pages).where(*self._of(repository_sync_pages, state.connection_id))
        )
        if pages := list(_all_pages(state)):
            await self._transaction.execute(insert(repository_sync_pages), pages)

    async def save_last_page(self, state: RepositorySyncState) -> None:
        await self._save(state)
        position = len(state.pages) - 1
        await self._transaction.execute(
            insert(repository_sync_pages).values(_page(state, False, position, state.pages[position]))
        )

    async def save_distrust(self, state: RepositorySyncState) -> None:
        await self._save(state)
        at = _p.at.is_(None) if state.at is None else _p.at == state.at
        await self._transaction.execute(
            update(repository_sync_pages)
            .where(*self._of(repository_sync_pages, state.connection_id), _p.previous.is_(True), at)
            .values(etag=None)
        )

    async def remove(self, connection_id: UUID) -> None:
        for table in (repository_sync_pages, repository_syncs):
            await self._transaction.execute(delete(table).where(*self._of(table, connection_id)))

    async def want(self, connection_id: UUID, since: datetime) -> None:
        earlier = or_(_c.wanted_since.is_(None), _c.wanted_since < since)
        await self._transaction.execute(
            update(repository_syncs)
            .where(*self._of(repository_syncs, connection_id), earlier)
            .values(wanted_since=since)
        )

    async def wanted(self, connection_id: UUID) -> datetime | None:
        rows = await self._transaction.execute(
            select(_c.wanted_since).where(*self._of(repository_syncs, connection_id))
        )
        wanted: datetime | None = rows.scalar_one_or_none()
        return wanted

    async def satisfy(self, connection_id: UUID, since: datetime) -> None:
        await self._transaction.execute(
            update(repository_syncs)
            .where(*self._of(repository_syncs, connection_id), _c.wanted_since <= since)
            .values(wanted_since=None)
        )

    async def _save(self, state: RepositorySyncState) -> None:
        """All but the pages."""
        self._own(state.organization_id)
        state.revision += 1
        await insert_or_update(
            self._transaction, repository_syncs, _values(state), key=_KEY, changes=lambda new: _changes(state)
        )

    def _of(self, table: Table, connection_id: UUID) -> tuple[Any, Any]:
        return (table.c.organization_id == self._organization_id, table.c.connection_id == connection_id)


_KEY = ("organization_id", "connection_id")


def _values(state: RepositorySyncState) -> dict[str, Any]:
    return {"organization_id": state.organization_id, "connection_id": state.connection_id, **_changes(state)}


def _changes(state: RepositorySyncState) -> dict[str, Any]:
    return {
        "started_at": state.started_at,
        "added": state.added,
        "updated": state.updated,
        "unchanged": state.unchanged,
        "completed_at": state.completed_at,
        "revision": state.revision,
    }


def _all_pages(state: RepositorySyncState) -> Iterator[dict[str, Any]]:
    for previous, pages in ((False, state.pages), (True, state.previous)):
        for position, page in enumerate(pages):
            yield _page(state, previous, position, page)


def _page(state: RepositorySyncState, previous: bool, position: int, page: SyncedPage) -> dict[str, Any]:
    return {
        "organization_id": state.organization_id,
        "connection_id": state.connection_id,
        "previous": previous,
        "position": position,
        "at": page.at,
        "etag": page.etag,
        "next": page.next,
        "external_ids": page.external_ids,
    }
