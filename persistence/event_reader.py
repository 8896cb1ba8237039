"""EventReader: which events of a feed a viewer is still to get. Used by subscriptions, between feed and documents.

The events themselves are read as documents, since each subscriber may select something else of them.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from domain.entities.user import Viewer
from domain.errors import CursorExpired
from persistence.database import Database
from persistence.documents.dialects import DIALECTS
from persistence.documents.dialects.dialect import Type
from persistence.documents.membership import own_membership

BATCH = 200
REMEMBERED_SECONDS: Final = 2.0
"""How long it is remembered that somebody is a member, so that all who follow a feed as one ask the database once."""

_Following = tuple[UUID, UUID]


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
        types: Sequence[str] | None = None,
        connection_ids: Sequence[UUID] | None = None,
    ) -> Sequence[int] | None:
        """The next events' numbers, at most BATCH of them; None where the viewer is no member of the organization.

        Raises CursorExpired where some of them have been forgotten, which may be since somebody looked.
        """
        dialect = self._dialect
        values: list[object] = [viewer.user_id, organization_id, after, up_to, viewer.confined_to]
        filters = ""
        if types is not None:
            values.append(list(types))
            filters += f" and {dialect.one_of('e.type', dialect.parameter(len(values), Type.TEXTS))}"
        if connection_ids is not None:
            values.append(list(connection_ids))
            filters += f" and {dialect.one_of('e.connection_id', dialect.parameter(len(values), Type.UUIDS))}"
        user, organization = dialect.parameter(1, Type.UUID), dialect.parameter(2, Type.UUID)
        first, last = dialect.parameter(3, Type.INTEGER), dialect.parameter(4, Type.INTEGER)
        member = own_membership("m", user, dialect.parameter(5, Type.UUID))
        sql = (
            "select e.sequence, c.pruned_sequence from memberships m "
            "join event_counters c on c.organization_id = m.organization_id left join connection_events e "
            f"on e.organization_id = m.organization_id and e.sequence > {first} and e.sequence <= {last}{filters} "
            f"where {member} and m.organization_id = {organization} order by e.sequence limit {BATCH}"
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
