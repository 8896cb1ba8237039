"""What commands take from the words of an event of any service: a title, and the text with where it was said.

Used by the commands' `arguments_from`.
"""

import re
from collections.abc import Mapping
from typing import Final

from domain.entities.health import Json


def title_of(event: Mapping[str, Json], length: int) -> str:
    """The first line that says something, without who is mentioned in Slack; empty where there is none."""
    lines = (_MENTION.sub("", line).strip() for line in _text(event).splitlines())
    return next(filter(None, lines), "")[:length].rstrip()


def quoted_text(event: Mapping[str, Json], length: int) -> str:
    """All that was said, as a quotation in Markdown, and the address of it; empty where nothing was said."""
    text, url = _text(event), event.get("url")
    if not text:
        return ""
    address = f"\n\n{url}" if isinstance(url, str) else ""
    quotation = "\n".join(f"> {line}" for line in text.splitlines())
    return quotation[: length - len(address)] + address


def summary_of(event: Mapping[str, Json]) -> str:
    """What an event tells in a line, and the address of it on a second one."""
    what = " ".join(str(each) for each in (event.get("type"), event.get("action")) if each).replace("_", " ")
    where = " ".join(str(each) for each in (event.get("repository"), event.get("subject")) if each)
    who, title, url = event.get("actor"), title_of(event, _TITLE_LENGTH), event.get("url")
    line = " ".join(part for part in (f"{where}:" if where else "", what, f"by {who}" if who else "") if part)
    return "\n".join(part for part in (f"{line}: {title}" if title else line, url) if isinstance(part, str) and part)


def _text(event: Mapping[str, Json]) -> str:
    text = event.get("text")
    return text.strip() if isinstance(text, str) else ""


_TITLE_LENGTH: Final = 200
_MENTION: Final = re.compile(r"<@[A-Z0-9]+(?:\|[^<>]*)?>")
