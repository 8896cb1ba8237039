"""What one caller may ask at once: refused before it costs anything, and never at the expense of others."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import update
from websockets.exceptions import ConnectionClosed

from domain.key_ring import generate_key
from gql.limit_settings import Limits
from persistence.documents.reader import AT_ONCE
from persistence.tables import api_keys
from tests.gql.server import TetherServer, running_tether
from tests.gql.waiting import eventually
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

DEEP = """
query Deep($n: Int!) {
  organization(by: {slug: "acme"}) {
    connections(first: $n) { nodes { organization { connections(first: $n) { nodes { repositories(first: $n) {
      nodes { id }
    } } } } } }
  }
}
"""


async def test_a_read_that_could_answer_with_too_much_is_refused_before_it_runs(server: TetherServer) -> None:
    client = await server.member()

    # a page costs 10 and every other field 1, for each object that it is asked of
    repositories = 10 + 1 + 50 * 1
    cost = 1 + 10 + 1 + 50 * (1 + 10 + 1 + 50 * repositories)
    assert cost > Limits().cost
    compiled = server.tether.documents.compiled
    part = 50 * 50 * (1 + 50 * 1)
    assert await client.error(DEEP, n=50) == (
        "COST_LIMIT_EXCEEDED",
        f"This operation costs {cost:,} points; {Limits().cost:,} are the most, and {part:,} are for "
        "organization.connections.nodes.organization.connections.nodes.repositories.nodes. "
        "Ask for smaller pages, or for less of each item.",
    )
    assert server.tether.documents.compiled == compiled
    assert await client.data(DEEP, n=20) == {"organization": {"connections": {"nodes": []}}}


async def test_a_full_page_of_full_pages_is_answered(server: TetherServer) -> None:
    client = await server.member()
    repositories = "repositories(first: 100) { nodes { id } }"
    query = f'{{ organization(by: {{slug: "acme"}}) {{ connections(first: 100) {{ nodes {{ {repositories} }} }} }} }}'

    assert (await client.data(query))["organization"] is not None


async def test_one_callers_reads_leave_connections_for_the_others(
    server: TetherServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await server.member()
    fetch = server.tether.database.fetch
    reading = most = 0

    async def counted(sql: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        try:
            return await fetch(sql, values)
        finally:
            reading -= 1

    monkeypatch.setattr(server.tether.database, "fetch", counted)
    roots = " ".join(f'r{n}: organization(by: {{slug: "acme"}}) {{ connections {{ totalCount }} }}' for n in range(20))
    await asyncio.gather(*(client.data(f"{{ {roots} }}") for _ in range(4)))

    assert most == AT_ONCE


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("{ viewer { " + "user { id } " * 32 + "} }", "30 fields that it asks for twice"),
        ("{ viewer { ...F } } fragment F on Viewer { " + "user { id } " * 32 + "}", "30 fields that it asks for twice"),
        (
            "query Q("
            + " ".join(f"$b{n}: Boolean!" for n in range(9))
            + ") { viewer { "
            + " ".join(f"u{n}: user @include(if: $b{n}) {{ id }}" for n in range(9))
            + " } }",
            "8 variables of the type Boolean",
        ),
        ("{ " + " ".join(f"s{n}: __schema {{ queryType {{ name }} }}" for n in range(3)) + " }", "2 introspections"),
        ("{ __schema { " + " ".join(f"t{n}: types {{ name }}" for n in range(2)) + " } }", "2 introspections"),
        (
            "{ __schema { types { ...T } } } fragment T on __Type { fields { type { inputFields { name } } } }",
            "2 lists of an introspection within each other",
        ),
    ],
)
async def test_what_costs_more_than_its_size_is_refused(shared_server: TetherServer, query: str, what: str) -> None:
    client = await shared_server.member()

    assert await client.error(query) == (
        "GRAPHQL_VALIDATION_FAILED",
        f"This operation has more than {what}. Ask for less at once.",
    )


async def test_a_text_that_is_too_long_is_not_even_read(shared_server: TetherServer) -> None:
    client = await shared_server.member()

    assert await client.error("{ viewer { user { id } } } #" + "x" * 32_768) == (
        "GRAPHQL_VALIDATION_FAILED",
        "An operation has at most 32,768 characters; this has 32,796.",
    )


async def test_in_production_a_stranger_learns_nothing_of_an_operation(sqlite_url: str, sandbox: SandboxServer) -> None:
    production = {"TETHER_ENVIRONMENT": "production", "TETHER_PUBLIC_URL": "https://tether.example"}
    async with running_tether(sqlite_url, sandbox, generate_key(), **production) as server:
        for query in ("{ __schema { queryType { name } } }", "{ nonsense", "{ viewer { nonsense } }"):
            code, _ = await server.client().error(query)
            assert code == "UNAUTHENTICATED"
        async with server.socket(None) as socket:
            code, _ = await (await socket.subscribe("{ __typename }")).error()
            assert code == "UNAUTHENTICATED"
        assert await (await server.member()).data("{ __schema { queryType { name } } }")


async def test_a_socket_whose_key_was_revoked_runs_nothing_more(server: TetherServer) -> None:
    token = await server.token()
    async with server.socket(token) as socket:
        assert await (await socket.subscribe("{ viewer { user { id } } }")).next()
        await server.alter(update(api_keys).values(revoked_at=server.tether.clock()))

        async def refused() -> bool:
            return "errors" in (await server.client(token).execute("{ viewer { user { id } } }")).body

        await eventually(refused)
        with suppress(ConnectionClosed):  # which it may be already
            await socket.subscribe("{ viewer { user { id } } }")
        assert await socket.close_code() == 4403


_STRICT: Final = {
    "TETHER_MAX_DEPTH": "5",
    "TETHER_MAX_ROOT_FIELDS": "12",
    "TETHER_MAX_ALIASES": "12",
    "TETHER_MAX_REPEATED_FIELDS": "1",
    "TETHER_MAX_DIRECTIVES": "1",
    "TETHER_MAX_INTROSPECTIONS": "0",
    "TETHER_MAX_BOOLEAN_VARIABLES": "1",
    "TETHER_MAX_TOKENS": "250",
    "TETHER_MAX_CHARACTERS": "2000",
    "TETHER_MAX_VARIABLES": "2",
    "TETHER_MAX_INPUT_DEPTH": "2",
    "TETHER_MAX_INPUT_FIELDS": "3",
    "TETHER_MAX_INPUT_ITEMS": "3",
    "TETHER_MAX_PAGE_SIZE": "10",
    "TETHER_MAX_IDS": "2",
    "TETHER_MAX_STATEMENTS": "10",
    "TETHER_MAX_BODY_KILOBYTES": "3",
}
_TOO_MUCH: Final = {
    "{ viewer { memberships { nodes { user { apiKey: id } } } } }": None,
    "{ viewer { memberships { nodes { organization { members { totalCount } } } } } }": "5 levels of fields",
    "{ " + " ".join(f"a{n}: viewer {{ user {{ id }} }}" for n in range(13)) + " }": "12 aliases",
    "{ viewer { user { id id id } } }": "1 fields that it asks for twice",
    "{ viewer { user { id @skip(if: false) name @skip(if: false) } } }": "1 directives",
    "{ __schema { queryType { name } } }": "0 introspections",
    "query Q($a: Boolean!, $b: Boolean!) { viewer { user @skip(if: $a) { id @skip(if: $b) } } }": "1 directives",
    "query Q($a: Boolean!, $b: Boolean!) { viewer { user @skip(if: $a) { id } } }": "1 variables of the type Boolean",
    "query Q($a: ID!, $b: ID!, $c: ID!) { nodes(ids: [$a, $b, $c]) { id } }": "2 variables",
    '{ nodes(ids: ["a", "b", "c", "d"]) { id } }': "3 items in a list of an argument or a variable",
    "query Q($l: [ID!]! = [1, 2, 3, 4]) { nodes(ids: $l) { id } }": "3 items in a list of an argument or a variable",
    "{ viewer { user { id @skip(if: [[[true]]]) } } }": (
        "2 lists and objects within each other in an argument or a variable"
    ),
    '{ organization(by: {slug: "a", b: 1, c: 1, d: 1}) { id } }': (
        "3 fields in an object of an argument or a variable"
    ),
    "{ viewer { ...F } } fragment F on Viewer { user { id @skip(if: [1, 2, 3, 4]) } }": (
        "3 items in a list of an argument or a variable"
    ),
}


@pytest.fixture(scope="module")
async def strict(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, sandbox: SandboxServer, encryption_key: str
) -> AsyncIterator[TetherServer]:
    """A server whose operator allows little."""
    file = tmp_path_factory.mktemp("strict") / "tether.db"
    shutil.copyfile(sqlite_template, file)
    async with running_tether(f"sqlite+aiosqlite:///{file}", sandbox, encryption_key, **_STRICT) as running:
        yield running


@pytest.mark.parametrize(("query", "what"), _TOO_MUCH.items())
async def test_the_operator_says_how_much_an_operation_may_be(
    strict: TetherServer, query: str, what: str | None
) -> None:
    client = await strict.member()
    if what is None:
        assert await client.data(query)
        return
    code, message = await client.error(query)
    assert code == "GRAPHQL_VALIDATION_FAILED"
    assert message.rstrip(".").removesuffix(". Ask for less at once") == f"This operation has more than {what}"


async def test_the_operator_says_how_much_may_be_given_and_read(strict: TetherServer) -> None:
    client = await strict.member()
    nodes = "query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    by = "query Q($by: OrganizationBy!) { organization(by: $by) { id } }"
    given = (
        (nodes, {"ids": ["a"] * 3}, "nodes takes at most 2 ids; these are 3. Ask in several requests."),
        (nodes, {"ids": ["a"] * 4}, "This operation has more than 3 items in a list of an argument or a variable."),
        (
            by,
            {"by": {"slug": [["a"]]}},
            "This operation has more than 2 lists and objects within each other in an argument or a variable.",
        ),
        (
            by,
            {"by": dict.fromkeys("abcd", "")},
            "This operation has more than 3 fields in an object of an argument or a variable.",
        ),
        (
            "query Q($n: Int!) { viewer { memberships(first: $n) { totalCount } } }",
            {"n": 11},
            "first is at least 0 and at most 10; it is 11. Ask for further pages.",
        ),
    )
    for query, variables, message in given:
        assert await client.error(query, **variables) == ("BAD_USER_INPUT", message)
    assert await client.data(nodes, ids=["a", "b"]) == {"nodes": [None, None]}
    body = await client.post({"query": "{ viewer { user { id } } }", "variables": {}, "extensions": {"a": "x" * 3_072}})
    assert (body.status, body.error[1]) == (413, "The body is larger than 3 KiB.")
    assert (await client.error("{ viewer { user { id } } } #" + "x" * 2_000))[1].startswith(
        "An operation has at most 2,0"
    )
    assert (await client.error("{ viewer { user { " + "id " * 250 + "} } }"))[0] == "GRAPHQL_PARSE_FAILED"


async def test_an_operation_that_runs_too_many_statements_ends_at_the_field_that_wants_one_more(
    strict: TetherServer,
) -> None:
    client = await strict.member()
    roots = [f'r{n}: organization(by: {{slug: "acme"}}) {{ slug }}' for n in range(11)]

    answer = await client.execute("{ " + " ".join(roots) + " }")

    assert answer.error == (
        "COST_LIMIT_EXCEEDED",
        "This operation takes more than 10 statements of the database. Ask for less at once.",
    )
    [refused] = [key for key, value in answer.body["data"].items() if value is None]
    assert answer.errors[0]["path"] == [refused]
    for _ in range(2):
        assert len(await client.data("{ " + " ".join(roots[:10]) + " }")) == 10
