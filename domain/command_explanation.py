"""Why a selection is as it is, in sentences for people. Used by CommandSelections."""

from collections.abc import Mapping, Sequence
from typing import Final

from domain.command_arguments import ignored_arguments
from domain.command_chooser import TextChoice
from domain.command_selector import Choice, Criterion
from domain.command_wish import Choosable, Wish
from domain.services.commands import Command
from domain.services.form import quoted


def explanation_of(
    wish: Wish, commands: Sequence[Command], text: TextChoice | None, choice: Choice, chosen: Choosable | None
) -> str:
    """How the command was found, what decided for the connection, and what is still to be done."""
    told = [_found(wish, commands, text)]
    if chosen is None:
        told.append(_nothing(choice))
    else:
        told.append(f"{chosen.catalogued.command.id} through {quoted(chosen.candidate.connection.name)}:")
        told.append(REASONS[choice.decided_by])
        if chosen.missing_arguments:
            told.append(f"Still to be given: {', '.join(chosen.missing_arguments)}.")
    if wish.connection is not None and not (chosen is not None and chosen.candidate.connection.explicit):
        told.append(_not_the_named(choice))
    if ignored := ignored_arguments(commands, wish):
        told.append(f"No such arguments: {', '.join(quoted(each) for each in ignored[:10])}.")
    return " ".join(told)


def _found(wish: Wish, commands: Sequence[Command], text: TextChoice | None) -> str:
    if wish.command_id is not None:
        return f"{wish.command_id} was named."
    suited = ""
    if wish.event is not None:
        count = len(commands)
        suited = (
            "No command suits the event."
            if count == 0
            else f"{count} command{'s suit' if count > 1 else ' suits'} the event."
        )
    return " ".join(part for part in (suited, "" if text is None else text.remark) if part)


def _nothing(choice: Choice) -> str:
    if choice.chosen is not None:
        return "That isn't clear enough to choose by: the runners-up are what fits best."
    if choice.refused:
        return "Nothing of it can be run now: see what is refused, and why."
    return "Nothing is there to choose from."


def _not_the_named(choice: Choice) -> str:
    named = next((each for each in choice.refused if each.connection.explicit), None)
    if named is None:
        return "The connection that was named isn't one through which this can be done."
    against = " ".join(reason.message for reason in named.reasons if reason.blocking)
    return f"The connection that was named, {quoted(named.connection.name)}, can't be used: {against}"


REASONS: Final[Mapping[Criterion | None, str]] = {
    None: "nothing else can be used.",
    Criterion.EXPLICIT: "it was named.",
    Criterion.FIT: "it fits best.",
    Criterion.BOUND: "it is bound to the repository or channel more closely than the next one.",
    Criterion.HEALTH: "it is healthier than the next one.",
    Criterion.QUOTA: "it has more of its quota left than the next one.",
    Criterion.RECENTLY_USED: "it was used more recently than the next one.",
    Criterion.ARGUMENTS: "fewer of its arguments are missing than of the next one.",
    Criterion.ID: "nothing tells it from the next one, so that the id decides.",
}
"""What is said of each criterion."""
