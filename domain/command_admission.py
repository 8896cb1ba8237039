"""CommandAdmission: whether a command can be run through a connection now, before anybody is called. By CommandRuns.

Who may is asked there; here it is whether there is such a command, whether its arguments are good, and whether the
connection can carry it: its status, its scopes, what the service has said of the quota, the budget, and the service
itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from domain.call_budget import may_call
from domain.call_budgets import CallBudgets, budget_key
from domain.command_failures import CREDENTIAL_ENDED, lacks_scopes, not_in_use
from domain.entities.credential import ServiceCredential
from domain.entities.health import Json
from domain.entities.repository import Repository
from domain.entities.service_connection import ServiceConnection
from domain.errors import InvalidArguments, InvalidInput
from domain.service_board import ServiceBoard
from domain.services.base import Service
from domain.services.catalogue import ServiceCatalogue
from domain.services.commands import Command, Commands, TargetKind
from domain.services.service_fault import ServiceFault

MOST_PROBLEMS: Final = 20
_ARGUMENTS: Final = ("input", "arguments")


@dataclass(frozen=True, slots=True)
class Known:
    """A command of the catalogue, and whose it is."""

    service: Service
    commands: Commands
    command: Command


@dataclass(frozen=True, slots=True)
class Carrier:
    """A connection with its credential, as they are now."""

    connection: ServiceConnection
    credential: ServiceCredential = field(repr=False)


class CommandAdmission:
    """Stateless."""

    def __init__(
        self, catalogue: ServiceCatalogue, budgets: CallBudgets, board: ServiceBoard, clock: Callable[[], datetime]
    ) -> None:
        self._catalogue = catalogue
        self._budgets = budgets
        self._board = board
        self._clock = clock

    def find(self, command_id: str) -> Known | None:
        """The command of that id."""
        service = self._catalogue.find(command_id.partition(".")[0])
        commands = None if service is None else service.commands
        command = None if commands is None else commands.find(command_id)
        if service is None or commands is None or command is None:
            return None
        return Known(service, commands, command)

    def get(self, command_id: str) -> Known:
        """Raises InvalidInput where there is none."""
        known = self.find(command_id)
        if known is None:
            raise InvalidInput(
                "There is no command with this id. `services { commands { id } }` lists them.", ("input", "commandId")
            )
        return known

    def arguments(self, command: Command, given: Json, repository: Repository | None) -> Mapping[str, Json]:
        """What the command is run with, a repository that was chosen filled in. Raises InvalidArguments."""
        wanted = dict(given) if isinstance(given, dict) else given
        if repository is not None:
            wanted = _aimed(command, wanted, repository)
        problems = []
        for problem in command.arguments.problems(wanted):
            problems.append(InvalidInput(problem.message, (*_ARGUMENTS, *problem.path)))
            if len(problems) == MOST_PROBLEMS:
                break
        if problems:
            raise InvalidArguments(problems)
        if not isinstance(wanted, dict):
            raise AssertionError("a form without a problem is an object")
        return wanted

    def refusal(self, known: Known, carrier: Carrier) -> ServiceFault | None:
        """Why the connection can't carry the command now, by what is stored of it.

        What `command_availability.py` tells beforehand is the same: what blocks there is refused here.
        """
        connection, credential, now = carrier.connection, carrier.credential, self._clock()
        if (idle := not_in_use(connection)) is not None:
            return idle
        if credential.ends_at is not None and credential.ends_at <= now:
            return CREDENTIAL_ENDED
        if credential.scopes is not None:
            granted = frozenset(credential.scopes)
            needed = known.commands.needed_grants(known.command, credential.kind)
            missing = [each.name for each in needed if not each.granted_by & granted]
            if missing:
                return lacks_scopes(known.command, missing)
        return may_call(connection.service, connection.rate_limit, now)

    async def take_call(self, known: Known, carrier: Carrier) -> ServiceFault | None:
        """Take one call from the account's budget; else why the service isn't to be called. Not in a unit of work."""
        down = self._board.fault(known.service.id)
        if down is not None:
            return down
        return await self._budgets.take(budget_key(known.service, carrier.connection.external_account))

    async def admit(self, known: Known, carrier: Carrier) -> ServiceFault | None:
        """Both: None where it can be run. Not in a unit of work."""
        return self.refusal(known, carrier) or await self.take_call(known, carrier)


def _aimed(command: Command, wanted: Json, repository: Repository) -> Json:
    """The arguments with the repository in the one that names what the command acts on."""
    target = command.target
    if target is None or target.kind is not TargetKind.REPOSITORY:
        raise InvalidInput(f"{command.id} isn't about a repository.", ("input", "repositoryId"))
    if not isinstance(wanted, dict):
        return wanted  # which is a problem of its own
    named = wanted.get(target.argument, repository.full_name)
    if isinstance(named, str) and named.casefold() != repository.full_name.casefold():
        message = f"It names another repository than repositoryId, which is {repository.full_name}."
        raise InvalidInput(message, (*_ARGUMENTS, target.argument))
    return {**wanted, target.argument: named}
