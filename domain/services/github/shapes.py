"""The standardized shape of GitHub's events: who did what to what, in which words and where. Called by events.py.

Every part is cleaned and bounded, and left out where the event has none.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from domain.entities.health import Json
from domain.services.boundary import clean_text, clean_url

TEXT_LENGTH: Final = 4_000


def shape_of(name: str, document: Mapping[str, Json]) -> dict[str, Json]:
    """`action`, `actor`, `subject`, `text`, `url` and `repository` of an event of that name."""
    repository = _object(document.get("repository"))
    parts = {
        "action": _action(document.get("action")),
        "actor": clean_text(_object(document.get("sender")).get("login")),
        "subject": _subject(name, document),
        "text": _text(_said(name, document)),
        "url": _url(name, document) or clean_url(repository.get("html_url")),
        "repository": clean_text(repository.get("full_name")),
    }
    return {part: value for part, value in parts.items() if value is not None}


def _subject(name: str, document: Mapping[str, Json]) -> str | None:
    """What GitHub's own pages call it: `#1` an issue, pull request or discussion, a branch or tag by its name."""
    numbered = _numbered(document)
    number = numbered.get("number")
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 1 << 31:
        return f"#{number}"
    match name:
        case "push" | "create" | "delete":
            ref = clean_text(document.get("ref")) or ""
            return ref.removeprefix("refs/heads/").removeprefix("refs/tags/") or None
        case "release":
            return clean_text(_object(document.get("release")).get("tag_name"))
        case "installation" | "installation_repositories":
            return clean_text(_object(_object(document.get("installation")).get("account")).get("login"))
        case _:
            return clean_text(_object(document.get(name)).get("name"))


def _said(name: str, document: Mapping[str, Json]) -> Json:
    """What somebody wrote: a comment or review as a whole, of everything else the title."""
    for part in _WRITTEN:
        if part in document:
            return _object(document.get(part)).get("body")
    if name == "push":
        return _object(document.get("head_commit")).get("message")
    if name == "release":
        release = _object(document.get("release"))
        return release.get("name") or release.get("body")
    return _numbered(document).get("title")


def _url(name: str, document: Mapping[str, Json]) -> str | None:
    if name == "push":
        return clean_url(document.get("compare"))
    for part in (*_WRITTEN, *_NUMBERED, name):
        url = clean_url(_object(document.get(part)).get("html_url"))
        if url is not None:
            return url
    return None


def _numbered(document: Mapping[str, Json]) -> Mapping[str, Json]:
    return next((_object(document.get(part)) for part in _NUMBERED if part in document), {})


def _action(value: Json) -> str | None:
    return value if isinstance(value, str) and _ACTION.fullmatch(value) else None


def _text(value: Json) -> str | None:
    """Line by line."""
    if not isinstance(value, str):
        return None
    lines = (clean_text(line) or "" for line in value[:TEXT_LENGTH].splitlines())
    return "\n".join(lines).strip() or None


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


_WRITTEN: Final[Sequence[str]] = ("comment", "review")
_NUMBERED: Final[Sequence[str]] = ("issue", "pull_request", "discussion")
_ACTION: Final = re.compile(r"[a-z0-9_-]{1,64}")
