"""AcceptedMedia: in which forms a client takes its answer, by the header Accept. Read by the GraphQL view.

There are two forms of JSON, and two of streams. A stream is only given to a client that names it: `*/*` means JSON.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

JSON: Final = "application/json"
RESPONSE_JSON: Final = "application/graphql-response+json"
EVENT_STREAM: Final = "text/event-stream"
MULTIPART: Final = "multipart/mixed"
"""With the parameter subscriptionSpec=1.0, as Apollo's clients ask for subscriptions; other multiparts are others'."""


@dataclass(frozen=True, slots=True)
class AcceptedMedia:
    """`json`: the form of a JSON answer; `stream`: that of results which come one after the other. None: not taken."""

    json: str | None
    stream: str | None

    @staticmethod
    def of(header: str) -> "AcceptedMedia":
        """What an Accept header says. One that is empty, or isn't there, takes JSON."""
        return _remembered(header) if len(header) <= _REMEMBERED_LENGTH else _read(header[:_LONGEST])


@dataclass(frozen=True, slots=True)
class _Range:
    """One of the media ranges of the header; `place` is its position."""

    name: str
    parameters: Mapping[str, str]
    quality: float
    place: int

    def specificity(self, form: str) -> int | None:
        """How exactly it names the form; None where it means others."""
        if self.parameters.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
            return None
        if self.name == form:
            return 2 if form != MULTIPART or self.parameters.get("subscriptionspec") == "1.0" else None
        if form in _JSON_FORMS:
            return {"application/*": 1, "*/*": 0}.get(self.name)
        return None


@lru_cache(maxsize=256)
def _remembered(header: str) -> AcceptedMedia:
    """Clients send the same few headers over and over."""
    return _read(header)


def _read(header: str) -> AcceptedMedia:
    ranges = list(_ranges(header))
    if not ranges:
        return AcceptedMedia(JSON, None)
    return AcceptedMedia(_best(ranges, _JSON_FORMS), _best(ranges, _STREAM_FORMS))


def _best(ranges: list[_Range], forms: tuple[str, ...]) -> str | None:
    """The form of the highest quality; of equal ones that which is named first."""
    found = []
    for preference, form in enumerate(forms):
        matching = [(how, each) for each in ranges if (how := each.specificity(form)) is not None]
        if matching:
            most = max(how for how, _ in matching)
            best = max((each for how, each in matching if how == most), key=lambda each: each.quality)
            if best.quality > 0:
                found.append((-best.quality, best.place, preference, form))
    return min(found)[-1] if found else None


def _ranges(header: str) -> Iterator[_Range]:
    """Those that can be read."""
    for place, text in enumerate(_BETWEEN_COMMAS.findall(header)):
        name, *rest = [part.strip() for part in _BETWEEN_SEMICOLONS.findall(text)] or [""]
        pairs = (part.partition("=") for part in rest)
        parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
        quality = parameters.get("q", "1")
        if "/" in name and _QUALITY.fullmatch(quality):
            yield _Range(name.lower(), parameters, float(quality), place)


_JSON_FORMS: Final = (JSON, RESPONSE_JSON)  # of equals the first, as for */*, which older clients send
_STREAM_FORMS: Final = (EVENT_STREAM, MULTIPART)
_REMEMBERED_LENGTH: Final = 300
_LONGEST: Final = 8_000  # whatever comes after that isn't read; browsers send less than 200
_QUOTED: Final = r'"(?:\\.?|[^"\\])*(?:"|$)'  # also one that never ends, so that no place is looked at twice
_BETWEEN_COMMAS: Final = re.compile(rf'(?:[^,"]|{_QUOTED})+')
_BETWEEN_SEMICOLONS: Final = re.compile(rf'(?:[^;"]|{_QUOTED})+')
_QUALITY: Final = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
