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


def _text(event: Mapping[str, Json]) -> str:
    text = event.get("text")
    return text.strip() if isinstance(text, str) else ""


_MENTION: Final = re.compile(r"<@[A-Z0-9]+(?:\|[^<>]*)?>")
