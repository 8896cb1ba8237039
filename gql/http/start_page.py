"""The start page at / and the schema as text: what runs here and where everything is. For people; needs no script.

Strangers may read it. In production it names no address, no person and nothing that only its operators need.
"""

from html import escape
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gql.bootstrap import Tether
from gql.http.page_policy import page_policy
from gql.http.sign_in import PAGE
from gql.sample import FOUNDER, SLUG
from gql.schema import TetherSchema
from gql.settings import Environment, TrustedDocumentsMode
from persistence import migrations

_TEMPLATE: Final = Path(__file__).with_name("start.html").read_text("utf-8")
_VERSION: Final = version("tether")
_DATABASES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def start_page_routes(tether: Tether, schema: TetherSchema) -> list[BaseRoute]:
    """/, and in development /schema.graphql, since only there strangers may read the schema."""
    development = tether.settings.environment is Environment.DEVELOPMENT
    absent = {
        *(() if development else (_SCHEMA,)),
        *(() if tether.sign_in.providers else (PAGE,)),
        *((_GRAPHIQL,) if tether.settings.trusted_documents is TrustedDocumentsMode.REQUIRE else ()),
    }
    html = Template(_TEMPLATE).substitute(
        facts="\n".join(f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in _facts(tether).items()),
        links="\n".join(
            f'<li><a href="{path}">{name}</a><span>{text}</span></li>'
            for path, (name, text) in _LINKS.items()
            if path not in absent
        ),
    )
    headers = {"Content-Security-Policy": page_policy(html)}

    async def start(_request: Request) -> Response:
        return HTMLResponse(html, headers=headers)

    async def sdl(_request: Request) -> Response:
        return PlainTextResponse(schema.as_str())

    return [Route("/", start), *([Route(_SCHEMA, sdl)] if development else [])]


_GRAPHIQL: Final = "/graphql"
_SCHEMA: Final = "/schema.graphql"
_LINKS: Final = {
    _GRAPHIQL: (
        "GraphiQL",
        "Ask in the browser, with the documentation of every type; programs send their operations here",
    ),
    PAGE: ("Sign in", "By an identity provider, or as somebody else; sign out"),
    _SCHEMA: ("Schema", "Every type and field, as text"),
    "/livez": ("Liveness", "Whether this process lives"),
    "/readyz": ("Readiness", "Whether it can do its work: database, migrations and key"),
}


def _facts(tether: Tether) -> dict[str, str]:
    facts = {
        "Version": _VERSION,
        "Environment": tether.settings.environment.value,
        "Database": _DATABASES[tether.database.dialect_name],
    }
    if tether.settings.environment is Environment.DEVELOPMENT:
        facts["Migration"] = f"{migrations.head()}, the newest"  # with another one it wouldn't have started
        facts["Signed in"] = (
            f"{FOUNDER}, an owner of {SLUG}, in a browser on this machine"
            if tether.sample_founder is not None
            else "nobody, until “tether sample” has created the sample organization"
        )
    return facts
