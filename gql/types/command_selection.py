"""CommandSelection as clients see it: a wish, and which command through which connection answers it.

Made by `gql/command_fields.py` of what CommandSelections says. Nothing of it is stored.
"""

import strawberry

from domain.command_selector import Criterion
from domain.connection_states import StandingConnection
from gql.projection import stored
from gql.types.command import Command
from gql.types.command_availability import AvailabilityReason, LazyConnection
from gql.types.scalars import JSON
from gql.types.service_connection import ServiceConnection


@strawberry.input(
    description="What is to be done: at least one of commandId, eventId and text. The rest narrows down how."
)
class CommandSelectionInput:
    command_id: strawberry.ID | None = strawberry.field(
        default=None, description="This command, such as `github.create_issue`: only its connection is chosen."
    )
    event_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="An event that a service's webhook has brought: a command that suits it, with arguments that it "
        "fills. With a text, that one of them which the text asks for.",
    )
    text: str | None = strawberry.field(
        default=None, description="What is asked for in words, such as `open an issue about the login`."
    )
    connection_id: strawberry.ID | None = strawberry.field(
        default=None, description="The connection that is preferred, if it can be used."
    )
    repository_id: strawberry.ID | None = strawberry.field(
        default=None, description="The repository that it is for: only connections that reach it are used."
    )
    channel: str | None = strawberry.field(
        default=None,
        description="The id of the channel that it is for: connections whose label `channel` names it are preferred.",
    )
    arguments: JSON | None = strawberry.field(
        default=None, description="Arguments that are known already, an object. They go before what the event fills."
    )


@strawberry.type(description="A command through a connection that would do, too.")
class CommandRunnerUp:
    command: Command = strawberry.field(description="The command.")
    score: float = strawberry.field(
        description="Where it stands between 0 and 1, by the criteria that have degrees. Those of equal score are in "
        "the order of the others."
    )
    why: Criterion | None = strawberry.field(
        description="In what it falls behind the chosen one; null where nothing was chosen."
    )
    of: strawberry.Private[StandingConnection]

    @strawberry.field(description="The connection.")
    def connection(self) -> LazyConnection:
        shown: ServiceConnection = stored(self.of.id)
        return shown


@strawberry.type(description="A command through a connection that can't be run, and why.")
class RefusedCommand:
    command: Command = strawberry.field(description="The command.")
    reasons: list[AvailabilityReason] = strawberry.field(description="All that stands against it, and warnings.")
    of: strawberry.Private[StandingConnection | None]

    @strawberry.field(description="The connection; null where there is none to the service.")
    def connection(self) -> LazyConnection | None:
        return None if self.of is None else stored(self.of.id)


@strawberry.type(description="Which command, through which connection, and why not the others.")
class CommandSelection:
    command: Command | None = strawberry.field(
        description="The command that was chosen; null where nothing can be run, or it isn't clear what is meant."
    )
    arguments: JSON = strawberry.field(
        description="Its arguments as far as they are known: from the event, and those given. An object."
    )
    missing_arguments: list[str] = strawberry.field(description="Those that it can't be run without.")
    confidence: float = strawberry.field(
        description="From 0 to 1, how sure it is that this is meant. Below 0.4 nothing is chosen."
    )
    decided_by: Criterion | None = strawberry.field(
        description="In what it is before the next; null where there is no other, or nothing was chosen."
    )
    explanation: str = strawberry.field(description="Why it is so, for people.")
    runners_up: list[CommandRunnerUp] = strawberry.field(description="What would do, too, best first: at most 10.")
    refused: list[RefusedCommand] = strawberry.field(
        description="What was meant as well and can't be run, best first: at most 20."
    )
    of: strawberry.Private[StandingConnection | None]

    @strawberry.field(description="The connection that was chosen; null without a command.")
    def connection(self) -> LazyConnection | None:
        return None if self.of is None else stored(self.of.id)
