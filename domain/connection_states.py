"""ConnectionStates: what is stored of connections, as far as it decides what can be done through them.

Implemented in `persistence/connection_state_reader.py`; asked by CommandPreflight and CommandSelections. Connections
that are alike in all that the rules of availability look at are one group: a thousand are judged in a few steps.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from domain.entities.connection_status import ConnectionStatus
from domain.entities.credential import CredentialKind
from domain.entities.health import HealthStatus, Json, Remedy
from domain.entities.user import Role, Viewer

SOON: Final = timedelta(days=7)
"""How long before its end a credential is said to expire."""
WHOLE_QUOTA: Final = 10
"""What is left of a quota is told in tenths: so many where nothing is known of it."""


class Ending(StrEnum):
    """Whether a credential ends, for good."""

    NOT_SOON = "NOT_SOON"
    SOON = "SOON"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """What connections of a group have in common: no moments, of which there are as many as connections.

    `remedy`: what ends the status, where it has a reason. `scopes`: None where they aren't known. `limited`: the
    service takes no calls now. `reaches`: the repository that was asked about is among its own.
    """

    service: str
    status: ConnectionStatus
    remedy: Remedy | None
    health: HealthStatus
    kind: CredentialKind | None
    scopes: frozenset[str] | None
    ending: Ending
    limited: bool
    reaches: bool


@dataclass(frozen=True, slots=True)
class StandingConnection:
    """One of a group: who it is, and what it is preferred by.

    `bound`: 2 to the very repository or channel that was asked about; 1 to the like of it: the same repository was
    selected there, or the event came through it; 0 not at all. `quota_left`: in tenths. `ends_at`: when its credential
    does. `limited_until`: when calls are possible again.
    """

    id: UUID
    name: str
    explicit: bool = False
    bound: int = 0
    quota_left: int = WHOLE_QUOTA
    last_used_at: datetime | None = None
    ends_at: datetime | None = None
    limited_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class StateGroup:
    """`size`: how many connections there are in it; `foremost`: those of them that would be preferred, best first."""

    state: ConnectionState
    size: int
    foremost: Sequence[StandingConnection]


@dataclass(frozen=True, slots=True)
class AskedRepository:
    """A repository of the organization's, as it was asked for by its id."""

    full_name: str
    service: str


@dataclass(frozen=True, slots=True)
class OrganizationState:
    """`role`: the one that the viewer acts in. `repository`: None where it is missing, or another organization's."""

    role: Role
    repository: AskedRepository | None
    groups: Sequence[StateGroup]


@dataclass(frozen=True, slots=True)
class AboutConnections:
    """What is asked of all connections: which one was named, and what it is about.

    `repository_name` binds without an id: connections may reach more repositories than Tether has listed. `foremost`:
    how many connections of each group to name.
    """

    foremost: int
    services: Collection[str]
    connection_id: UUID | None = None
    repository_id: UUID | None = None
    repository_name: str | None = None
    channel: str | None = None
    event_connection_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event of the feed that a service's webhook has brought: its standardized shape."""

    connection_id: UUID
    shape: Mapping[str, Json]


class ConnectionStates(Protocol):
    """Reads for a viewer, each time in one statement; None where the viewer is no member of the organization."""

    async def read(
        self, viewer: Viewer, organization_id: UUID, about: AboutConnections, now: datetime
    ) -> OrganizationState | None: ...

    async def event(self, viewer: Viewer, organization_id: UUID, event_id: UUID) -> ReceivedEvent | None:
        """None also where there is no such event, or it isn't one of a service's."""
