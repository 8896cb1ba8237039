"""CommandChooser: which commands a text asks for. The port, and the built-in one, which goes by words alone.

Used by CommandSelections. The text is anybody's: it is compared, and never obeyed.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from domain.services.commands import Command


@dataclass(frozen=True, slots=True)
class TextChoice:
    """How well each command fits a text, from 0 to 1, best first; those that don't fit at all are left out.

    `confidence`: from 0 to 1, that the first one is meant. `remark`: what there is to say of how it was chosen.
    """

    fits: Mapping[str, float]
    confidence: float
    remark: str


class CommandChooser(Protocol):
    """Ranks commands by a text."""

    async def choose(self, text: str, commands: Sequence[Command], left: Collection[str]) -> TextChoice:
        """`left`: the ids of those that can be run. Whatever else fits best is told, and isn't going to be chosen.

        Never raises for what the text says. No other commands than these are in its answer.
        """


class WordChooser:
    """BM25 over the words of names and descriptions."""

    async def choose(self, text: str, commands: Sequence[Command], left: Collection[str] = ()) -> TextChoice:
        """`confidence` is how much of the text's weight the best command covers, and how far it leads.

        Words that no command has count half: people say what they want done, and to what. It goes by all commands, so
        that a lesser one isn't taken for what was meant because that one can't be run.
        """
        documents = {command.id: _document(command) for command in commands}
        asked = set(words(text))
        scores = _scores(asked, documents)
        if not scores:
            return TextChoice({}, 0.0, "No word of the text is a command's.")
        ranked = sorted(scores, key=lambda id_: (-scores[id_], id_))
        best = scores[ranked[0]]
        fits = {id_: scores[id_] / best for id_ in ranked}
        other = max((fit for id_, fit in fits.items() if _ability(id_) != _ability(ranked[0])), default=0.0)
        lead = 1.0 - other / 2 if other < ALIKE else AMBIGUOUS
        confidence = _covered(asked, ranked[0], documents) * lead
        matched = ", ".join(dict.fromkeys(said for said, word in _read(text) if word in documents[ranked[0]]))
        return TextChoice(fits, round(confidence, 3), f"The words that decided: {matched}.")


def words(text: str) -> list[str]:
    """The words of a text that tell something, in their plain forms."""
    return [word for _, word in _read(text)]


def _read(text: str) -> list[tuple[str, str]]:
    """Each word as it was said, and its plain form."""
    found = _WORD.findall(text.casefold()[:LONGEST_TEXT])
    return [(word, _stem(_MEANT.get(word, word))) for word in found if word not in _EMPTY]


def _ability(command_id: str) -> str:
    """What a command does, at whichever service: several may offer the same."""
    return command_id.partition(".")[2]


def _document(command: Command) -> Counter[str]:
    """The words of a command; those of its name count more."""
    named = words(f"{command.name} {command.id.replace('.', ' ').replace('_', ' ')}")
    return Counter(named * NAME_WEIGHT + words(command.description))


def _scores(asked: set[str], documents: Mapping[str, Counter[str]]) -> dict[str, float]:
    average = sum(document.total() for document in documents.values()) / (len(documents) or 1)
    found: dict[str, float] = {}
    for id_, document in documents.items():
        length = 1 - _B + _B * document.total() / average
        score = sum(
            _rarity(word, documents) * document[word] * (_K1 + 1) / (document[word] + _K1 * length)
            for word in asked & document.keys()
        )
        if score > 0:
            found[id_] = score
    return found


def _rarity(word: str, documents: Mapping[str, Counter[str]]) -> float:
    having = sum(word in document for document in documents.values())
    return math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))


def _covered(asked: set[str], id_: str, documents: Mapping[str, Counter[str]]) -> float:
    known = {word for word in asked if any(word in document for document in documents.values())}
    weight = sum(_rarity(word, documents) for word in known)
    unknown = UNKNOWN_WEIGHT * (len(asked) - len(known))
    return sum(_rarity(word, documents) for word in known & documents[id_].keys()) / (weight + unknown)


def _stem(word: str) -> str:
    for ending, least in (("ies", 5), ("ing", 6), ("es", 5), ("ed", 5), ("s", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            stem = word.removesuffix(ending)
            return f"{stem}y" if ending == "ies" else stem.rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word


LONGEST_TEXT: Final = 4_000
ALIKE: Final = 0.95
"""What fits as well as this beside the best is as good as it."""
AMBIGUOUS: Final = 0.25
"""What is left of the confidence where something else is as good."""
NAME_WEIGHT: Final = 3
UNKNOWN_WEIGHT: Final = 0.5
_K1, _B = 1.2, 0.75
_WORD: Final = re.compile(r"[^\W_]{2,40}")
_EMPTY: Final = frozenset(
    re.findall(
        "[a-z]+",
        """
        an and are as at be by can could do for from has have her his how in into is it its like me my of on or our
        please she so some that the their them then there they this to us want was we were what which will with would
        you your all any about if not
        """,
    )
)
_MEANT: Final = {
    "pr": "pull",
    "prs": "pull",
    "mr": "merge",
    "mrs": "merge",
    "repo": "repository",
    "repos": "repository",
    "bug": "issue",
    "ticket": "issue",
    "emoji": "reaction",
    "react": "reaction",
    "say": "message",
    "tell": "message",
    "send": "post",
    "write": "post",
    "new": "create",
    "make": "create",
    "open": "create",
    "show": "list",
    "answer": "reply",
    "start": "run",
    "trigger": "run",
}
"""What people say, and what commands are called."""
