"""CommandSet: one service's commands, each with the handler that does it. Made by the services that have any.

Arguments are checked here, before a handler sees them, so that no handler has to doubt them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from domain.credential_secrets import CredentialSecret
from domain.entities.credential import CredentialKind
from domain.entities.health import Json, Remedy
from domain.services.base import ServiceScope
from domain.services.commands import Command, CommandResult, NeededGrant
from domain.services.service_fault import FaultKind, ServiceFault


class CommandHandler(Protocol):
    """What one command is and does."""

    @property
    def command(self) -> Command: ...

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        """What an event fills; what isn't good or isn't there is left out by CommandSet."""

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        """Do it, with arguments in which there is no problem."""


class CommandSet:
    """`covered_by`: which of `scopes` some scopes contain. `permission_levels`: those of an app's permissions, such as
    `read` and `write` of `issues:write`; the lower ones first, which the higher ones contain.
    """

    def __init__(
        self,
        handlers: Iterable[CommandHandler],
        *,
        scopes: Sequence[ServiceScope],
        covered_by: Callable[[Collection[str]], Collection[str]],
        permission_levels: Sequence[str] = (),
    ) -> None:
        self._handlers = {handler.command.id: handler for handler in sorted(handlers, key=lambda each: each.command.id)}
        self._containing = {
            scope.name: frozenset(each.name for each in scopes if scope.name in covered_by({each.name}))
            for scope in scopes
        }
        self._permission_levels = permission_levels

    def __iter__(self) -> Iterator[Command]:
        return (handler.command for handler in self._handlers.values())

    def find(self, command_id: str) -> Command | None:
        handler = self._handlers.get(command_id)
        return None if handler is None else handler.command

    def needed_grants(self, command: Command, kind: CredentialKind) -> Sequence[NeededGrant]:
        if kind is not CredentialKind.GITHUB_APP:
            return [NeededGrant(scope, self._containing[scope]) for scope in command.required_scopes]
        if not command.required_permissions:
            return []
        granted_by = frozenset(each for name in command.required_permissions for each in self._levels_of(name))
        return [NeededGrant(" or ".join(command.required_permissions), granted_by)]

    def arguments_from(self, command: Command, event: Mapping[str, Json]) -> Mapping[str, Json]:
        offered = self._handlers[command.id].arguments_from(event)
        fields = {field.key: field for field in command.takes}
        return {key: value for key, value in offered.items() if value and not any(fields[key].problems(value))}

    async def run(
        self, command: Command, secret: CredentialSecret, arguments: Mapping[str, Json]
    ) -> CommandResult | ServiceFault:
        for problem in command.arguments.problems(arguments):
            return ServiceFault(
                FaultKind.REQUEST_REFUSED,
                INVALID_ARGUMENTS,
                problem.message,
                Remedy.NONE,
                argument=next(iter(problem.path), None),
            )
        found = await self._handlers[command.id].run(secret, arguments)
        if isinstance(found, CommandResult):
            return found
        known = found.argument in {field.key for field in command.takes}
        return replace(
            found,
            argument=found.argument if known else None,
            may_have_happened=found.may_have_happened and command.mutating,
        )

    def _levels_of(self, permission: str) -> Sequence[str]:
        name, _, level = permission.rpartition(":")
        return [f"{name}:{each}" for each in self._permission_levels[self._permission_levels.index(level) :]]


INVALID_ARGUMENTS: Final = "invalid_arguments"
