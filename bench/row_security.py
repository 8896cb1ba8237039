"""`python -m bench.row_security`: what row security costs, and whether foreign and missing take alike long.

The same operations without PostgreSQL's row security and with it, in turns: as Tether does it, which has each statement
set its reach itself; by a transaction around each statement; and by a setting that the session has already, which is
what the policies alone cost. Times are processor times of the application, without sockets, and of PostgreSQL's part.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import uvloop
from sqlalchemy import make_url
from starlette.types import ASGIApp

from bench.__main__ import POSTGRESQL_SETTINGS
from bench.breakdown import post
from bench.data import Size, connect, connection_ids, load, slug
from bench.operations import ONE, PAGE, PAGE_SIZE, PAGE_WITHOUT_PROBES, RENAME, body
from bench.servers import Start, tether, token
from domain.service_connection_manager import ServiceConnectionManager
from gql.bootstrap import Tether, running
from gql.http.application import create_application
from gql.settings import Settings
from gql.types.service import ServiceDocuments
from persistence import migrations
from persistence.database import Database
from persistence.documents.dialects.postgresql import PostgreSQL
from persistence.documents.reader import DocumentReader
from persistence.row_security import Reach
from persistence.tables import metadata
from persistence.transaction import Transaction
from persistence.unit_of_work import SqlUnitsOfWork
from tests.postgresql import running_postgresql

_SIZE: Final = Size(200, 100)
_TURNS: Final = 41
_CALLS: Final = 25
_STRANGER: Final = ("token", "--organization", slug(1), "--user", "stranger@tether.example", "--role", "OWNER")
_MISSING: Final = "conn_0192f0c1-0000-7000-8000-{:012}"


def main() -> None:
    with (
        running_postgresql(durable=True, settings=POSTGRESQL_SETTINGS) as postgresql,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        url = postgresql.url(postgresql.create_database())
        migrations.upgrade(url)
        runner.run(load(url, _SIZE))
        start, stranger = tether("Tether", url), token(_STRANGER, url)
        copy = postgresql.url(postgresql.create_database(template=make_url(url).database))
        runner.run(_measure(start, url, copy, stranger))


async def _measure(start: Start, url: str, copy: str, stranger: str) -> None:
    await _drop_policies(copy)
    ids = await connection_ids(url, _CALLS)
    page = {"slug": slug(7), "first": PAGE_SIZE}
    async with running(Settings.from_environment(start.environ)) as tether:
        whose = start.headers["Authorization"].removeprefix("Bearer ")
        async with AsyncExitStack() as stack:
            ways = [
                await stack.enter_async_context(_way(name, tether, database, whose))
                for name, database in {
                    "without": _Without(copy),
                    "set by the statement": Database(url),
                    "set in a transaction": _InTransactions(url),
                    "set before": _SetBefore(url),
                }.items()
            ]
            await _compare("a page of 50", ways, [body(PAGE, page)] * _CALLS)
            await _compare("the same without probes", ways, [body(PAGE_WITHOUT_PROBES, page)] * _CALLS)
            await _compare("a connection by its id", ways, [body(ONE, {"id": id_}) for id_ in ids])
            for number in range(2):  # each time to another name
                renames = [body(RENAME, {"id": id_, "name": f"{number} {id_}"}) for id_ in ids]
                await _compare("a rename", ways[:2], renames, turns=1 if number else _TURNS)
            other = replace(ways[1], token=stranger)
            await _compare_foreign("a connection by its id", other, ONE, ids)
            await _compare_foreign("a rename", other, RENAME, ids)


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to keep organizations apart, as an application; `process` is PostgreSQL's for its documents."""

    name: str
    application: ASGIApp
    token: str
    process: int

    async def ask(self, bodies: Sequence[bytes]) -> tuple[float, float]:
        """Microseconds of the application and of PostgreSQL's process, for one."""
        before = self._clocks_ns()
        for each in bodies:
            await post(self.application, self.token, each)
        after = self._clocks_ns()
        server, database = ((after[at] - before[at]) / len(bodies) / 1_000 for at in (0, 1))
        return server, database

    def _clocks_ns(self) -> tuple[int, int]:
        schedule = Path(f"/proc/{self.process}/schedstat").read_text("utf-8")
        return time.process_time_ns(), int(schedule.split()[0])


@asynccontextmanager
async def _way(name: str, tether: Tether, database: Database, token: str) -> AsyncIterator[_Way]:
    async with database:
        services = ServiceDocuments(tether.catalogue, tether.settings.public_url, tether.board)
        documents = DocumentReader(database, services, tether.clock)
        if type(database) is not Database:
            documents._dialect = _PlainStatements()
        units = SqlUnitsOfWork(database, tether.feed.hint)
        manager = ServiceConnectionManager(
            units, tether.catalogue, tether.health_checks, tether.encryption, tether.refresher, tether.clock
        )
        application = create_application(replace(tether, documents=documents, manager=manager))
        # One caller at a time is always lent the same connection.
        process = (await database.fetch("select pg_backend_pid()"))[0][0]
        yield _Way(name, application, token, process)


class _PlainStatements(PostgreSQL):
    """Documents that set nothing."""

    has_row_security = False


class _Without(Database):
    """Units of work that set nothing either."""

    @asynccontextmanager
    async def transaction(self, reach: Reach, *, writes: bool) -> AsyncIterator[Transaction]:
        async with (self._writing if writes else self._reading).connect() as connection:
            await connection.begin()
            yield Transaction(connection, reach, writes=writes, watch=self._watch)


class _InTransactions(Database):
    """A transaction around each document, begun and set in one round trip."""

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        async with self.driver_connection() as connection:
            await connection.execute("begin; select set_config('app.org', '*', true)")
            rows: Sequence[Sequence[Any]] = await connection.fetch(sql, *values)
            await connection.execute("commit")
            return rows


class _SetBefore(Database):
    """A connection on which it is set for good: what is left is what the policies cost."""

    _set = False

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        async with self.driver_connection() as connection:
            if not self._set:
                self._set = True
                await connection.execute("select set_config('app.org', '*', false)")
            rows: Sequence[Sequence[Any]] = await connection.fetch(sql, *values)
            return rows


async def _compare(name: str, ways: Sequence[_Way], bodies: Sequence[bytes], *, turns: int = _TURNS) -> None:
    took: dict[str, list[tuple[float, float]]] = {way.name: [] for way in ways}
    for turn in range(turns):
        for way in ways if turn % 2 else reversed(ways):
            took[way.name].append(await way.ask(bodies))
    print(f"\n| {name} | application µs | PostgreSQL µs | together | |\n| --- | ---: | ---: | ---: | ---: |")
    base = None
    for way in ways:
        server, database = (
            statistics.median(each[at] for each in took[way.name][1:] or took[way.name]) for at in (0, 1)
        )
        base = base or server + database
        share = f"{(server + database) / base - 1:+.1%}"
        print(f"| {way.name} | {server:.0f} | {database:.0f} | {server + database:.0f} | {share} |", flush=True)


async def _compare_foreign(name: str, way: _Way, operation: str, foreign: Sequence[str]) -> None:
    """The same about connections that are another organization's, and about none, one by one in turns."""
    missing = [_MISSING.format(number) for number in range(len(foreign))]
    took: dict[str, list[float]] = {"foreign": [], "missing": []}
    for turn in range(_TURNS):
        pairs = [("foreign", foreign), ("missing", missing)]
        for which, ids in pairs if turn % 2 else reversed(pairs):
            for id_ in ids:
                question = body(operation, {"id": id_, "name": "New"} if operation is RENAME else {"id": id_})
                began = time.perf_counter_ns()
                await post(way.application, way.token, question)
                took[which].append((time.perf_counter_ns() - began) / 1_000)
    medians = {which: statistics.median(each[len(foreign) :]) for which, each in took.items()}
    ratio = medians["foreign"] / medians["missing"]
    shown = ", ".join(f"{which} {each:.0f} µs" for which, each in medians.items())
    print(f"\n{name}: {shown}, ratio {ratio:.3f}, of {len(took['foreign'])} each", flush=True)


async def _drop_policies(database_url: str) -> None:
    connection = await connect(database_url)
    for table in metadata.sorted_tables:
        await connection.execute(f"alter table {table.name} disable row level security")
    await connection.execute("vacuum analyze")
    await connection.close()


if __name__ == "__main__":
    main()
