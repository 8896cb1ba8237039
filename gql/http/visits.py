"""Visits: what people's browsers come to by themselves, rather than by a script: the addresses of OAuth and of sign-in.

Used by `authorization.py`, `sign_in.py` and `development_issuer.py`, whose pages look alike.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from domain.errors import ServiceUnavailable
from gql.http.page_policy import page_policy

Visit = Callable[[Request], Awaitable[Response]]


def visited(visit: Visit, headers: Mapping[str, str]) -> Visit:
    """The visit of a person. Whatever else asks uses nothing up: HEAD, pages that load it, browsers that prefetch."""

    async def answer(request: Request) -> Response:
        if request.method == "HEAD":
            response = Response()
        elif not is_navigation(request):
            response = Response(status_code=503)  # so that the browser asks again when the person does
        else:
            try:
                response = await visit(request)
            except ServiceUnavailable as unavailable:
                response = page("That didn’t work", f"<p>{escape(unavailable.message)}</p>", 503)
        response.headers.update(headers)
        return response

    return answer


def is_navigation(request: Request) -> bool:
    """As far as the browser says: an image, a script or a frame isn't one, nor is what a person may never go to."""
    headers = request.headers
    if (
        headers.get("sec-fetch-mode", "navigate") != "navigate"
        or headers.get("sec-fetch-dest", "document") != "document"
    ):
        return False
    return not any(_PREFETCH.search(headers.get(name, "").lower()) for name in ("sec-purpose", "purpose"))


def page(title: str, content: str, status: int = 200, *, form_action: str = "'none'") -> Response:
    """A page in one piece. `content` is HTML; `form_action`: where its forms may lead."""
    html = _PAGE.substitute(title=title, content=content)
    return HTMLResponse(html, status, {"Content-Security-Policy": page_policy(html, form_action)})


_PREFETCH: Final = re.compile("prefetch|prerender")
_PAGE: Final = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
