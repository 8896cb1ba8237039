"""Commands: what can be done at a service through a connection, declared by the service's folder and run by it.

Implemented by each service that has any; read by the catalogue, asked by the selection, called by the runs of commands.
What a service does is a value, never an exception: a `CommandResult` or a `ServiceFault`. Who may run what, through
which connection, how often and whether it already ran isn't decided here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from domain.credential_secrets import CredentialSecret
from domain.entities.credential import CredentialKind
from domain.entities.health import Json, ServiceRateLimit
from domain.entities.user import Role
from domain.services.form import Field, Form
from domain.services.service_fault import ServiceFault


class TargetKind(StrEnum):
    """What a command acts on, where that is something that connections can be bound to."""

    REPOSITORY = "REPOSITORY"  # named by its full name, in which upper and lower case are alike
    CHANNEL = "CHANNEL"  # named by its id


@dataclass(frozen=True, slots=True)
class CommandTarget:
    """The argument that names what the command acts on."""

    kind: TargetKind
    argument: str


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to do, described for people and programs.

    `id` is stable and no other service's: the service's id, a dot and a verb with its noun, `github.create_issue`.
    `takes`: its arguments, of which `arguments` is the form; `gives`: what `CommandResult.data` holds, and `result`.
    `required_scopes`: all of them, of tokens and OAuth grants; `required_permissions`: any one of them, of an app's
    installation. `Commands.needed_grants` says which grants contain them.
    `event_types`: the types of the service's standardized events that it suits. `repeatable`: running it twice does
    what running it once does. `long_running`: it may well take longer than a person waits.
    `examples`: arguments that are good.
    """

    id: str
    name: str
    description: str
    documentation_url: str
    takes: Sequence[Field]
    gives: Sequence[Field]
    mutating: bool
    repeatable: bool
    least_role: Role
    examples: Sequence[Mapping[str, Json]]
    required_scopes: Sequence[str] = ()
    required_permissions: Sequence[str] = ()
    event_types: Sequence[str] = ()
    target: CommandTarget | None = None
    long_running: bool = False

    @property
    def service(self) -> str:
        """The id of the service."""
        return self.id.partition(".")[0]

    @property
    def arguments(self) -> Form:
        return Form(f"Arguments of {self.id}", self.id, "argument", self.takes)

    @property
    def result(self) -> Form:
        return Form(f"Result of {self.id}", f"The result of {self.id}", "field", self.gives)

    def suits(self, event: Mapping[str, Json]) -> bool:
        """Whether it is an answer to that standardized event (`WebhookMessage.event`)."""
        return event.get("service") == self.service and event.get("type") in self.event_types


@dataclass(frozen=True, slots=True)
class NeededGrant:
    """One thing that a credential has to be allowed: what people call it, and what gives it, any of which will do."""

    name: str
    granted_by: frozenset[str]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """It was done. `data` is as the command's `result` says: bounded, free of secrets. `url`: where to look at it."""

    data: Mapping[str, Json] = field(repr=False)
    latency_ms: int
    url: str | None = None
    rate_limit: ServiceRateLimit | None = None


class Commands(Protocol):
    """One service's; iterating goes in the order of their ids."""

    def __iter__(self) -> Iterator[Command]: ...

    def find(self, command_id: str) -> Command | None: ...

    def needed_grants(self, command: Command, kind: CredentialKind) -> Sequence[NeededGrant]:
        """What a credential of that kind has to be allowed. Where its scopes aren't known, neither is what it lacks."""

    def arguments_from(self, command: Command, event: Mapping[str, Json]) -> Mapping[str, Json]:
        """Those of its arguments that a standardized event of any service fills, each of them good.

        An event that the command suits fills all that say where; its text is offered, but not taken for an answer.
        """

    async def run(
        self, command: Command, secret: CredentialSecret, arguments: Mapping[str, Json]
    ) -> CommandResult | ServiceFault:
        """Do it. Arguments with a problem are a fault, and nobody is called.

        A fault of a mutating command says `may_have_happened` where that can't be known: then it must not be run again
        by itself unless the command is `repeatable`. No service offers keys that make these calls idempotent.
        """
