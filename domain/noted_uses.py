"""NotedUses: notes when keys and sessions are used, beside the requests: none of them waits for it or fails by it.

Used by UserService, Sessions and TrustedDocuments.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar
from uuid import UUID

from domain.errors import ServiceUnavailable
from domain.ports import UnitOfWork, UnitsOfWork

NOTED_EVERY: Final = timedelta(minutes=1)

_LOG: Final = logging.getLogger(__name__)
_Subject = TypeVar("_Subject", UUID, str)


class NotedUses(Generic[_Subject]):
    """Of one kind of thing, called `what`; `mark` writes one use.

    It tries once in `every` for each, whether that works or not.
    """

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        what: str,
        mark: Callable[[UnitOfWork, _Subject, datetime], Awaitable[None]],
        *,
        every: timedelta = NOTED_EVERY,
    ) -> None:
        self._units_of_work = units_of_work
        self._what = what
        self._mark: Callable[[UnitOfWork, _Subject, datetime], Awaitable[None]] = mark
        self._every = every
        self._tried: dict[_Subject, datetime] = {}
        self._waiting: dict[_Subject, datetime] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, subject_id: _Subject, noted_at: datetime | None, now: datetime) -> None:
        """Have it written soon that it is used now, unless that is known already: `noted_at` is what is kept."""
        tried = self._tried.get(subject_id)
        if any(earlier is not None and abs(now - earlier) < self._every for earlier in (noted_at, tried)):
            return
        self._tried = {each: at for each, at in self._tried.items() if abs(now - at) < self._every} | {subject_id: now}
        self._waiting[subject_id] = now
        if self._writing is None or self._writing.done():
            # In a context of its own: it is no part of the request that happens to begin it.
            self._writing = asyncio.create_task(self._write(), name=f"uses of {self._what}", context=Context())

    async def aclose(self) -> None:
        """Wait until all that waits is written, or couldn't be."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        while self._waiting:
            # In one order, so that two processes don't deadlock.
            uses, self._waiting = sorted(self._waiting.items()), {}
            try:
                async with self._units_of_work.writing_everywhere() as unit:
                    for subject_id, at in uses:
                        await self._mark(unit, subject_id, at)
                    await unit.commit()
            except ServiceUnavailable:
                _LOG.warning("The use of %d %s couldn't be noted.", len(uses), self._what)
