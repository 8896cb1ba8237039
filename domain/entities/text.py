"""What a text must be before it is kept: names without control characters, labels as text by text, keys to search by.

Used by the entities that carry names and labels.
"""

import itertools
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from domain.entities.health import Json
from domain.errors import InvalidInput

NAME_LENGTH = 100
REASON_LENGTH = 500
LABELS_MOST = 32
LABEL_KEY_LENGTH = 63
LABEL_VALUE_LENGTH = 255
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol to Unicode, and nothing to the eye


def clean_name(name: str, field: Sequence[str]) -> str:
    """The name as it is kept: NFC, outer white space off. Raises InvalidInput if nothing, or too much, is left."""
    cleaned = unicodedata.normalize("NFC", name).strip()
    if not has_visible_character(cleaned):
        raise InvalidInput("A name has at least one character that can be seen.", field)
    if len(cleaned) > NAME_LENGTH:
        raise InvalidInput(f"A name has at most {NAME_LENGTH} characters; this one has {len(cleaned)}.", field)
    if any(_is_control(character) for character in cleaned):
        raise InvalidInput("A name has no control characters.", field)
    return cleaned


def has_visible_character(text: str) -> bool:
    """Whether anything of it is seen: more than spaces, marks of formatting and letters that are blank."""
    return any(unicodedata.category(character)[0] not in "CZ" and character not in _BLANK for character in text)


def numbered_names(name: str) -> Iterator[str]:
    """The name as it is kept, then `name 2`, `name 3` and so on without end, each cut to fit."""
    whole = unicodedata.normalize("NFC", name).strip()
    yield whole[:NAME_LENGTH].rstrip()
    for number in itertools.count(2):
        ending = f" {number}"
        yield whole[: NAME_LENGTH - len(ending)].rstrip() + ending


def clean_reason(reason: str | None) -> str | None:
    """A member's reason as it is kept: NFC, in one line, cut to 500 characters; None if nothing is left."""
    line = "".join(" " if _is_control(character) else character for character in reason or "")
    return unicodedata.normalize("NFC", line).strip()[:REASON_LENGTH].rstrip() or None


def search_key(name: str) -> str:
    """What a name is ordered, compared and searched by: upper and lower case alike, in every script."""
    return unicodedata.normalize("NFC", name.casefold())


def clean_labels(labels: Json, field: Sequence[str]) -> dict[str, str]:
    """Labels as they are kept: text by text, keys in NFC and sorted. Raises InvalidInput for anything else."""
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        raise InvalidInput('Labels are an object of text by text, such as {"team": "platform"}.', field)
    if len(labels) > LABELS_MOST:
        raise InvalidInput(f"A connection has at most {LABELS_MOST} labels; these are {len(labels)}.", field)
    cleaned: dict[str, str] = {}
    for given_key, value in sorted(labels.items()):
        key = unicodedata.normalize("NFC", given_key)
        if not 1 <= len(key) <= LABEL_KEY_LENGTH or any(map(_is_control, key)):
            raise InvalidInput(
                f"A label's key has 1 to {LABEL_KEY_LENGTH} characters, none of them control ones.", field
            )
        if not isinstance(value, str) or len(value) > LABEL_VALUE_LENGTH or any(map(_is_control, value)):
            raise InvalidInput(
                f"The value of a label is text of at most {LABEL_VALUE_LENGTH} characters without control ones.",
                (*field, key),
            )
        if key in cleaned:
            raise InvalidInput("Two labels have the same key.", (*field, key))
        cleaned[key] = value
    return dict(sorted(cleaned.items()))


def _is_control(character: str) -> bool:
    """Control characters, and lone surrogates, which no database and no UTF-8 takes."""
    return unicodedata.category(character) in {"Cc", "Cs"}
