"""CommandSelections: which command, through which connection, answers a wish: a command, an event or a text.

Asked by `gql/command_fields.py`. It runs nothing and calls no service: it goes by stored state, read in one statement,
and by the event, read in another. Only an operator's own language model, where there is one, is asked over the network.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

from domain.command_arguments import filled_arguments, missing_arguments, named_target
from domain.command_availability import dated
from domain.command_chooser import CommandChooser, TextChoice
from domain.command_explanation import explanation_of
from domain.command_preflight import CataloguedCommand, CommandPreflight, JudgedCommand
from domain.command_selector import BEST_FIT, Candidate, Choice, CommandSelector
from domain.command_wish import Choosable, RefusedCommand, RunnerUp, Selection, Wish
from domain.connection_states import AboutConnections, AskedRepository, ConnectionStates, ReceivedEvent
from domain.entities.health import Json
from domain.entities.user import Viewer
from domain.errors import BadUserInput
from domain.services.commands import TargetKind
from domain.services.form import quoted

RUNNERS_UP: Final = 10
REFUSED: Final = 20
"""How many of each an answer tells of, at most."""
LEAST_CONFIDENCE: Final = 0.4
"""Below it nothing is chosen: to do the wrong thing is worse than to ask again."""
LONGEST_TEXT: Final = 2_000


class CommandSelections:
    """One a process."""

    def __init__(self, preflight: CommandPreflight, states: ConnectionStates, chooser: CommandChooser) -> None:
        self._preflight = preflight
        self._states = states
        self._chooser = chooser
        self._selector = CommandSelector()

    async def select(self, viewer: Viewer, organization_id: UUID, wish: Wish) -> Selection:
        """Raises BadUserInput for a wish that can't be understood, and Forbidden for somebody who is no member."""
        _check(wish)
        event = await self._event(viewer, organization_id, wish)
        thinkable = self._thinkable(wish, event)
        state = await self._preflight.state(viewer, organization_id, _about(wish, event, thinkable))
        judged = self._preflight.judge(thinkable, state, repository_asked=wish.repository is not None)
        text = await self._by_text(wish, judged)
        confidence = _confidence(wish, thinkable, text)
        clear = confidence >= LEAST_CONFIDENCE
        choosables = {
            each.candidate: each
            for each in _choosables(judged, text, wish, {} if event is None else event.shape, state.repository)
            if each.candidate.fit == BEST_FIT or not clear
        }
        choice = self._selector.choose(choosables)
        chosen = choosables[choice.chosen] if clear and choice.chosen is not None else None
        return Selection(
            chosen,
            confidence,
            None if chosen is None else choice.decided_by,
            explanation_of(wish, [each.command for each in thinkable], text, choice, chosen),
            list(_runners_up(choice, choosables, chosen))[:RUNNERS_UP],
            list(_refused(choice, choosables, judged, text))[:REFUSED],
        )

    async def _event(self, viewer: Viewer, organization_id: UUID, wish: Wish) -> ReceivedEvent | None:
        if wish.event is None:
            return None
        event_id = wish.event.id
        event = None if event_id is None else await self._states.event(viewer, organization_id, event_id)
        if event is None:
            raise BadUserInput("eventId: This is no event here that a service's webhook has brought.")
        return event

    def _thinkable(self, wish: Wish, event: ReceivedEvent | None) -> list[CataloguedCommand]:
        """What may be chosen, before anything is known of connections."""
        catalogue = list(self._preflight.catalogue())
        if wish.command_id is not None:
            named = [each for each in catalogue if each.command.id == wish.command_id]
            if not named:
                raise BadUserInput(
                    f"commandId: There is no command {quoted(wish.command_id)}. See organization.commands."
                )
            return named
        return catalogue if event is None else [each for each in catalogue if each.command.suits(event.shape)]

    async def _by_text(self, wish: Wish, judged: Sequence[JudgedCommand]) -> TextChoice | None:
        if wish.text is None or wish.command_id is not None:
            return None
        left = {each.catalogued.command.id for each in judged if each.usable_count}
        return await self._chooser.choose(wish.text, [each.catalogued.command for each in judged], left)


def _check(wish: Wish) -> None:
    if wish.command_id is None and wish.event is None and wish.text is None:
        raise BadUserInput("Give at least one of commandId, eventId and text: they say what is to be done.")
    if wish.text is not None and len(wish.text) > LONGEST_TEXT:
        raise BadUserInput(f"text: At most {LONGEST_TEXT} characters; these are {len(wish.text)}.")


def _about(wish: Wish, event: ReceivedEvent | None, thinkable: Sequence[CataloguedCommand]) -> AboutConnections:
    commands = [each.command for each in thinkable]
    shape = {} if event is None else event.shape
    repository_name = None
    if wish.repository is None:
        repository_name = named_target(TargetKind.REPOSITORY, commands, wish, shape)
    return AboutConnections(
        RUNNERS_UP + 1,
        {each.service.id for each in thinkable},
        connection_id=None if wish.connection is None else wish.connection.id,
        repository_id=None if wish.repository is None else wish.repository.id,
        repository_name=repository_name,
        channel=wish.channel or named_target(TargetKind.CHANNEL, commands, wish, shape),
        event_connection_id=None if event is None else event.connection_id,
    )


def _confidence(wish: Wish, thinkable: Sequence[CataloguedCommand], text: TextChoice | None) -> float:
    """A named command is what is meant. An event means what suits it, the less surely the more that is."""
    if wish.command_id is not None:
        return 1.0
    if text is not None:
        return text.confidence
    return {0: 0.0, 1: 0.9}.get(len(thinkable), 0.5)


def _choosables(
    judged: Sequence[JudgedCommand],
    text: TextChoice | None,
    wish: Wish,
    event: Mapping[str, Json],
    repository: AskedRepository | None,
) -> Iterator[Choosable]:
    """Each command that fits at all, through each of the connections that could be preferred."""
    for each in judged:
        command = each.catalogued.command
        fit = BEST_FIT if text is None else round(BEST_FIT * text.fits.get(command.id, 0.0))
        if fit == 0:
            continue
        arguments = filled_arguments(each.catalogued, wish, event, repository)
        missing = missing_arguments(command, arguments)
        for one in each.groups:
            for connection in one.group.foremost:
                reasons = dated(one.reasons, connection)
                candidate = Candidate(command.id, connection, one.group.state.health, reasons, fit, len(missing))
                yield Choosable(each.catalogued, candidate, arguments, missing)


def _runners_up(
    choice: Choice, choosables: Mapping[Candidate, Choosable], chosen: Choosable | None
) -> Iterator[RunnerUp]:
    if chosen is None and choice.chosen is not None:
        yield RunnerUp(choosables[choice.chosen], None)
    for other in choice.runners_up:
        yield RunnerUp(choosables[other.candidate], None if chosen is None else other.decided_by)


def _refused(
    choice: Choice,
    choosables: Mapping[Candidate, Choosable],
    judged: Sequence[JudgedCommand],
    text: TextChoice | None,
) -> Iterator[RefusedCommand]:
    """What was filtered out, and the commands whose service isn't connected, if they would have fitted."""
    for each in judged:
        fits = text is None or round(BEST_FIT * text.fits.get(each.catalogued.command.id, 0.0)) == BEST_FIT
        if not each.groups and fits:
            yield RefusedCommand(each.catalogued, None, each.reasons)
    for candidate in choice.refused:
        yield RefusedCommand(choosables[candidate].catalogued, candidate.connection, candidate.reasons)
