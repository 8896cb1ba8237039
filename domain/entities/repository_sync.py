"""RepositorySyncState: how far the listing of a connection's repositories has come, and what the last one saw.

Kept by RepositorySync page by page, so that a killed process's successor goes on where it was.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

LONGEST_LISTING: Final = timedelta(hours=1)
"""Pages older than this say too little of what there is: the listing begins anew."""


@dataclass(frozen=True, slots=True)
class SyncedPage:
    """A page as it was: where it is (None: the first), its etag, where the following is, and whose ids it had."""

    at: str | None
    etag: str | None
    next: str | None
    external_ids: tuple[str, ...]


@dataclass(slots=True)
class RepositorySyncState:
    """`previous` are the pages of the last complete listing, `pages` those of the one that is running.

    `started_at` is the running one's; None where none is. The counts are of that one, or of the last. `revision` grows
    each time that it is saved.
    """

    organization_id: UUID
    connection_id: UUID
    started_at: datetime | None = None
    pages: list[SyncedPage] = field(default_factory=list)
    previous: list[SyncedPage] = field(default_factory=list)
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    completed_at: datetime | None = None
    revision: int = 0
    seen: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    """The ids on the pages so far."""

    def __post_init__(self) -> None:
        self.seen.update(id_ for page in self.pages for id_ in page.external_ids)

    @property
    def at(self) -> str | None:
        """Where the page is that comes next."""
        return self.pages[-1].next if self.pages else None

    @property
    def known(self) -> SyncedPage | None:
        """The page that the last complete listing found in the same place."""
        return next((page for page in self.previous if page.at == self.at), None)

    @property
    def complete(self) -> bool:
        """Whether the running listing has reached its end."""
        return bool(self.pages) and self.at is None

    @property
    def certain(self) -> bool:
        """Whether what is on none of the pages is gone.

        Between two pages an item may move from one that is still to be read to one that has been, and so be missed. It
        isn't missed by a single page, nor by two listings with the same items on every page.
        """
        return len(self.pages) == 1 or _ids(self.pages) == _ids(self.previous)

    def begin(self, now: datetime) -> bool:
        """Go on with the listing that is running, or begin one: then it is True.

        It begins without etags once a day, and after one that was given up, whose pages have brought later news.
        """
        if self.started_at is not None and now - self.started_at < LONGEST_LISTING:
            return False
        if self.started_at is not None or self.completed_at is None or self.completed_at.date() != now.date():
            self.previous = [replace(page, etag=None) for page in self.previous]
        self._clear(now)
        self.added = self.updated = self.unchanged = 0
        return True

    def distrust(self) -> None:
        """Forget the etag of the page that comes next: something else has changed what it was."""
        self.previous = [replace(page, etag=None) if page.at == self.at else page for page in self.previous]

    def add(self, page: SyncedPage, *, added: int, updated: int) -> None:
        """Take the page that came next, which brought so much."""
        self.pages.append(page)
        self.seen.update(page.external_ids)
        self.added += added
        self.updated += updated
        self.unchanged = max(0, len(self.seen) - self.added - self.updated)

    def list_again(self, now: datetime) -> None:
        """Begin a listing that confirms this one. What was counted still counts."""
        self.previous = _with_good_etags(self.pages)
        self._clear(now)

    def end(self, now: datetime) -> None:
        """The listing is done."""
        self.previous = _with_good_etags(self.pages)
        self._clear(None)
        self.completed_at = now

    def _clear(self, started_at: datetime | None) -> None:
        self.pages, self.started_at = [], started_at
        self.seen.clear()


def _ids(pages: Iterable[SyncedPage]) -> list[frozenset[str]]:
    return [frozenset(page.external_ids) for page in pages]


def _with_good_etags(pages: Iterable[SyncedPage]) -> list[SyncedPage]:
    """The pages, with an etag only where no other page may have brought another word on one of their items."""
    pages = list(pages)
    times = Counter(id_ for page in pages for id_ in set(page.external_ids))
    return [page if all(times[id_] == 1 for id_ in page.external_ids) else replace(page, etag=None) for page in pages]
