"""A command's arguments as far as they are known before it is run: from an event, from what it is about, as given.

Used by CommandSelections. What an event says is anybody's word: it fills arguments, and decides nothing.
"""

from collections.abc import Collection, Mapping, Sequence

from domain.command_preflight import CataloguedCommand
from domain.command_wish import Wish
from domain.connection_states import AskedRepository
from domain.entities.health import Json
from domain.services.commands import Command, TargetKind


def filled_arguments(
    catalogued: CataloguedCommand, wish: Wish, event: Mapping[str, Json], repository: AskedRepository | None
) -> Mapping[str, Json]:
    """What is given goes before what the wish is about, and that before what the event says."""
    command = catalogued.command
    taken = {field.key for field in command.takes}
    about = _about(command, wish, repository)
    from_event = catalogued.commands.arguments_from(command, event) if event else {}
    return {
        **from_event,
        **about,
        **{key: value for key, value in wish.arguments.items() if key in taken},
    }


def missing_arguments(command: Command, arguments: Mapping[str, Json]) -> Sequence[str]:
    """Those that it can't be run without, in their order."""
    return [field.key for field in command.takes if field.required and field.key not in arguments]


def ignored_arguments(commands: Collection[Command], wish: Wish) -> Sequence[str]:
    """Those given that no command takes."""
    taken = {field.key for command in commands for field in command.takes}
    return sorted(wish.arguments.keys() - taken)


def named_target(kind: TargetKind, commands: Collection[Command], wish: Wish, event: Mapping[str, Json]) -> str | None:
    """The repository's full name, or the channel's id, that the arguments or the event name."""
    keys = {command.target.argument for command in commands if command.target and command.target.kind is kind}
    given = next((wish.arguments[key] for key in sorted(keys) if key in wish.arguments), None)
    named = event.get("repository" if kind is TargetKind.REPOSITORY else "channel") if given is None else given
    return named if isinstance(named, str) else None


def _about(command: Command, wish: Wish, repository: AskedRepository | None) -> Mapping[str, Json]:
    target = command.target
    if target is None:
        return {}
    if target.kind is TargetKind.CHANNEL:
        return {} if wish.channel is None else {target.argument: wish.channel}
    if repository is None or repository.service != command.service:
        return {}
    return {target.argument: repository.full_name}
