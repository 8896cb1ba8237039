"""ConnectionEvent as clients see it, in pages and in subscriptions. Documents answer all of its fields."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.entities.connection_status import ConnectionStatus
from domain.entities.event import ActorKind, ConnectionEventType
from domain.entities.health import Remedy
from gql.types.health import HealthCheck
from gql.types.pages import Node
from gql.types.people import ApiKey, User
from gql.types.scalars import JSON

if TYPE_CHECKING:
    from gql.types.service_connection import ServiceConnection
    from gql.types.service_event import StandardizedEvent

LazyServiceConnection = Annotated["ServiceConnection", strawberry.lazy("gql.types.service_connection")]
LazyStandardizedEvent = Annotated["StandardizedEvent", strawberry.lazy("gql.types.service_event")]


@strawberry.type(description="Why a status is what it is.")
class StatusReason:
    code: str = strawberry.field(description="Stable, such as `PAUSED` or `GITHUB_BAD_CREDENTIALS`.")
    message: str = strawberry.field(description="The reason, for a person.")
    remedy: Remedy | None = strawberry.field(description="What to do about it.")


@strawberry.type(description="A step from one status to another.")
class StatusChange:
    from_: ConnectionStatus = strawberry.field(name="from", description="The status before.")
    to: ConnectionStatus = strawberry.field(description="The status after.")
    reason: StatusReason | None = strawberry.field(description="Why it was taken; null where nothing was said.")


@strawberry.type(description="Who or what is behind an event.")
class Actor:
    kind: ActorKind = strawberry.field(description="What sort of cause it is.")
    name: str = strawberry.field(description="Its name at that time, such as `Ada Lovelace` or `deploy bot`.")
    user: User | None = strawberry.field(description="The person, or the one on whose behalf a key acted.")
    api_key: ApiKey | None = strawberry.field(description="The key that was used, if one was.")


@strawberry.type(
    description="Something that happened to a connection. An organization's events are numbered without gaps."
)
class ConnectionEvent(Node):
    cursor: str = strawberry.field(description="Its place in the feed, for a subscription's `after`.")
    sequence: int = strawberry.field(description="Its number in the organization: the previous event's plus one.")
    type: ConnectionEventType = strawberry.field(description="What happened.")
    occurred_at: datetime = strawberry.field(description="When it happened.")
    connection: LazyServiceConnection = strawberry.field(
        description="The connection, as it is when the event is delivered."
    )
    actor: Actor = strawberry.field(description="Who or what did it.")
    status: StatusChange | None = strawberry.field(description="The step, where the status changed.")
    health: HealthCheck | None = strawberry.field(
        description="The check behind an event of health or status; null for others, and once it is forgotten."
    )
    data: JSON = strawberry.field(description="What else this type of event tells: see `ConnectionEventType`.")
    service_event: LazyStandardizedEvent | None = strawberry.field(
        description="What the service reported, in the shape that is the same for all of them; null where it isn't of "
        "type WEBHOOK_RECEIVED."
    )


@strawberry.input(description="Which events to list or follow. What isn't given doesn't filter.")
class ConnectionEventFilter:
    types: list[ConnectionEventType] | None = strawberry.field(default=None, description="Those of these types.")
    connection_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Those of these connections, deleted ones included."
    )


EventsFilter = Annotated[ConnectionEventFilter | None, strawberry.argument(description="Which events; all by default.")]
"""The argument of every list of events, and of the subscription."""
