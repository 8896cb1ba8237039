"""What is measured, in which order, on which data. Called by `__main__.py`; its results are written by `report.py`."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.breakdown import Breakdown, break_down
from bench.data import Size, connection_ids, copy_for_peers, copy_to_sqlite, database_process, load, slug
from bench.operations import ONE, PAGE, PAGE_SIZE, PAGE_WITHOUT_PROBES, body, comparable
from bench.processors import move, two_cores
from bench.questions import filtered, page_at, pages, pipeline_questions, renames, single_connections
from bench.rounds import Figures, Plan, Questions, measure
from bench.servers import (
    Server,
    Start,
    mercurius,
    plain_strawberry,
    publish_documents,
    running,
    tether,
    yoga,
)
from persistence import migrations
from tests.postgresql import PostgresqlServer

MAIN: Final = Size(1_000, 100)
SMALL: Final = Size(10, 100)
LARGE: Final = Size(10_000, 100)
LONG: Final = Size(1, 100_000, rare=10_000)
"""One organization that has everything, where ten connections have failed."""

IDS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table: what was measured, and how much was answered."""

    name: str
    figures: Figures
    answer_bytes: int


@dataclass(frozen=True, slots=True)
class Process:
    """What it costs a server to be there. Memory before the first load and after the last."""

    name: str
    start_seconds: float
    resident_mib_at_start: float
    resident_mib_after_load: float


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was measured. The first line of `page`, `lighter_page` and `single` is Tether's."""

    page: list[Line]
    lighter_page: list[Line]
    single: list[Line]
    others: list[Line]
    pipeline: list[Line]
    growth: list[Line]
    long_list: list[Line]
    processes: list[Process]
    parts: Breakdown


class DifferentAnswers(Exception):
    """Two servers were asked the same and didn't answer the same."""


async def run(postgresql: PostgresqlServer, folder: Path, *, quick: bool, say: Callable[[str], None]) -> Results:
    """Everything, in under ten minutes; `quick` takes less than two and leaves out the largest database."""
    plan = Plan(2, 1.5, 1.5) if quick else Plan(5, 4.0, 4.0)
    lesser = plan if quick else replace(plan, rounds=3, seconds=3.0)
    sizes = [MAIN, SMALL, LONG] if quick else [MAIN, SMALL, LONG, LARGE]
    say(f"Loading {', '.join(f'{size.connections:,}' for size in sizes)} connections …")
    urls = dict(zip(sizes, await _databases(postgresql, sizes), strict=True))
    peers_url = await asyncio.to_thread(copy_for_peers, postgresql, urls[MAIN])
    sqlite_url = await _sqlite(urls[MAIN], folder / "tether.db")
    servers_core, database_core = two_cores()
    parent = await database_process(urls[MAIN])
    move(parent, database_core)
    start = _Starter(servers_core, parent)
    ids = await connection_ids(urls[MAIN], IDS)

    say("Measuring four servers side by side …")
    contenders = [tether("Tether", urls[MAIN]), mercurius(peers_url), yoga(peers_url), plain_strawberry(peers_url)]
    async with start(contenders) as servers:
        memory = [server.resident_mib() for server in servers]
        await _require_equal_answers(servers, ids)
        page = await _lines(servers, pages(PAGE, MAIN.all), plan)
        lighter_page = await _lines(servers, pages(PAGE_WITHOUT_PROBES, MAIN.all), lesser)
        single = await _lines(servers, single_connections(ids), lesser)
        processes = [
            Process(server.name, server.start_seconds, before, server.resident_mib())
            for server, before in zip(servers, memory, strict=True)
        ]

    say("Measuring Tether on SQLite, and its mutations …")
    on_postgresql, on_sqlite = tether("PostgreSQL", urls[MAIN]), tether("SQLite", sqlite_url)
    async with start([on_postgresql]) as (postgres,), start([on_sqlite], on_postgresql=False) as (sqlite,):
        others = await _named(
            [
                ("The page, SQLite", sqlite, pages(PAGE, MAIN.all)),
                ("One connection, SQLite", sqlite, single_connections(ids)),
                ("A mutation, PostgreSQL", postgres, renames(ids)),
                ("A mutation, SQLite", sqlite, renames(ids)),
            ],
            lesser,
        )
        await asyncio.to_thread(publish_documents, urls[MAIN], folder)
        asked = pipeline_questions(MAIN.all)
        pipeline = await _named([(name, postgres, questions) for name, questions in asked], lesser)

    say("Measuring growth …")
    growing = sorted((size for size in sizes if size is not LONG), key=lambda size: size.connections)
    async with start([tether(f"{size.connections:,} connections", urls[size]) for size in growing]) as servers:
        sized = list(zip(servers, growing, strict=True))
        ten = [(f"{server.name}, ten organizations asked", server, pages(PAGE, size.ten)) for server, size in sized]
        any_ = [(f"{server.name}, any organization asked", server, pages(PAGE, size.all)) for server, size in sized[1:]]
        growth = await _named([*ten, *any_], lesser)
    async with start([tether("Long", urls[LONG])]) as (long,):
        long_list = await _named(
            [
                ("Page 1", long, await page_at(long, 1)),
                ("Page 1,000", long, await page_at(long, 1_000)),
                ("Page 1 with `totalCount` (counts 100,000)", long, pages(PAGE, LONG.all)),
                ("`filter: {status: [ERROR]}`, 10 match", long, filtered(status=["ERROR"])),
                ("`filter: {health: [UNHEALTHY]}`, 10 match", long, filtered(health=["UNHEALTHY"])),
                (
                    "`filter: {expiringBefore: …}`, none matches",
                    long,
                    filtered(expiringBefore="2026-11-02T09:30:00Z"),
                ),
                ('`filter: {search: "connection 77777"}`, 1 matches', long, filtered(search="connection 77777")),
            ],
            lesser,
        )
    say("Taking a request apart …")
    parts = await break_down(on_postgresql, page[0].figures.server_ms)
    return Results(page, lighter_page, single, others, pipeline, growth, long_list, processes, parts)


async def _databases(postgresql: PostgresqlServer, sizes: Sequence[Size]) -> list[str]:
    """Addresses of migrated databases of these sizes, loaded side by side."""

    def migrated() -> str:
        url = postgresql.url(postgresql.create_database())
        migrations.upgrade(url)
        return url

    urls = [await asyncio.to_thread(migrated) for _ in sizes]
    await asyncio.gather(*(load(url, size) for url, size in zip(urls, sizes, strict=True)))
    return urls


async def _sqlite(database_url: str, file: Path) -> str:
    url = f"sqlite+aiosqlite:///{file}"
    await asyncio.to_thread(migrations.upgrade, url)
    await copy_to_sqlite(database_url, str(file))
    return url


class _Starter:
    """Starts servers, one after the other, on their core."""

    def __init__(self, core: int, database_process: int) -> None:
        self._core = core
        self._database_process = database_process

    @asynccontextmanager
    async def __call__(self, starts: Sequence[Start], *, on_postgresql: bool = True) -> AsyncIterator[list[Server]]:
        question = body(PAGE, {"slug": slug(1), "first": 1})
        async with AsyncExitStack() as stack:
            process = self._database_process if on_postgresql else None
            yield [await stack.enter_async_context(running(each, self._core, process, question)) for each in starts]


async def _lines(servers: Sequence[Server], questions: Questions, plan: Plan) -> list[Line]:
    return await _named([(server.name, server, questions) for server in servers], plan)


async def _named(contenders: Sequence[tuple[str, Server, Questions]], plan: Plan) -> list[Line]:
    sizes = [len(await server.ask(next(questions(0)))) for _, server, questions in contenders]
    figures = await measure([(server, questions) for _, server, questions in contenders], plan)
    return [Line(name, figure, size) for (name, _, _), figure, size in zip(contenders, figures, sizes, strict=True)]


async def _require_equal_answers(servers: Sequence[Server], ids: Sequence[str]) -> None:
    """Raises DifferentAnswers."""
    asked = [body(PAGE, {"slug": slug(number), "first": PAGE_SIZE}) for number in (1, 500, 1_000)]
    asked += [body(PAGE_WITHOUT_PROBES, {"slug": slug(2), "first": 3}), *(body(ONE, {"id": id_}) for id_ in ids[:3])]
    for question in asked:
        answers = [comparable(json.loads(await server.ask(question))["data"]) for server in servers]
        for server, answer in zip(servers, answers, strict=True):
            if answer != answers[0]:
                raise DifferentAnswers(f"{server.name} doesn't answer as {servers[0].name} does: {question!r}")
