"""EventReader: which events of a feed a viewer is still to get. Used by subscriptions, between feed and documents.

The events themselves are read as documents, since each subscriber may select something else of them.
"""

from collections.abc import Sequence
from uuid import UUID

from domain.entities.user import Viewer
from domain.errors import CursorExpired
from persistence.database import Database
from persistence.documents.dialects import DIALECTS
from persistence.documents.dialects.dialect import Type

BATCH = 200


class EventReader:
    """Reads the numbers of events."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = DIALECTS[database.dialect_name]

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
        values: list[object] = [viewer.user_id, organization_id, after, up_to]
        filters = ""
        if types is not None:
            values.append(list(types))
            filters += f" and {dialect.one_of('e.type', dialect.parameter(len(values), Type.TEXTS))}"
        if connection_ids is not None:
            values.append(list(connection_ids))
            filters += f" and {dialect.one_of('e.connection_id', dialect.parameter(len(values), Type.UUIDS))}"
        user, organization = dialect.parameter(1, Type.UUID), dialect.parameter(2, Type.UUID)
        first, last = dialect.parameter(3, Type.INTEGER), dialect.parameter(4, Type.INTEGER)
        sql = (
            "select e.sequence, c.pruned_sequence from memberships m "
            "join event_counters c on c.organization_id = m.organization_id left join connection_events e "
            f"on e.organization_id = m.organization_id and e.sequence > {first} and e.sequence <= {last}{filters} "
            f"where m.user_id = {user} and m.organization_id = {organization} order by e.sequence limit {BATCH}"
        )
        rows = await self._database.fetch(sql, [dialect.value(value) for value in values])
        if not rows:
            return None
        if rows[0][1] > after and up_to > after:
            raise CursorExpired()
        return [row[0] for row in rows if row[0] is not None]
