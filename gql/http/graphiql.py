"""GraphiQL's page and what it loads: the front end in gql/graphiql as it was built, else one from a CDN.

`GraphiQL` is made by `create_application`: the GraphQL view gives its page to browsers, and its routes answer the rest.
Every script that the page runs is a file, of this server or of the CDN and then named with its integrity hash.
"""

import json
from pathlib import Path
from string import Template
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from gql.bootstrap import Tether
from gql.http.browser_access import BrowserAccess
from gql.http.development_sign_in import DevelopmentSignIn
from gql.http.sign_in import PAGE, SIGN_OUT
from gql.settings import Environment, TrustedDocumentsMode

FRONT_END: Final = Path(__file__).parent.parent / "graphiql"
NOTHING_TO_WRITE: Final = (
    "There is no GraphiQL here: this server answers published documents alone, since its operator has set "
    "TETHER_TRUSTED_DOCUMENTS=require. Write and try operations on a server without that setting, then publish them.\n"
)


class GraphiQL:
    """One server's. `front_end` is the folder with page.html, examples/, src/ and, where it was built, dist/."""

    def __init__(self, tether: Tether, access: BrowserAccess, front_end: Path) -> None:
        self._development_sign_in = DevelopmentSignIn(tether, access)
        self._is_answered = tether.settings.trusted_documents is not TrustedDocumentsMode.REQUIRE
        self._sign_in_page = f"{tether.settings.public_url}{PAGE}" if tether.sign_in.providers else None
        self._strangers_may_introspect = tether.settings.environment is Environment.DEVELOPMENT
        manifest = front_end / "dist/manifest.json"
        if manifest.exists():
            resources, waiting = _built(**json.loads(manifest.read_text("utf-8"))), "One moment…"
            self._policy = _policy()
            self._files = _Files(front_end / "dist", "public, max-age=31536000, immutable")
        else:
            resources, waiting = _from_cdn(), "One moment: this comes from unpkg.com, since it wasn’t built here."
            self._policy = _policy(" ".join(_CDN_SCRIPTS), " ".join(_CDN_STYLES))
            self._files = _Files(front_end / "src", "no-cache")
        self._html = Template((front_end / "page.html").read_text("utf-8")).substitute(
            resources=resources, waiting=waiting, data=self._data(front_end / "examples")
        )

    async def page(self, request: Request) -> Response:
        """The page. In development it also signs the browser in, unless somebody has signed out there.

        Where nothing that is written in it would be answered, it says so instead.
        """
        if not self._is_answered:
            return PlainTextResponse(NOTHING_TO_WRITE, 404, headers={"Vary": "Accept"})
        response = HTMLResponse(self._html, headers={"Content-Security-Policy": self._policy, "Vary": "Accept"})
        await self._development_sign_in.welcome(request, response)
        return response

    def routes(self) -> list[BaseRoute]:
        """The files that the page loads."""
        return [Mount("/graphiql", self._files)]

    def _data(self, examples: Path) -> str:
        """What the page's scripts begin with, as JSON that can't end the element in which it stands."""
        data = {
            "examples": [file.read_text("utf-8") for file in sorted(examples.glob("*.graphql"))],
            "signIn": self._sign_in_page,
            "signOut": SIGN_OUT,
            "strangersMayIntrospect": self._strangers_may_introspect,
        }
        return json.dumps(data).replace("<", "\\u003c")


class _Files(StaticFiles):
    """Files that browsers may keep as `cache_control` says. The policy is for workers, which need to load nothing."""

    def __init__(self, directory: Path, cache_control: str) -> None:
        super().__init__(directory=directory)
        self._headers = {"Cache-Control": cache_control, "Content-Security-Policy": "default-src 'none'"}

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers.update(self._headers)
        return response


def _built(script: str, style: str) -> str:
    return f'<link rel="stylesheet" href="/graphiql/{style}">\n<script type="module" src="/graphiql/{script}"></script>'


def _from_cdn() -> str:
    styles = [
        f'<link rel="stylesheet" href="{url}" integrity="{integrity}" crossorigin>'
        for url, integrity in _CDN_STYLES.items()
    ]
    scripts = [
        f'<script defer src="{url}" integrity="{integrity}" crossorigin></script>'
        for url, integrity in _CDN_SCRIPTS.items()
    ]
    own = [
        '<link rel="stylesheet" href="/graphiql/style.css">',
        '<script type="module" src="/graphiql/cdn.js"></script>',
    ]
    return "\n".join([*styles, *scripts, *own])


def _policy(scripts: str = "", styles: str = "") -> str:
    """The page's Content-Security-Policy, with what else it may load than this server's own files."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' {scripts}".rstrip(),
            "worker-src 'self'",
            f"style-src 'self' 'unsafe-inline' {styles}".rstrip(),  # the editors write styles as they go
            "font-src 'self' data:",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


# The last GraphiQL that is a single script. npm's packages have the same files, by which the hashes can be checked.
_CDN_SCRIPTS: Final = {
    "https://unpkg.com/react@18.2.0/umd/react.production.min.js": (
        "sha384-tMH8h3BGESGckSAVGZ82T9n90ztNXxvdwvdM6UoR56cYcf+0iGXBliJ29D+wZ/x8"
    ),
    "https://unpkg.com/react-dom@18.2.0/umd/react-dom.production.min.js": (
        "sha384-bm7MnzvK++ykSwVJ2tynSE5TRdN+xL418osEVF2DE/L/gfWHj91J2Sphe582B1Bh"
    ),
    "https://unpkg.com/graphiql@3.8.3/graphiql.min.js": (
        "sha384-HbRVEFG0JGJZeAHCJ9Xm2+tpknBQ7QZmNlO/DgZtkZ0aJSypT96YYGRNod99l9Ie"
    ),
    "https://unpkg.com/graphql-ws@6.4.2/umd/graphql-ws.min.js": (
        "sha384-mxvR4Mzbsb6QVx/9xI2gtQikQA6m8zMDBFnu3l//4/ROsWt7y2sUGWd+/tYQqDm7"
    ),
}
_CDN_STYLES: Final = {
    "https://unpkg.com/graphiql@3.8.3/graphiql.min.css": (
        "sha384-Mq3vbRBY71jfjQAt/DcjxUIYY33ksal4cgdRt9U/hNPvHBCaT2JfJ/PTRiPKf0aM"
    ),
}
