"""EventFeed: where the readers of events wait. The counters in the database are the truth; nothing here is ever lost.

One per process, run by the composition root. Subscriptions watch it and read the events themselves as documents.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from domain.errors import ServiceUnavailable
from persistence.database import Database
from persistence.json_text import json_text

_log = logging.getLogger(__name__)
_LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class FeedPosition:
    """How far an organization's feed goes. A new epoch: a backup was restored, and sequences mean other events."""

    epoch: int
    sequence: int  # of the newest event; 0: none yet
    pruned_sequence: int  # of the newest event that retention has removed

    def is_beyond(self, epoch: int, sequence: int) -> bool:
        return self.epoch != epoch or self.sequence > sequence


class EventFeed:
    """Asks the database every `poll_seconds`, once for all organizations that are watched; never if none is.

    A hint from a commit of this process makes it look at once; what other processes commit is found by the next poll.
    """

    def __init__(self, database: Database, *, poll_seconds: float = 0.1) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._feeds: dict[UUID, _Feed] = {}
        self._look = asyncio.Event()
        self._informed_at = time.monotonic()

    @property
    def watchers(self) -> int:
        """How many wait for events in this process."""
        return sum(feed.watchers for feed in self._feeds.values())

    @property
    def lag_seconds(self) -> float:
        """How long ago the watchers were last told how far their feeds go; 0 where there are none."""
        return time.monotonic() - self._informed_at if self._feeds else 0.0

    async def head(self, organization_id: UUID) -> FeedPosition | None:
        """The end of a feed as it is now; None: no such organization. Raises ServiceUnavailable."""
        return (await _read_positions(self._database, [organization_id])).get(organization_id)

    def hint(self, organization_id: UUID) -> None:
        """This organization's feed has probably grown. Called in the event loop, after a commit."""
        if organization_id in self._feeds:
            self._look.set()

    @asynccontextmanager
    async def watch(self, organization_id: UUID) -> AsyncIterator["FeedWatch"]:
        """A place to wait for an organization's events for as long as the block lasts, while `run` is running."""
        if not self._feeds:
            self._informed_at = time.monotonic()  # nobody has been waiting
        feed = self._feeds.setdefault(organization_id, _Feed())
        feed.watchers += 1
        self._look.set()
        try:
            yield FeedWatch(feed)
        finally:
            feed.watchers -= 1
            if feed.watchers == 0:
                del self._feeds[organization_id]

    async def run(self) -> None:
        """Keep the watchers informed until cancelled. While the database is gone, keep trying."""
        pause_seconds = self._poll_seconds
        failing = False
        while True:
            self._look.clear()
            try:
                await self._inform()
            except ServiceUnavailable:
                if not failing:
                    _log.warning("The event feed can't read the database and keeps trying.", exc_info=True)
                failing = True
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
                continue
            if failing:
                _log.info("The event feed can read the database again.")
                failing, pause_seconds = False, self._poll_seconds
            await self._wait()

    async def _inform(self) -> None:
        if not self._feeds:
            return
        positions = await _read_positions(self._database, list(self._feeds))
        for organization_id, position in positions.items():
            if feed := self._feeds.get(organization_id):
                feed.move_to(position)
        self._informed_at = time.monotonic()

    async def _wait(self) -> None:
        """Until a hint or a new watcher asks for a poll or, while somebody watches, the next one is due."""
        if self._feeds:
            timer = asyncio.get_running_loop().call_later(self._poll_seconds, self._look.set)
            try:
                await self._look.wait()
            finally:
                timer.cancel()
        else:
            await self._look.wait()


class FeedWatch:
    """One watcher's view of a feed."""

    def __init__(self, feed: "_Feed") -> None:
        self._feed = feed

    async def beyond(self, *, epoch: int, sequence: int) -> FeedPosition:
        """Where the feed ends, as soon as that is after this sequence number or in another epoch."""
        while True:
            position, moved = self._feed.position, self._feed.moved
            if position is not None and position.is_beyond(epoch, sequence):
                return position
            await moved.wait()


@dataclass(slots=True)
class _Feed:
    """What the process knows of one watched feed, however many watch it."""

    watchers: int = 0
    position: FeedPosition | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def move_to(self, position: FeedPosition) -> None:
        if position != self.position:
            self.position = position
            self.moved.set()
            self.moved = asyncio.Event()


async def _read_positions(database: Database, organization_ids: Sequence[UUID]) -> dict[UUID, FeedPosition]:
    if database.dialect_name == "postgresql":
        rows = await database.fetch_everywhere(_POSTGRESQL, [organization_ids])
    else:
        rows = await database.fetch_everywhere(_SQLITE, [json_text(organization_ids)])
    return {UUID(str(id_)): FeedPosition(*position) for id_, *position in rows}


_POSTGRESQL = """
SELECT organization_id, epoch, sequence, pruned_sequence FROM event_counters WHERE organization_id = any($1::uuid[])
"""
_SQLITE = """
SELECT organization_id, epoch, sequence, pruned_sequence FROM event_counters
WHERE organization_id IN (SELECT value FROM json_each(?))
"""
