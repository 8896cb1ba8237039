"""Where the next page is, as GitHub's `Link` header says it. Called where repositories and installations are listed."""

import re
from typing import Final

import httpx2

from domain.http import HttpAnswer
from domain.services.boundary import clean_url
from domain.services.github.api import SERVICE_ID
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import ServiceFault


def next_path(answer: HttpAnswer, api_url: str) -> str | ServiceFault | None:
    """The path of the next page, below the API's address; None for the last page.

    A fault for one that leads elsewhere: nobody's token follows it.
    """
    for link in _BETWEEN_LINKS.split(answer.headers.get("link", "")):
        found = _LINK.fullmatch(link.strip())
        if found is not None and _NEXT.search(found.group(2)):
            return _below(found.group(1), api_url) or unexpected_answer(
                SERVICE_ID, answer, "GitHub says that the next page is somewhere else than its API."
            )
    return None


def _below(address: str, api_url: str) -> str | None:
    """The path of an address that has the API's origin and lies below it."""
    if clean_url(address) is None:
        return None
    try:
        url, api = httpx2.URL(address), httpx2.URL(api_url)
    except httpx2.InvalidURL:
        return None
    base, path = api.raw_path.decode("ascii").rstrip("/"), url.raw_path.decode("ascii")
    if (url.scheme, url.host, url.port) != (api.scheme, api.host, api.port) or not path.startswith(f"{base}/"):
        return None
    return path.removeprefix(base)


_BETWEEN_LINKS: Final = re.compile(r",(?=\s*<)")
_LINK: Final = re.compile(r"<([^<>]+)>\s*;(.*)")
_NEXT: Final = re.compile(r"""(?:^|[\s;])rel=(?:"next"|next)(?:$|[\s;])""")
