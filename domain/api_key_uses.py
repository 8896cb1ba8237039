"""ApiKeyUses: notes when API keys are used, beside the requests: none of them waits for it or fails by it.

Used by UserService.
"""

import asyncio
import logging
from contextvars import Context
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.entities.user import ApiKey
from domain.errors import ServiceUnavailable
from domain.ports import UnitsOfWork

NOTED_EVERY: Final = timedelta(minutes=1)

_LOG: Final = logging.getLogger(__name__)


class ApiKeyUses:
    """One a process. It tries once a minute for each key, whether that works or not."""

    def __init__(self, units_of_work: UnitsOfWork) -> None:
        self._units_of_work = units_of_work
        self._tried: dict[UUID, datetime] = {}
        self._waiting: dict[UUID, datetime] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, key: ApiKey, now: datetime) -> None:
        """Have it written soon that the key is used now, unless that is known of this minute."""
        tried = self._tried.get(key.id)
        if any(earlier is not None and abs(now - earlier) < NOTED_EVERY for earlier in (key.last_used_at, tried)):
            return
        self._tried = {each: at for each, at in self._tried.items() if abs(now - at) < NOTED_EVERY} | {key.id: now}
        self._waiting[key.id] = now
        if self._writing is None or self._writing.done():
            # In a context of its own: it is no part of the request that happens to begin it.
            self._writing = asyncio.create_task(self._write(), name="uses of API keys", context=Context())

    async def aclose(self) -> None:
        """Wait until all that waits is written, or couldn't be."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        while self._waiting:
            uses, self._waiting = (
                sorted(self._waiting.items()),
                {},
            )  # in one order, so that two processes don't deadlock
            try:
                async with self._units_of_work.writing() as unit:
                    for key_id, at in uses:
                        await unit.api_keys.mark_used(key_id, at)
                    await unit.commit()
            except ServiceUnavailable:
                _LOG.warning("The use of %d API key(s) couldn't be noted.", len(uses))
