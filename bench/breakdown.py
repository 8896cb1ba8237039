"""Where a request's microseconds go: Tether's parts run by themselves in this process, and its statement part by part.

Called by `scenarios.py` after the measurements. Times are processor times: the medians of turns, in which each part is
run some times before the next one.
"""

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson
from starlette.types import ASGIApp, Message

from bench.data import slug
from bench.operations import CREDENTIAL, PAGE, PAGE_INFO, PAGE_SIZE, PROBES, REPOSITORIES, body
from bench.servers import Start
from gql.bootstrap import Tether, running
from gql.context import Context
from gql.http.application import create_application
from gql.http.graphql_request import GraphQLRequest
from gql.proof import BearerToken
from gql.schema import build_schema
from gql.settings import Settings
from gql.types.service import ServiceDocuments
from persistence.database import Database
from persistence.documents.reader import Document, DocumentReader
from persistence.event_reader import EventReader

_TURNS: Final = 15
_CALLS: Final = 40
_VARIABLES: Final[dict[str, Any]] = {"slug": slug(7), "first": PAGE_SIZE}
_DATABASE_PARTS: Final = {
    "probes of the latest check, 350": PROBES,
    "repositories, 150": REPOSITORIES,
    "credentials, 50": CREDENTIAL,
    "`pageInfo`": PAGE_INFO,
    "`totalCount`": "totalCount ",
}


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Microseconds of processor time for a page, by part."""

    server: Mapping[str, float]
    database: Mapping[str, float]


async def break_down(start: Start, server_ms: float) -> Breakdown:
    """Take the page's request apart. `start` says on which database; `server_ms` is what the server spends on it."""
    async with running(Settings.from_environment(start.environ)) as tether:
        token = start.headers["Authorization"].removeprefix("Bearer ")
        return Breakdown(await _of_server(tether, token, server_ms * 1_000), await _of_database(tether, token))


async def _of_server(tether: Tether, token: str, whole: float) -> dict[str, float]:
    request = body(PAGE, _VARIABLES)
    async with _Recording(tether.settings.database_url) as database, _Canned(tether.settings.database_url) as canned:
        reader, unread = (
            _Reader(each, ServiceDocuments(tether.catalogue, tether.settings.public_url, tether.board), tether.clock)
            for each in (database, canned)
        )
        real = create_application(replace(tether, documents=reader))
        without_database = create_application(replace(tether, documents=unread))
        await post(real, token, request)
        canned.rows = database.rows
        schema = build_schema()
        context = Context(
            operations=schema.operations,
            documents=unread,
            events=EventReader(tether.database),
            feed=tether.feed,
            catalogue=tether.catalogue,
            board=tether.board,
            manager=tether.manager,
            repositories=tether.repositories,
            commands=tether.commands,
            authorization_flows=tether.authorization_flows,
            users=tether.user_service,
            budgets=tether.operation_budgets,
            preflight=tether.preflight,
            selections=tether.selections,
            public_url=tether.settings.public_url,
        )
        await context.authenticate(BearerToken(tether.user_service, token))
        asked = GraphQLRequest.parse(request)

        async def execute() -> Any:
            return await schema.execute(asked.query, variable_values=asked.variables, context_value=context)

        result = await execute()

        async def find() -> None:
            schema.operations.known(sha256(asked.query.encode()).digest(), None)

        async def parse() -> None:
            GraphQLRequest.parse(request)

        async def encode() -> None:
            orjson.dumps({"data": result.data})

        took = await _turns(
            {
                "application": lambda: post(real, token, request),
                "without database": lambda: post(without_database, token, request),
                "execute": execute,
                "document": unread.again,
                "find": find,
                "authenticate": lambda: tether.user_service.authenticate(token),
                "parse": parse,
                "encode": encode,
            },
            time.process_time_ns,
        )
    framework = took["without database"] - took["execute"] - took["authenticate"] - took["parse"] - took["encode"]
    return {
        "whole request": whole,
        "HTTP and sockets: uvicorn, 157 KB to send": whole - took["application"],
        "routing, request and response objects: Starlette, the view": framework,
        "reading the request's JSON": took["parse"],
        "authentication": took["authenticate"],
        "finding the parsed and validated operation": took["find"],
        "running it: variables, resolvers, authorization": took["execute"] - took["find"] - took["document"],
        "finding the plan, binding its values": took["document"],
        "the driver: pool, asyncpg, decoding": took["application"] - took["without database"],
        "splicing the document into the response": took["encode"],
    }


async def _of_database(tether: Tether, token: str) -> dict[str, float]:
    async with _Recording(tether.settings.database_url) as database:
        reader = _Reader(
            database, ServiceDocuments(tether.catalogue, tether.settings.public_url, tether.board), tether.clock
        )
        application = create_application(replace(tether, documents=reader))

        async def run_of(part: str) -> Callable[[], Awaitable[Any]]:
            await post(application, token, body(PAGE.replace(part, "") if part else PAGE, _VARIABLES))
            sql, values = database.sql, database.values
            return lambda: database.fetch(sql, values)

        runs = {"whole statement": await run_of("")}
        for name, part in _DATABASE_PARTS.items():
            runs[name] = await run_of(part)
        # One caller at a time is always lent the same connection, so all of this is one process of PostgreSQL.
        process = (await database.fetch("select pg_backend_pid()"))[0][0]
        schedule = Path(f"/proc/{process}/schedstat")
        took = await _turns(runs, lambda: int(schedule.read_text("utf-8").split()[0]))
    whole = took["whole statement"]
    parts = {name: whole - took[name] for name in _DATABASE_PARTS}
    return {"whole statement": whole, **parts, "membership, rows, plain fields, protocol": whole - sum(parts.values())}


async def _turns(parts: Mapping[str, Callable[[], Awaitable[Any]]], clock_ns: Callable[[], int]) -> dict[str, float]:
    """Microseconds that a call of each part takes."""
    taken: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(_TURNS):
        for name, call in parts.items():
            begin = clock_ns()
            for _ in range(_CALLS):
                await call()
            taken[name].append((clock_ns() - begin) / _CALLS / 1_000)
    return {name: statistics.median(each[1:]) for name, each in taken.items()}


class _Recording(Database):
    """Remembers the statement that was run last, and its rows."""

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        self.sql, self.values = sql, values
        self.rows = await super().fetch(sql, values)
        return self.rows


class _Canned(Database):
    """Answers what it was told to, at once."""

    rows: Sequence[Sequence[Any]] = ()

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        return self.rows


class _Reader(DocumentReader):
    """Can read once more what it has read."""

    async def read(self, *arguments: Any, **named: Any) -> Document | None:
        self._latest = arguments, named
        return await super().read(*arguments, **named)

    async def again(self) -> Document | None:
        arguments, named = self._latest
        return await super().read(*arguments, **named)


async def post(application: ASGIApp, token: str, request: bytes) -> None:
    """A request, as the server hands it to the application."""
    headers = {"host": "127.0.0.1", "content-type": "application/json", "authorization": f"Bearer {token}"}

    async def receive() -> Message:
        return {"type": "http.request", "body": request, "more_body": False}

    async def send(message: Message) -> None:
        if message.get("status", 200) != 200:
            raise RuntimeError(f"The application answered {message['status']}.")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await application(scope, receive, send)
