"""`python -m bench.commands`: what it costs to tell what can be done through a thousand connections of an organization.

Beside it, the plain list of the same connections: what the same client would read to work it out by itself. The list is
read in one page, which the limits are raised for, so that both are one request.
"""

import asyncio
from dataclasses import replace
from typing import Final

import uvloop

from bench.__main__ import POSTGRESQL_SETTINGS
from bench.data import Size, database_process, load, slug
from bench.operations import VIEWER, body
from bench.processors import move, two_cores
from bench.questions import always
from bench.report import table
from bench.rounds import Plan, measure
from bench.servers import running, tether
from persistence import migrations
from tests.postgresql import running_postgresql

_SIZE: Final = Size(1, 1_000)
_PLAN: Final = Plan(rounds=5, seconds=1.5, warm_up_seconds=1.0)
_LIMITS: Final = {"TETHER_MAX_PAGE_SIZE": "1000"}

LIST: Final = """query List($slug: String!) { organization(by: {slug: $slug}) { connections(first: 1000) { nodes {
  id name status grantedScopes service { id } health { status } credential { kind scopes endsAt }
  rateLimit { remaining resetAt blockedUntil }
} } } }"""
COMMANDS: Final = """query Commands($slug: String!) { organization(by: {slug: $slug}) { commands {
  command { id } usable usableCount connectionCount reasons { code }
  connections { usable connection { id name } reasons { code message until } }
} } }"""
COUNTS: Final = """query Counts($slug: String!) { organization(by: {slug: $slug}) { commands {
  command { id } usable usableCount connectionCount reasons { code }
} } }"""
SELECTION: Final = """query Selection($slug: String!) { organization(by: {slug: $slug}) {
  commandSelection(input: {text: "open an issue about the login"}) {
    command { id } connection { id name } arguments confidence explanation runnersUp { connection { id } why }
  }
} }"""
_ASKED: Final = (
    ("The plain list of 1,000 connections", LIST),
    ("What can be done through them, 5 of them shown for each command", COMMANDS),
    ("The same, counts alone", COUNTS),
    ("A selection by text", SELECTION),
)


def main() -> None:
    with (
        running_postgresql(durable=True, settings=POSTGRESQL_SETTINGS) as postgresql,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        url = postgresql.url(postgresql.create_database())
        migrations.upgrade(url)
        runner.run(_measure(url))


async def _measure(url: str) -> None:
    await load(url, _SIZE)
    servers_core, database_core = two_cores()
    parent = await database_process(url)
    move(parent, database_core)
    start = tether("Tether", url)
    start = replace(start, environ={**start.environ, **_LIMITS})
    async with running(start, servers_core, parent, body(VIEWER, {})) as server:
        questions = [always(text, {"slug": slug(1)}) for _, text in _ASKED]
        sizes = [len(await server.ask(next(each(0)))) for each in questions]
        figures = await measure([(server, each) for each in questions], _PLAN)
    rows = [
        [
            name,
            f"{size / 1_000:,.0f}",
            f"{each.requests_per_second:,.0f}",
            f"{each.server_ms:.2f}",
            f"{each.server_ms / figures[0].server_ms:.2f} ×",
            f"{each.database_ms:.2f}",
            f"{each.database_ms / figures[0].database_ms:.2f} ×",
        ]
        for (name, _), size, each in zip(_ASKED, sizes, figures, strict=True)
    ]
    print(table(["", "kB", "requests/s", "server CPU ms", "", "database CPU ms", ""], rows))


if __name__ == "__main__":
    main()
