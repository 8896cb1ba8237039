"""What one caller may ask at once: refused before it costs anything, and never at the expense of others."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

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
