"""What the domain needs of whatever keeps trusted documents: rows of no tenant, since they are the whole server's.

A property of UnitOfWork in `domain/ports.py`, which says what the verbs mean; implemented in `persistence/`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from domain.entities.trusted_document import TrustedDocument


class TrustedDocumentRepository(Protocol):
    """Trusted documents, by their ids."""

    async def find(self, document_id: str) -> TrustedDocument | None: ...

    async def list(self, *, unused_since: datetime | None = None) -> Sequence[TrustedDocument]:
        """By name, then id. `unused_since`: only those that were neither published nor used since then."""

    async def add(self, document: TrustedDocument) -> bool:
        """False if its id is there already, or is being added just now."""

    async def mark_published(self, document_ids: Sequence[str], at: datetime) -> None:
        """A manifest has had them once more."""

    async def mark_used(self, document_id: str, at: datetime) -> None: ...

    async def remove(self, document_ids: Sequence[str]) -> Sequence[str]:
        """The ids of those that were there."""
