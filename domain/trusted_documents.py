"""TrustedDocuments: what operators publish and retire, and what every process then knows within a moment.

`find` is called by the GraphQL view and its sockets; the rest by the command line (`tether documents`).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakValueDictionary

from domain.entities.trusted_document import TrustedDocument
from domain.errors import InvalidInput, NotFound
from domain.moment_cache import MomentCache
from domain.noted_uses import NotedUses
from domain.ports import UnitOfWork, UnitsOfWork

USES_NOTED_EVERY: Final = timedelta(hours=1)

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publication:
    """What came of a manifest: how many of its documents were new, and how many were there."""

    new: int
    known: int


class TrustedDocuments:
    """One a process. Close it before the database.

    What it has found, and that it has found nothing, it remembers for `moment_cache.LIFETIME`: so long it takes until
    every process knows what was published or retired.
    """

    def __init__(self, units_of_work: UnitsOfWork, clock: Callable[[], datetime]) -> None:
        self._units_of_work = units_of_work
        self._clock = clock
        self._found: MomentCache[str, TrustedDocument] = MomentCache()
        self._unknown: MomentCache[str, bool] = MomentCache()  # of its own: guesses push nothing out that was found
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._uses: NotedUses[str] = NotedUses(
            units_of_work,
            "trusted document(s)",
            lambda unit, document_id, at: unit.trusted_documents.mark_used(document_id, at),
            every=USES_NOTED_EVERY,
        )

    async def aclose(self) -> None:
        """Wait for what is still being written beside the requests."""
        await self._uses.aclose()

    async def find(self, document_id: str) -> TrustedDocument | None:
        """The document that is published by this id. Raises ServiceUnavailable."""
        found = self._found.find(document_id, self._clock())
        if found is not None:
            return found
        # Of requests that come at once, one asks the database and the others wait for what it learns.
        async with self._asking.setdefault(document_id, asyncio.Lock()):
            now = self._clock()
            if self._unknown.find(document_id, now):
                return None
            return self._found.find(document_id, now) or await self._look_up(document_id)

    async def publish(self, documents: Sequence[tuple[str, str, str]]) -> Publication:
        """Keep them all, each an id, a text and a name; or none of them. Nothing else that is there changes.

        Raises InvalidInput where an id that is there stands for another text.
        """
        now, known = self._clock(), list[str]()
        async with self._units_of_work.writing_everywhere() as unit:
            for document_id, text, name in sorted(documents):  # in one order, so that two of these don't deadlock
                if not await unit.trusted_documents.add(TrustedDocument(document_id, text, name, now, now)):
                    await _require_same(unit, document_id, text)
                    known.append(document_id)
            await unit.trusted_documents.mark_published(known, now)
            await unit.commit()
        publication = Publication(len(documents) - len(known), len(known))
        _log.info("Published documents: %d new, %d known.", publication.new, publication.known)
        return publication

    async def list(self, *, unused_for: timedelta | None = None) -> Sequence[TrustedDocument]:
        """By name. `unused_for`: only those that no manifest has had and nobody has asked for in so long."""
        since = None if unused_for is None else self._clock() - unused_for
        async with self._units_of_work.reading_everywhere() as unit:
            return await unit.trusted_documents.list(unused_since=since)

    async def retire(self, document_ids: Sequence[str]) -> Sequence[str]:
        """Answer them no more, all of them. Raises NotFound where one isn't there, and then retires none."""
        async with self._units_of_work.writing_everywhere() as unit:
            retired = await unit.trusted_documents.remove(sorted(document_ids))
            if missing := sorted(set(document_ids) - set(retired)):
                raise NotFound(f"No document is published by this id: {', '.join(missing)}.")
            await unit.commit()
        _log.info("Retired %d documents.", len(retired))
        return retired

    async def retire_unused(self, unused_for: timedelta) -> Sequence[str]:
        """The same for those that no manifest has had and nobody has asked for in so long."""
        return await self.retire([each.id for each in await self.list(unused_for=unused_for)])

    async def _look_up(self, document_id: str) -> TrustedDocument | None:
        async with self._units_of_work.reading_everywhere() as unit:
            document = await unit.trusted_documents.find(document_id)
        now = self._clock()
        if document is None:
            self._unknown.keep(document_id, True, now, expires_at=None)
            return None
        self._found.keep(document_id, document, now, expires_at=None)
        self._uses.note(document_id, document.used_at, now)
        return document


async def _require_same(unit: UnitOfWork, document_id: str, text: str) -> None:
    there = await unit.trusted_documents.find(document_id)
    if there is None or there.text != text:
        raise InvalidInput(
            f"{document_id} is published with another text, and an id stands for one text. Give the new text an id of "
            "its own, or retire the old one first."
        )
