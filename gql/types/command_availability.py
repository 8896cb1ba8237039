"""What can be done, through which connections, and why not, as clients see it. Answered from objects.

Made by `gql/command_fields.py` of what CommandPreflight says.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.command_availability import Reason, ReasonCode
from domain.command_preflight import CONNECTIONS_SHOWN, MOST_CONNECTIONS_SHOWN, JudgedCommand, JudgedConnection
from domain.connection_states import StandingConnection
from domain.entities.health import Remedy
from domain.errors import BadUserInput
from gql.projection import stored
from gql.types.command import Command

if TYPE_CHECKING:
    from gql.types.service_connection import ServiceConnection

LazyConnection = Annotated["ServiceConnection", strawberry.lazy("gql.types.service_connection")]


@strawberry.type(description="Something that stands against a command, or soon will.")
class AvailabilityReason:
    code: ReasonCode = strawberry.field(description="What it is, for programs.")
    message: str = strawberry.field(description="The same, for people.")
    remedy: Remedy = strawberry.field(description="What a person can do about it.")
    until: datetime | None = strawberry.field(
        description="When it ends by itself, where that is known; of a warning: when what it warns of begins."
    )
    blocking: bool = strawberry.field(description="Whether the command can't be run for it; else it is a warning.")


@strawberry.type(description="Whether a command can be run through a connection.")
class ConnectionAvailability:
    usable: bool = strawberry.field(description="Whether nothing stands in the way.")
    reasons: list[AvailabilityReason] = strawberry.field(
        description="All that does, what stands against the command itself included; and warnings."
    )
    of: strawberry.Private[StandingConnection]

    @strawberry.field(description="The connection.")
    def connection(self) -> LazyConnection:
        shown: ServiceConnection = stored(self.of.id)
        return shown


First = Annotated[
    int,
    strawberry.argument(description=f"How many, the usable and healthiest first: at most {MOST_CONNECTIONS_SHOWN}."),
]


@strawberry.type(description="Whether a command can be run by the viewer, and through which connections.")
class CommandAvailability:
    command: Command = strawberry.field(description="The command.")
    usable: bool = strawberry.field(description="Whether it can be run through at least one connection.")
    reasons: list[AvailabilityReason] = strawberry.field(
        description="What stands against it whatever the connection: the viewer's role, a service that is down or "
        "isn't connected."
    )
    connection_count: int = strawberry.field(description="How many connections there are to its service.")
    usable_count: int = strawberry.field(description="Through how many of them it can be run.")
    judged: strawberry.Private[JudgedCommand]

    @strawberry.field(description="The connections to its service, the usable and healthiest first.")
    def connections(self, first: First = CONNECTIONS_SHOWN) -> list[ConnectionAvailability]:
        return [connection_availability(each) for each in self.judged.foremost(shown(first))]


def shown(first: int) -> int:
    """How many connections are shown. Raises BadUserInput."""
    if not 0 <= first <= MOST_CONNECTIONS_SHOWN:
        raise BadUserInput(f"first: Between 0 and {MOST_CONNECTIONS_SHOWN}; this is {first}.")
    return first


def command_availability(judged: JudgedCommand, command: Command) -> CommandAvailability:
    """What the schema says of a command for one viewer."""
    usable_count = judged.usable_count
    return CommandAvailability(
        command=command,
        usable=usable_count > 0,
        reasons=reasons_of(judged.reasons),
        connection_count=judged.connection_count,
        usable_count=usable_count,
        judged=judged,
    )


def connection_availability(judged: JudgedConnection) -> ConnectionAvailability:
    """What it says of one of its connections."""
    return ConnectionAvailability(usable=judged.usable, reasons=reasons_of(judged.reasons), of=judged.connection)


def reasons_of(reasons: tuple[Reason, ...]) -> list[AvailabilityReason]:
    """What it says of reasons."""
    return [
        AvailabilityReason(
            code=reason.code,
            message=reason.message,
            remedy=reason.remedy,
            until=reason.until,
            blocking=reason.blocking,
        )
        for reason in reasons
    ]
