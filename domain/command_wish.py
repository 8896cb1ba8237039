"""Wish and Selection: what somebody wants done, and what CommandSelections answers. Values alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from domain.command_availability import Reason
from domain.command_preflight import CataloguedCommand
from domain.command_selector import Candidate, Criterion
from domain.connection_states import StandingConnection
from domain.entities.health import Json


@dataclass(frozen=True, slots=True)
class Named:
    """Something that was asked for by its id. `id`: None where the text that was given can't be one."""

    id: UUID | None


@dataclass(frozen=True, slots=True)
class Wish:
    """At least one of command, event and text; what else is known narrows it down. `channel`: its id."""

    command_id: str | None = None
    event: Named | None = None
    text: str | None = None
    connection: Named | None = None
    repository: Named | None = None
    channel: str | None = None
    arguments: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choosable:
    """A candidate with its command, filled arguments, and which that it takes are missing."""

    catalogued: CataloguedCommand
    candidate: Candidate
    arguments: Mapping[str, Json]
    missing_arguments: Sequence[str]


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """What could be done instead. `decided_by`: in what it falls behind; None where nothing was chosen."""

    choosable: Choosable
    decided_by: Criterion | None


@dataclass(frozen=True, slots=True)
class RefusedCommand:
    """What can't be done, and why. Without a connection where the service isn't connected."""

    catalogued: CataloguedCommand
    connection: StandingConnection | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """`chosen`: None where nothing can be run, or it isn't clear enough what is meant."""

    chosen: Choosable | None
    confidence: float
    decided_by: Criterion | None
    explanation: str
    runners_up: Sequence[RunnerUp]
    refused: Sequence[RefusedCommand]
