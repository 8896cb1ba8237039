"""Organization.commands and commandSelection: the fields of an organization that no document answers.

They are gaps of its document. The executor calls these resolvers with the organization's id in place of an object.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

import strawberry
from strawberry.types.nodes import SelectedField, Selection

from domain.command_preflight import CONNECTIONS_SHOWN, MOST_CONNECTIONS_SHOWN, CataloguedCommand
from domain.command_selector import score_of
from domain.command_wish import Named, Wish
from domain.entities.identifiers import Kind, parse_id
from domain.errors import BadUserInput
from domain.services.catalogue import ServiceCatalogue
from gql.context import Info
from gql.projection import projected
from gql.types.command import Command, command_of
from gql.types.command_availability import CommandAvailability, command_availability, reasons_of
from gql.types.command_selection import CommandRunnerUp, CommandSelection, CommandSelectionInput, RefusedCommand
from gql.types.service import service_of


async def commands(
    root: strawberry.Parent[UUID],
    info: Info,
    event_type: Annotated[
        str | None, strawberry.argument(description="Only those that suit events of this type, such as `issues`.")
    ] = None,
    repository_id: Annotated[
        strawberry.ID | None,
        strawberry.argument(
            description="What they are to be for: what acts on a repository is usable only where this one is reached."
        ),
    ] = None,
) -> list[CommandAvailability]:
    context = info.context
    judged = await context.preflight.availability(
        context.viewer,
        root,
        event_type=event_type,
        repository_id=None if repository_id is None else parse_id(Kind.REPOSITORY, repository_id),
        repository_asked=repository_id is not None,
        foremost=_most_shown(info.selected_fields),
    )
    shown = _Commands(info)
    answer: list[CommandAvailability] = projected(
        [command_availability(each, shown.of(each.catalogued)) for each in judged]
    )
    return answer


async def command_selection(
    root: strawberry.Parent[UUID],
    info: Info,
    input: Annotated[CommandSelectionInput, strawberry.argument(description="What is to be done.")],
) -> CommandSelection:
    context = info.context
    selection = await context.selections.select(context.viewer, root, _wish(input))
    shown, chosen = _Commands(info), selection.chosen
    selected = CommandSelection(
        command=None if chosen is None else shown.of(chosen.catalogued),
        arguments={} if chosen is None else dict(chosen.arguments),
        missing_arguments=[] if chosen is None else list(chosen.missing_arguments),
        confidence=selection.confidence,
        decided_by=selection.decided_by,
        explanation=selection.explanation,
        runners_up=[
            CommandRunnerUp(
                command=shown.of(each.choosable.catalogued),
                score=score_of(each.choosable.candidate),
                why=each.decided_by,
                of=each.choosable.candidate.connection,
            )
            for each in selection.runners_up
        ],
        refused=[
            RefusedCommand(command=shown.of(each.catalogued), reasons=reasons_of(each.reasons), of=each.connection)
            for each in selection.refused
        ],
        of=None if chosen is None else chosen.candidate.connection,
    )
    answer: CommandSelection = projected(selected)
    return answer


class _Commands:
    """Commands as clients see them: they are code, so each is made once, but for those of a service that is down."""

    def __init__(self, info: Info) -> None:
        self._context = info.context
        self._made = _MADE.setdefault(info.context.catalogue, {})

    def of(self, catalogued: CataloguedCommand) -> Command:
        id_, board = catalogued.command.id, self._context.board
        if board.incident(catalogued.service.id) is not None:
            return self._new(catalogued)
        if id_ not in self._made:
            self._made[id_] = self._new(catalogued)
        return self._made[id_]

    def _new(self, catalogued: CataloguedCommand) -> Command:
        service = service_of(catalogued.service, self._context.public_url, self._context.board)
        return command_of(catalogued.command, service)


_MADE: Final[WeakKeyDictionary[ServiceCatalogue, dict[str, Command]]] = WeakKeyDictionary()


def _most_shown(fields: Iterable[Selection]) -> int:
    """How many connections of a command the answer shows at most, wherever they are asked for."""
    most = 0
    for each in fields:
        if isinstance(each, SelectedField) and each.name == "connections":
            first = each.arguments.get("first", CONNECTIONS_SHOWN)
            most = max(most, first if isinstance(first, int) else CONNECTIONS_SHOWN)
        most = max(most, _most_shown(each.selections))
    return min(most, MOST_CONNECTIONS_SHOWN)


def _wish(given: CommandSelectionInput) -> Wish:
    arguments: Any = {} if given.arguments is None else given.arguments
    if not isinstance(arguments, Mapping):
        raise BadUserInput("arguments: Write an object, such as {}.")
    return Wish(
        given.command_id,
        _named(Kind.EVENT, given.event_id),
        given.text,
        _named(Kind.CONNECTION, given.connection_id),
        _named(Kind.REPOSITORY, given.repository_id),
        given.channel,
        arguments,
    )


def _named(kind: Kind, id_: str | None) -> Named | None:
    return None if id_ is None else Named(parse_id(kind, id_))
