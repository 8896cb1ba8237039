"""Whatever is raised, wherever it is raised: clients get a code of the contract and nothing internal.

Fields of the real schema are made to fail, and asked for over HTTP and WebSocket.
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from graphql import GraphQLError
from sqlalchemy.exc import IntegrityError, OperationalError

from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import Remedy
from domain.errors import DomainError, InvalidInput
from gql import schema
from gql.http import application
from gql.refusal_log import MOST_LINES, RefusalLog
from gql.schema import TetherSchema
from tests.gql.client import CODES, Client
from tests.gql.server import TetherServer, running_tether
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

CANARY = "canary-5bd1"
FOLLOW = 'subscription { connectionEvents(organizationId: "org_x") { id } }'


@dataclass(frozen=True, slots=True)
class Place:
    """Where something fails, what asks for it, and what the answer has instead."""

    type_name: str
    field: str
    query: str
    path: list[str | int]
    data: Any
    in_list: bool = False


PLACES = [
    Place(
        "Query", "organization", '{ organization(by: {slug: "acme"}) { id } }', ["organization"], {"organization": None}
    ),
    Place("Query", "viewer", "{ viewer { user { id } } }", ["viewer"], None),
    Place("Query", "nodes", '{ nodes(ids: ["x"]) { id } }', ["nodes", 0], {"nodes": [None, None]}, in_list=True),
    Place(
        "Mutation",
        "updateConnection",
        'mutation { updateConnection(input: {connectionId: "x"}) { userErrors { code } } }',
        ["updateConnection"],
        None,
    ),
]


@dataclass(frozen=True, slots=True)
class Failing:
    """A server whose fields can be made to fail."""

    server: TetherServer
    schema: TetherSchema

    def field(self, type_name: str, name: str) -> Any:
        return self.schema._schema.type_map[type_name].fields[name]  # type: ignore[attr-defined]


@pytest.fixture
async def failing(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Failing]:
    built: list[TetherSchema] = []
    build = schema.build_schema

    def keep(*given: Any, **named: Any) -> TetherSchema:
        built.append(build(*given, **named))
        return built[0]

    monkeypatch.setattr(application, "build_schema", keep)
    async with running_tether(sqlite_url, sandbox, encryption_key) as server:
        yield Failing(server, built[0])


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO):
        yield caplog


def _every_domain_error() -> list[DomainError]:
    """One of each class, with the canary where it has room for words."""
    found: list[DomainError] = []
    waiting: list[type[DomainError]] = [DomainError]
    while waiting:
        for each in waiting.pop().__subclasses__():
            waiting.append(each)
            given = inspect.signature(each).parameters.values()
            found.append(each(*_given(given, named=False).values(), **_given(given, named=True)))
    return found


def _given(parameters: Iterable[inspect.Parameter], *, named: bool) -> dict[str, Any]:
    """A value for each parameter without a default, by what stands there as its type."""
    return {
        each.name: _VALUES[str(each.annotation).replace("<class '", "").replace("'>", "")]
        for each in parameters
        if each.default is each.empty and (each.kind is each.KEYWORD_ONLY) == named
    }


_VALUES: Final[dict[str, Any]] = {
    "str": CANARY,
    "int": 7,
    "tuple[str, int]": (CANARY, 7),
    "ConnectionStatus": ConnectionStatus.ACTIVE,
    "collections.abc.Sequence['ConnectionStatus']": (),
    "collections.abc.Sequence[domain.errors.InvalidInput]": (InvalidInput(CANARY, (CANARY,)),),
    "Remedy": Remedy.NONE,
}


def _odd_errors() -> list[Exception]:
    statement = f"insert into credentials values ('{CANARY}')"  # noqa: S608 - it isn't run
    return [
        TimeoutError(CANARY),
        asyncio.QueueFull(CANARY),
        RecursionError(CANARY),
        MemoryError(CANARY),
        KeyError(CANARY),
        AssertionError(CANARY),
        StopIteration(CANARY),
        StopAsyncIteration(CANARY),
        FileNotFoundError(2, CANARY, f"/srv/{CANARY}"),
        UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
        ExceptionGroup(CANARY, [ValueError(CANARY)]),
        IntegrityError(statement, {"secret": CANARY}, Exception(CANARY)),
        OperationalError(statement, {"secret": CANARY}, Exception(CANARY)),
        GraphQLError(CANARY),
        GraphQLError(CANARY, original_error=KeyError(CANARY), extensions={"debug": CANARY}),
    ]


def _judge(raised: Exception, errors: list[dict[str, Any]], request_id: str, path: list[str | int] | None) -> str:
    """The code of the one error, which tells what it may."""
    [error] = errors
    extensions = error["extensions"]
    assert extensions["code"] in CODES, raised
    assert extensions["requestId"].startswith(request_id), raised
    assert error.get("path") == path, raised
    meant = isinstance(raised, DomainError) and extensions["code"] != "INTERNAL_SERVER_ERROR"
    if meant:
        assert isinstance(raised, DomainError)
        assert error["message"] == raised.message
    else:
        assert CANARY not in str(error), raised
    if extensions["code"] == "INTERNAL_SERVER_ERROR":
        assert error["message"] == (
            f"Something went wrong in Tether. Its operators find it in their logs by {extensions['requestId']}."
        )
    return str(extensions["code"])


async def test_whatever_a_field_raises_is_told_by_a_code_and_tells_nothing_else(
    failing: Failing, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    client = await failing.server.member()
    async with failing.server.socket(client.token) as socket:
        assert socket.connection.response is not None
        socket_id = socket.connection.response.headers["x-request-id"]
        for place in PLACES:
            for raised in [*_every_domain_error(), *_odd_errors()]:
                monkeypatch.setattr(failing.field(place.type_name, place.field), "resolve", _resolver(raised, place))
                logged.clear()
                answer = await client.execute(place.query)
                assert answer.body["data"] == place.data, raised
                code = _judge(raised, answer.errors, answer.request_id, place.path)
                _judge_log(logged, raised, code, answer.request_id)
                message = await (await socket.subscribe(place.query)).message()
                assert message["payload"]["data"] == place.data
                assert _judge(raised, message["payload"]["errors"], socket_id, place.path) == code


async def test_whatever_ends_a_subscription_or_one_of_its_events_does_the_same(
    failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await failing.server.member()
    field = failing.field("Subscription", "connectionEvents")
    async with failing.server.socket(client.token) as socket:
        assert socket.connection.response is not None
        socket_id = socket.connection.response.headers["x-request-id"]
        for raised in [*_every_domain_error(), *_odd_errors()]:

            async def source(*_: Any, raised: Exception = raised, **__: Any) -> AsyncIterator[Any]:
                yield raised
                yield None

            with monkeypatch.context() as patching:
                patching.setattr(field, "subscribe", source)
                patching.setattr(field, "resolve", _each)
                followed = await socket.subscribe(FOLLOW)
                first, second = await followed.message(), await followed.message()
                assert first["payload"]["data"] is None
                _judge(raised, first["payload"]["errors"], socket_id, ["connectionEvents"])
                assert second["type"] == "next", "it goes on after it"
                assert await followed.message() == {"type": "complete", "id": followed.id}

            monkeypatch.setattr("gql.subscriptions._follow", _failing_source(raised))
            followed = await socket.subscribe(FOLLOW)
            message = await followed.message()
            assert (message["type"], message["payload"]["data"]) == ("next", None)
            _judge(raised, message["payload"]["errors"], socket_id, ["connectionEvents"])
            assert await followed.message() == {"type": "complete", "id": followed.id}


async def test_what_fails_before_any_field_is_asked_tells_nothing_either(
    shared_server: TetherServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await shared_server.member()
    async with shared_server.socket(client.token) as socket:
        for raised in [each for each in _odd_errors() if not isinstance(each, GraphQLError)]:  # as which it is told

            async def fail(*_: Any, raised: Exception = raised, **__: Any) -> Any:
                raise raised

            monkeypatch.setattr(TetherSchema, "_admitted", fail)
            answer = await client.execute("{ viewer { user { id } } }")
            [error] = answer.errors
            told = await (await socket.subscribe("{ viewer { user { id } } }")).message()
            [by_socket] = told["payload"] if told["type"] == "error" else told["payload"]["errors"]
            for each in (error, by_socket):
                assert each["extensions"]["code"] in CODES
                assert CANARY not in str(each), raised


async def test_the_log_has_a_line_for_each_refusal_without_anything_that_clients_wrote(
    shared_server: TetherServer, logged: pytest.LogCaptureFixture
) -> None:
    client = await shared_server.member()
    query = f'query Page {{ organization(by: {{slug: "{CANARY}"}}) {{ connections(first: 1000) {{ totalCount }} }} }}'
    acme = query.replace(CANARY, "acme")
    wrong = f"{{ viewer {{ {CANARY.replace('-', '_')} }} }}"
    logged.clear()
    await client.execute(acme)
    await client.execute(wrong)
    await client.execute("query Q($id: ID!) { node(id: $id) { id } }", id={CANARY: CANARY})
    await Client(shared_server.http, CANARY).execute(acme)
    await client.execute('subscription Follow { connectionHealth(organizationId: "x") { id } }')
    await shared_server.http.post("/graphql", content=CANARY, headers={"Content-Type": "text/plain"})
    streamed = {"query": 'subscription Followed { connectionHealth(organizationId: "org_x") { id } }'}
    by_stream = {"Authorization": f"Bearer {client.token}", "Accept": "text/event-stream"}
    assert "FORBIDDEN" in (await shared_server.http.post("/graphql", json=streamed, headers=by_stream)).text
    async with shared_server.socket(client.token) as socket:
        await (await socket.subscribe(acme)).message()
        await socket.connection.send(f'{{"type": "{CANARY}"}}')
        await socket.close_code()

    told = [record for record in logged.records if record.name == "gql.refusal_log"]
    assert [record.getMessage().partition(" (")[0] for record in told] == [
        "BAD_USER_INPUT for query Page",
        "GRAPHQL_VALIDATION_FAILED for unreadable",
        "BAD_USER_INPUT for query Q",
        "UNAUTHENTICATED for query Page",
        "BAD_USER_INPUT for unreadable",
        "BAD_USER_INPUT for POST /graphql",
        "FORBIDDEN for subscription Followed",
        "BAD_USER_INPUT for query Page",
        "4400 for a WebSocket",
    ]
    assert {record.levelname for record in told} == {"INFO"}
    assert not any(record.exc_info for record in logged.records)
    assert CANARY not in logged.text
    assert CANARY.replace("-", "_") not in logged.text
    hashes = [record.getMessage().rpartition("(")[2] for record in told[:4]]
    assert hashes[0] == hashes[3] != hashes[1]


def test_a_flood_of_refusals_is_no_flood_of_lines(logged: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = RefusalLog(lambda: now)
    for _ in range(MOST_LINES + 25):
        log.note("%s", "one")
    assert len(logged.records) == MOST_LINES
    now = 61.0
    log.note("%s", "two")
    assert [record.getMessage() for record in logged.records[MOST_LINES:]] == [
        "25 more refusals came than were written here.",
        "two",
    ]


def _resolver(raised: Exception, place: Place) -> Callable[..., Any]:
    def resolve(*_: Any, **__: Any) -> Any:
        if place.in_list:
            return [raised, None]
        raise raised

    return resolve


def _each(event: Any, *_: Any, **__: Any) -> Any:
    if isinstance(event, Exception):
        raise event
    return event


def _failing_source(raised: Exception) -> Callable[..., AsyncIterator[Any]]:
    async def follow(*_: Any) -> AsyncIterator[Any]:
        _each(raised)
        yield

    return follow


def _judge_log(logged: pytest.LogCaptureFixture, raised: Exception, code: str, request_id: str) -> None:
    """What nobody meant is there once, with its traceback and the request's id; what clients do wrong is a line."""
    failures = [record for record in logged.records if record.levelno >= logging.ERROR]
    refusals = [record for record in logged.records if record.name == "gql.refusal_log"]
    if code == "INTERNAL_SERVER_ERROR":
        [failure] = failures
        assert failure.exc_info is not None
        assert request_id in failure.getMessage()
        assert refusals == []
    else:
        assert failures == []
        [refusal] = refusals
        assert refusal.getMessage().startswith(code)
        assert CANARY not in refusal.getMessage(), raised
