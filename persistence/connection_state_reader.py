"""ConnectionStateReader: implements ConnectionStates, each question in one statement. Used by CommandPreflight.

The database puts connections that are alike into groups, and names the foremost of each: what comes back grows with the
number of groups. Membership is part of the statement, as it is of documents.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from domain.connection_states import (
    SOON,
    WHOLE_QUOTA,
    AboutConnections,
    AskedRepository,
    ConnectionState,
    Ending,
    OrganizationState,
    ReceivedEvent,
    StandingConnection,
    StateGroup,
)
from domain.entities.connection_status import ConnectionStatus
from domain.entities.credential import CredentialKind
from domain.entities.event import ConnectionEventType
from domain.entities.health import HealthStatus, Remedy
from domain.entities.text import search_key
from domain.entities.user import Role, Viewer
from domain.schedule import LONGEST_WAIT
from persistence.database import Database
from persistence.documents.dialects import DIALECTS
from persistence.documents.dialects.dialect import Dialect, Type, quoted
from persistence.documents.membership import own_membership


class ConnectionStateReader:
    """Reads of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect = DIALECTS[database.dialect_name]

    async def read(
        self, viewer: Viewer, organization_id: UUID, about: AboutConnections, now: datetime
    ) -> OrganizationState | None:
        statement = _Statement(self._dialect)
        sql = statement.states(viewer, organization_id, about, now)
        rows = await self._database.fetch_for(viewer, sql, statement.values)
        if not rows:
            return None
        role, repository, service = rows[0][:3]
        asked = None if repository is None else AskedRepository(repository, service)
        return OrganizationState(viewer.effective(Role(role)), asked, _groups(rows))

    async def event(self, viewer: Viewer, organization_id: UUID, event_id: UUID) -> ReceivedEvent | None:
        statement = _Statement(self._dialect)
        sql = statement.event(viewer, organization_id, event_id)
        rows = await self._database.fetch_for(viewer, sql, statement.values)
        return ReceivedEvent(UUID(rows[0][0]), orjson.loads(rows[0][1])) if rows else None


class _Statement:
    """Writes one statement, with the values of its parameters."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.values: list[Any] = []

    def states(self, viewer: Viewer, organization_id: UUID, about: AboutConnections, now: datetime) -> str:
        """One row for each connection that is named, best first in its group; one at least for a member."""
        member = self._member(viewer, organization_id)
        at, soon = self._bind(now, Type.TIMESTAMP), self._bind(now + SOON, Type.TIMESTAMP)
        services = self._bind(sorted(about.services), Type.TEXTS)
        asked, reach = self._repository(about)
        blocked, reset = "h.rate_limit_blocked_until", "h.rate_limit_reset_at"
        left, limit = "h.rate_limit_remaining", "h.rate_limit_limit"
        # As `may_call` has it: what the service says of a wait goes first, and too long a one isn't believed.
        again = f"coalesce({blocked}, case when {left} = 0 then {reset} end)"
        far = self._bind(now + LONGEST_WAIT, Type.TIMESTAMP)
        columns = (
            "m.role",
            *(("a.full_name as repository", "a.service as repository_service") if asked else _NO_REPOSITORY),
            "c.service",
            "c.status",
            "c.status_reason_remedy as remedy",
            "c.health_status as health",
            "k.kind",
            "cast(k.scopes as text) as scopes",
            f"case when k.ends_at <= {at} then '{Ending.ENDED}' when k.ends_at <= {soon} then '{Ending.SOON}' "
            f"else '{Ending.NOT_SOON}' end as ending",
            "k.ends_at",
            f"case when {again} > {at} and {again} <= {far} then {again} end as limited_until",
            "c.id",
            "c.name",
            f"{self._is('c.id', about.connection_id)} as explicit",
            f"{reach} as reach",
            f"{self._binding(about)} as binding",
            f"case when {limit} > 0 and {left} >= 0 and {left} < {limit} and {reset} > {at} "
            f"then ({WHOLE_QUOTA} * {left}) / {limit} else {WHOLE_QUOTA} end as quota_left",
            "k.last_used_at",
        )
        connections = (
            f"select {', '.join(columns)} from memberships m {asked}"
            "left join service_connections c on c.organization_id = m.organization_id and c.deleted_at is null "
            f"and {self._dialect.one_of('c.service', services)} "
            "left join service_credentials k on k.organization_id = c.organization_id and k.connection_id = c.id "
            "left join connection_health h on h.organization_id = c.organization_id and h.connection_id = c.id "
            f"where {member}"
        )
        bound = (
            "select s.*, case when s.reach > 0 then 1 else 0 end as reaches, "
            "case when s.limited_until is null then 0 else 1 end as limited, case when s.reach = 3 or s.binding = 2 "
            f"then 2 when s.reach = 2 or s.binding = 1 then 1 else 0 end as bound from ({connections}) s"
        )
        never = "''" if self._dialect.name == "sqlite" else "'-infinity'"
        preferred = f"explicit desc, bound desc, quota_left desc, coalesce(last_used_at, {never}) desc, id"
        alike = ", ".join(_STATE)
        grouped = (
            f"select b.*, count(b.id) over (partition by {alike}) as size, "
            f"row_number() over (partition by {alike} order by {preferred}) as place from ({bound}) b"
        )
        foremost = self._bind(max(1, about.foremost), Type.INTEGER)  # a member's row is there in any case
        return f"select {', '.join(_READ)} from ({grouped}) g where place <= {foremost} order by place"

    def event(self, viewer: Viewer, organization_id: UUID, event_id: UUID) -> str:
        member = self._member(viewer, organization_id)
        return (
            "select e.connection_id, cast(e.data as text) as data from memberships m "
            f"join connection_events e on e.organization_id = m.organization_id and e.id = "
            f"{self._bind(event_id, Type.UUID)} and e.type = {quoted(ConnectionEventType.WEBHOOK_RECEIVED)} "
            f"where {member}"
        )

    def _member(self, viewer: Viewer, organization_id: UUID) -> str:
        user, confined_to = self._bind(viewer.user_id, Type.UUID), self._bind(viewer.confined_to, Type.UUID)
        return (
            f"{own_membership('m', user, confined_to)} and m.organization_id = {self._bind(organization_id, Type.UUID)}"
        )

    def _repository(self, about: AboutConnections) -> tuple[str, str]:
        """A join of the repository that was asked for, and how a connection reaches it: 3, as the one asked for; 2,
        selected; 1, among others; 0, not at all.
        """
        if about.repository_id is None and about.repository_name is None:
            return "", "0"
        own = "r.organization_id = c.organization_id and r.connection_id = c.id"
        if about.repository_id is None:
            name = self._bind(search_key(about.repository_name or ""), Type.TEXT)
            reach = (
                "select max(case when r.selected then 3 else 2 end) from repositories r "
                f"where {own} and r.full_name_key = {name}"
            )
            return "", f"coalesce(({reach}), 0)"
        asked_id = self._bind(about.repository_id, Type.UUID)
        reach = (
            f"select max(case when r.id = {asked_id} then 3 when r.selected then 2 else 1 end) from repositories r "
            f"where {own} and r.external_id = a.external_id and c.service = a.service"
        )
        asked = (
            "left join (select f.organization_id, f.full_name, f.external_id, o.service from repositories f "
            "join service_connections o on o.organization_id = f.organization_id and o.id = f.connection_id "
            f"and o.deleted_at is null where f.id = {asked_id}) a on a.organization_id = m.organization_id "
        )
        return asked, f"coalesce(({reach}), 0)"

    def _binding(self, about: AboutConnections) -> str:
        """2 where the connection's label says that it is for the channel; 1 where the event came through it."""
        whens = ""
        if about.channel is not None:
            whens += f" when c.labels ->> 'channel' = {self._bind(about.channel, Type.TEXT)} then 2"
        if about.event_connection_id is not None:
            whens += f" when c.id = {self._bind(about.event_connection_id, Type.UUID)} then 1"
        return f"case{whens} else 0 end" if whens else "0"

    def _is(self, column: str, id_: UUID | None) -> str:
        return "0" if id_ is None else f"case when {column} = {self._bind(id_, Type.UUID)} then 1 else 0 end"

    def _bind(self, value: Any, type_: Type) -> str:
        self.values.append(self._dialect.value(value))
        return self._dialect.parameter(len(self.values), type_)


def _groups(rows: Sequence[Sequence[Any]]) -> list[StateGroup]:
    members: dict[tuple[Any, ...], list[StandingConnection]] = {}
    sizes: dict[tuple[Any, ...], int] = {}
    for row in rows:
        state, member = tuple(row[3:_STATE_ENDS]), row[_STATE_ENDS:]
        if member[1] is not None:  # else a member of an organization without connections
            sizes[state] = member[0]
            members.setdefault(state, []).append(_connection(member))
    return [StateGroup(_state(state), sizes[state], foremost) for state, foremost in members.items()]


def _connection(row: Sequence[Any]) -> StandingConnection:
    _, id_, name, explicit, bound, quota_left, last_used_at, ends_at, limited_until = row
    return StandingConnection(
        UUID(id_),
        name,
        bool(explicit),
        bound,
        quota_left,
        _moment(last_used_at),
        _moment(ends_at),
        _moment(limited_until),
    )


def _state(row: tuple[Any, ...]) -> ConnectionState:
    service, status, remedy, health, kind, scopes, ending, limited, reaches = row
    return ConnectionState(
        service,
        ConnectionStatus(status),
        None if remedy is None else Remedy(remedy),
        HealthStatus(health),
        None if kind is None else CredentialKind(kind),
        None if scopes is None else frozenset(orjson.loads(scopes)),
        Ending(ending),
        bool(limited),
        bool(reaches),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


_NO_REPOSITORY: Final = ("null as repository", "null as repository_service")
_STATE: Final = ("service", "status", "remedy", "health", "kind", "scopes", "ending", "limited", "reaches")
_READ: Final = (
    "role",
    "repository",
    "repository_service",
    *_STATE,
    "size",
    "id",
    "name",
    "explicit",
    "bound",
    "quota_left",
    "last_used_at",
    "ends_at",
    "limited_until",
)
_STATE_ENDS: Final = 3 + len(_STATE)
