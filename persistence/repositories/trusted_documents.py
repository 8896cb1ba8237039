"""Trusted documents as rows: an id stands for one text, whoever is first.

Reached as `unit.trusted_documents`.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, delete, select, update

from domain.entities.trusted_document import TrustedDocument
from persistence.repositories.insert_if_new import insert_if_new
from persistence.tables import trusted_documents
from persistence.transaction import Transaction

_AT_ONCE: Final = 500
_c = trusted_documents.c


class SqlTrustedDocumentRepository:
    """Implements TrustedDocumentRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def find(self, document_id: str) -> TrustedDocument | None:
        rows = await self._transaction.execute(select(trusted_documents).where(_c.id == document_id))
        row = rows.one_or_none()
        return None if row is None else _entity(row)

    async def list(self, *, unused_since: datetime | None = None) -> Sequence[TrustedDocument]:
        statement = select(trusted_documents).order_by(_c.name, _c.id)
        if unused_since is not None:
            unused = _c.used_at.is_(None) | (_c.used_at < unused_since)
            statement = statement.where(_c.published_at < unused_since, unused)
        return [_entity(row) for row in await self._transaction.execute(statement)]

    async def add(self, document: TrustedDocument) -> bool:
        return await insert_if_new(self._transaction, trusted_documents, _values(document))

    async def mark_published(self, document_ids: Sequence[str], at: datetime) -> None:
        for some in _in_parts(document_ids):
            await self._transaction.execute(
                update(trusted_documents).where(_c.id.in_(some), _c.published_at < at).values(published_at=at)
            )

    async def mark_used(self, document_id: str, at: datetime) -> None:
        await self._transaction.execute(
            update(trusted_documents)
            .where(_c.id == document_id, _c.used_at.is_(None) | (_c.used_at < at))
            .values(used_at=at)
        )

    async def remove(self, document_ids: Sequence[str]) -> Sequence[str]:
        removed: list[str] = []
        for some in _in_parts(document_ids):
            rows = await self._transaction.execute(delete(trusted_documents).where(_c.id.in_(some)).returning(_c.id))
            removed += rows.scalars()
        return removed


def _in_parts(document_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Neither database takes values without end in one statement."""
    for begin in range(0, len(document_ids), _AT_ONCE):
        yield document_ids[begin : begin + _AT_ONCE]


def _values(document: TrustedDocument) -> dict[str, Any]:
    return {
        "id": document.id,
        "text": document.text,
        "name": document.name,
        "first_published_at": document.first_published_at,
        "published_at": document.published_at,
        "used_at": document.used_at,
    }


def _entity(row: Row[Any]) -> TrustedDocument:
    return TrustedDocument(
        id=row.id,
        text=row.text,
        name=row.name,
        first_published_at=row.first_published_at,
        published_at=row.published_at,
        used_at=row.used_at,
    )
