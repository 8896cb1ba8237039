"""ConnectionEvent: that something happened to a connection. Entities return drafts; the unit of work numbers them.

Readers follow an organization's events by their sequence numbers, which have no gaps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import Json, Remedy
from domain.entities.user import Viewer
from domain.request_origin import RequestOrigin, request_origin


class ConnectionEventType(StrEnum):
    """What happened."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    AUTHORIZED = "AUTHORIZED"
    STATUS_CHANGED = "STATUS_CHANGED"
    HEALTH_CHANGED = "HEALTH_CHANGED"
    HEALTH_CHECKED = "HEALTH_CHECKED"
    CREDENTIALS_ROTATED = "CREDENTIALS_ROTATED"
    CREDENTIALS_EXPIRING = "CREDENTIALS_EXPIRING"
    REPOSITORIES_SYNCED = "REPOSITORIES_SYNCED"
    WEBHOOK_RECEIVED = "WEBHOOK_RECEIVED"
    COMMAND_RUN = "COMMAND_RUN"
    SERVICE_STATUS_CHANGED = "SERVICE_STATUS_CHANGED"
    DELETED = "DELETED"


HEALTH_EVENT_TYPES = (
    ConnectionEventType.STATUS_CHANGED,
    ConnectionEventType.HEALTH_CHANGED,
    ConnectionEventType.HEALTH_CHECKED,
    ConnectionEventType.SERVICE_STATUS_CHANGED,
)
"""What the subscription `connectionHealth` carries."""


class ActorKind(StrEnum):
    """What sort of cause is behind an event."""

    USER = "USER"
    API_KEY = "API_KEY"
    SCHEDULER = "SCHEDULER"
    SERVICE = "SERVICE"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it. `name` is kept as it was then; a key's user is named beside the key."""

    kind: ActorKind
    name: str
    user_id: UUID | None = None
    api_key_id: UUID | None = None

    @classmethod
    def of(cls, viewer: Viewer) -> "Actor":
        """The actor that a viewer is."""
        if viewer.api_key_id is None:
            return cls(ActorKind.USER, viewer.user_name, viewer.user_id)
        return cls(ActorKind.API_KEY, viewer.api_key_name or "API key", viewer.user_id, viewer.api_key_id)


ANSWERABLE = frozenset({ActorKind.USER, ActorKind.API_KEY})
"""Those who answer for what they do: it is in the audit log, too."""

SCHEDULER = Actor(ActorKind.SCHEDULER, "Scheduler")
OPERATOR = Actor(ActorKind.OPERATOR, "Operator")


@dataclass(frozen=True, slots=True)
class StatusReason:
    """Why a status is what it is: a stable code, words, and what to do."""

    code: str
    message: str
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A step of the status machine."""

    previous: ConnectionStatus
    current: ConnectionStatus
    reason: StatusReason | None


@dataclass(frozen=True, slots=True)
class EventDraft:
    """What an entity says has happened; it becomes an event when the unit of work gives it a number.

    `id`: the event's, where what it tells of may come again and must be told once; None for a new one.
    """

    type: ConnectionEventType
    organization_id: UUID
    connection_id: UUID
    occurred_at: datetime
    status_change: StatusChange | None = None
    health_check_id: UUID | None = None
    data: Mapping[str, Json] = field(default_factory=dict)
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ConnectionEvent:
    """An event of the feed. (organization_id, epoch, sequence) is its place, `id` its name."""

    id: UUID
    epoch: int
    sequence: int
    draft: EventDraft
    actor: Actor
    origin: RequestOrigin = field(default_factory=request_origin)
