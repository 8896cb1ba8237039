"""CommandPreflight: every command of the catalogue with every connection, and what stands against each, without a call.

Asked by `gql/command_fields.py`, and by CommandSelections for what it chooses from. Connections are judged by groups of
those that are alike, which `ConnectionStates` reads in one statement.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.command_availability import NOT_CONNECTED, Circumstances, Reason, dated, of_command, of_connection, usable
from domain.connection_states import (
    AboutConnections,
    ConnectionStates,
    OrganizationState,
    StandingConnection,
    StateGroup,
)
from domain.entities.health import HealthStatus
from domain.entities.user import Viewer
from domain.errors import Forbidden
from domain.service_board import ServiceBoard
from domain.services.base import Service
from domain.services.catalogue import ServiceCatalogue
from domain.services.commands import Command, Commands

CONNECTIONS_SHOWN: Final = 5
MOST_CONNECTIONS_SHOWN: Final = 50
"""How many connections of each command an answer shows: by default, and at most."""


@dataclass(frozen=True, slots=True)
class CataloguedCommand:
    """A command with whose it is."""

    service: Service
    commands: Commands
    command: Command


@dataclass(frozen=True, slots=True)
class JudgedGroup:
    """Connections that are alike, and all that stands against a command through one of them, without its moments."""

    group: StateGroup
    reasons: tuple[Reason, ...]

    @property
    def usable(self) -> bool:
        return usable(self.reasons)


@dataclass(frozen=True, slots=True)
class JudgedConnection:
    """One connection, and what stands against a command through it."""

    connection: StandingConnection
    reasons: tuple[Reason, ...]

    @property
    def usable(self) -> bool:
        return usable(self.reasons)


@dataclass(frozen=True, slots=True)
class JudgedCommand:
    """A command for one viewer. `reasons`: what stands against it whatever the connection. `groups`: usable first."""

    catalogued: CataloguedCommand
    reasons: tuple[Reason, ...]
    groups: Sequence[JudgedGroup]

    @property
    def connection_count(self) -> int:
        return sum(judged.group.size for judged in self.groups)

    @property
    def usable_count(self) -> int:
        return sum(judged.group.size for judged in self.groups if judged.usable)

    def foremost(self, count: int) -> list[JudgedConnection]:
        """So many of its connections: the usable ones first, of these the healthiest."""
        found: list[JudgedConnection] = []
        for judged in self.groups:
            some = judged.group.foremost[: count - len(found)]
            found += [JudgedConnection(connection, dated(judged.reasons, connection)) for connection in some]
        return found


class CommandPreflight:
    """One a process. `clock` tells against which moment credentials and quotas are held."""

    def __init__(
        self, states: ConnectionStates, catalogue: ServiceCatalogue, board: ServiceBoard, clock: Callable[[], datetime]
    ) -> None:
        self._states = states
        self._catalogue = catalogue
        self._board = board
        self._clock = clock

    def catalogue(self) -> Iterator[CataloguedCommand]:
        """All commands there are, in the order of their ids."""
        for service in self._catalogue:
            if (commands := service.commands) is not None:
                for command in commands:
                    yield CataloguedCommand(service, commands, command)

    async def availability(
        self,
        viewer: Viewer,
        organization_id: UUID,
        *,
        event_type: str | None,
        repository_id: UUID | None,
        repository_asked: bool,
        foremost: int,
    ) -> Sequence[JudgedCommand]:
        """Each command, or those alone that suit events of a type. Raises Forbidden for somebody who is no member."""
        offered = [each for each in self.catalogue() if event_type is None or event_type in each.command.event_types]
        services = {each.service.id for each in offered}
        about = AboutConnections(foremost, services, repository_id=repository_id)
        state = await self.state(viewer, organization_id, about)
        return self.judge(offered, state, repository_asked=repository_asked)

    async def state(self, viewer: Viewer, organization_id: UUID, about: AboutConnections) -> OrganizationState:
        """What is stored. Raises Forbidden for somebody who is no member."""
        state = await self._states.read(viewer, organization_id, about, self._clock())
        if state is None:
            raise Forbidden("This is no longer yours to see.")
        return state

    def judge(
        self, offered: Collection[CataloguedCommand], state: OrganizationState, *, repository_asked: bool
    ) -> list[JudgedCommand]:
        """Each of these commands with all connections of its service."""
        circumstances = {
            service_id: Circumstances(state.role, self._board.incident(service_id), repository_asked)
            for service_id in {each.service.id for each in offered}
        }
        groups: dict[str, list[StateGroup]] = {service_id: [] for service_id in circumstances}
        for group in state.groups:
            groups[group.state.service].append(group)
        return [_judged(each, groups[each.service.id], circumstances[each.service.id]) for each in offered]


def _judged(catalogued: CataloguedCommand, groups: Sequence[StateGroup], circumstances: Circumstances) -> JudgedCommand:
    command, commands = catalogued.command, catalogued.commands
    shared = of_command(command, circumstances)
    judged = [
        JudgedGroup(group, shared + of_connection(command, commands, group.state, circumstances)) for group in groups
    ]
    judged.sort(key=_place)
    return JudgedCommand(catalogued, shared if groups else (*shared, NOT_CONNECTED), judged)


def _place(judged: JudgedGroup) -> tuple[bool, int, int, str]:
    """Usable first, then the healthiest, then those of which the fewest things have to be said."""
    first = judged.group.foremost[0].id.hex if judged.group.foremost else ""
    return not judged.usable, _HEALTH[judged.group.state.health], len(judged.reasons), first


_HEALTH = {HealthStatus.HEALTHY: 0, HealthStatus.UNKNOWN: 1, HealthStatus.DEGRADED: 2, HealthStatus.UNHEALTHY: 3}
