"""EventReader: which events of a feed a viewer is still to get. Used by subscriptions, between feed and documents.

The events themselves are read as documents, since each subscriber may select something else of them.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from domain.entities.user import Viewer
from domain.errors import CursorExpired
from persistence.database import Database
from persistence.documents.dialects import DIALECTS
from persistence.documents.dialects.dialect import Type
from persistence.documents.fields import member
from persistence.documents.membership import own_membership

BATCH = 200
REMEMBERED_SECONDS: Final = 2.0
"""How long it is remembered that somebody is a member, so that all who follow a feed as one ask the database once."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events of a feed somebody follows; what is None doesn't matter. `said`: any of some texts, by the member of
    `data` that they stand in. `repositories`: the same of full names, upper and lower case alike.
    """

    types: Sequence[str] | None = None
    connection_ids: Sequence[UUID] | None = None
    said: Mapping[str, Sequence[str] | None] = field(default_factory=dict)
    repositories: Sequence[str] | None = None


_Following = tuple[UUID, UUID]


ALL_EVENTS: Final = Wanted()


class EventReader:
    """Reads the numbers of events. One a process: it remembers for a moment who was found to be a member."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = DIALECTS[database.dialect_name]
        self._members_until: dict[_Following, float] = {}
        self._asking: WeakValueDictionary[_Following, asyncio.Lock] = WeakValueDictionary()

    async def is_member(self, viewer: Viewer, organization_id: UUID, *, at_once: bool = False) -> bool:
        """Whether the viewer may follow the organization's feed: now if `at_once`, else as of the last two seconds."""
        following = (viewer.user_id, organization_id)
        if not viewer.reaches(organization_id):
            return False
        async with self._asking.setdefault(following, asyncio.Lock()):
            if not at_once and time.monotonic() < self._members_until.get(following, 0.0):
                return True
            asked_at = time.monotonic()
            if await self.sequences(viewer, organization_id, after=0, up_to=0) is None:
                self._members_until.pop(following, None)
                return False
            self._remember(following, asked_at)
            return True

    async def sequences(
        self,
        viewer: Viewer,
        organization_id: UUID,
        *,
        after: int,
        up_to: int,
        wanted: Wanted = ALL_EVENTS,
    ) -> Sequence[int] | None:
        """The next events' numbers, at most BATCH of them; None where the viewer is no member of the organization.

        Raises CursorExpired where some of them have been forgotten, which may be since somebody looked.
        """
        dialect = self._dialect
        values: list[object] = [viewer.user_id, organization_id, after, up_to, viewer.confined_to]
        filters = ""
        for expression, texts in _conditions(wanted):
            values.append(list(texts))
            filters += f" and {dialect.one_of(expression, dialect.parameter(len(values), Type.TEXTS))}"
        if wanted.connection_ids is not None:
            values.append(list(wanted.connection_ids))
            filters += f" and {dialect.one_of('e.connection_id', dialect.parameter(len(values), Type.UUIDS))}"
        user, organization = dialect.parameter(1, Type.UUID), dialect.parameter(2, Type.UUID)
        first, last = dialect.parameter(3, Type.INTEGER), dialect.parameter(4, Type.INTEGER)
        own = own_membership("m", user, dialect.parameter(5, Type.UUID))
        sql = (
            "select e.sequence, c.pruned_sequence from memberships m "
            "join event_counters c on c.organization_id = m.organization_id left join connection_events e "
            f"on e.organization_id = m.organization_id and e.sequence > {first} and e.sequence <= {last}{filters} "
            f"where {own} and m.organization_id = {organization} order by e.sequence limit {BATCH}"
        )
        rows = await self._database.fetch_for(viewer, sql, [dialect.value(value) for value in values])
        if not rows:
            return None
        if rows[0][1] > after and up_to > after:
            raise CursorExpired()
        return [row[0] for row in rows if row[0] is not None]

    def _remember(self, following: _Following, asked_at: float) -> None:
        self._members_until.pop(following, None)
        self._members_until[following] = asked_at + REMEMBERED_SECONDS
        while self._members_until[oldest := next(iter(self._members_until))] <= asked_at:
            del self._members_until[oldest]


def _conditions(wanted: Wanted) -> Iterator[tuple[str, Sequence[str]]]:
    """Expressions of an event `e`, each with the texts that it may be."""
    if wanted.types is not None:
        yield "e.type", wanted.types
    for name, texts in wanted.said.items():
        if texts is not None:
            yield member("e.data", name), texts
    if wanted.repositories is not None:
        yield f"lower({member('e.data', 'repository')})", [name.lower() for name in wanted.repositories]
