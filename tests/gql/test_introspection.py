"""Who may look at the schema, and what wrong names are answered with: in development more than in production."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from domain.key_ring import generate_key
from tests.gql.server import TetherServer, running_tether
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

LOOKS = [
    "{ __schema { types { name } } }",
    "{ __schema { ...All } } fragment All on __Schema { queryType { fields { name args { name } } } }",
    '{ mine: __type(name: "User") { fields { name } } }',
    "{ ...Root } fragment Root on Query { ... on Query { looked: __schema { directives { name } } } }",
    "{ __typename }",
    "query Named { kind: __typename }",
]
NEARLY: list[tuple[str, dict[str, Any], str]] = [
    ("{ viewr { user { id } } }", {}, "'viewer'"),
    ("{ viewer }", {}, "'viewer { ... }'"),
    ('{ node(ide: "x") { id } }', {}, "'id'"),
    ("{ viewer { ...F } } fragment F on Viewr { user { id } }", {}, "'Viewer'"),
    ("query ($f: ServiceConnectionFilte) { viewer { user { id } } }", {}, "'ServiceConnectionFilter'"),
    ('{ organization(by: {slgu: "acme"}) { id } }', {}, "'slug'"),
    (
        '{ organization(by: {slug: "acme"}) { connections(filter: {status: [ACTIV]}) { totalCount } } }',
        {},
        "'ACTIVE'",
    ),
    (
        'query ($f: ServiceConnectionFilter) { organization(by: {slug: "acme"}) { connections(filter: $f) { totalCount '
        "} } }",
        {"f": {"stauts": ["ACTIVE"]}},
        "'status'",
    ),
    (
        'query ($f: ServiceConnectionFilter) { organization(by: {slug: "acme"}) { connections(filter: $f) { totalCount '
        "} } }",
        {"f": {"status": ["ACTIV"]}},
        "'ACTIVE'",
    ),
    ('subscription { conectionEvents(organizationId: "x") { id } }', {}, "'connectionEvents'"),
]


@pytest.fixture(scope="module")
async def production(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, sandbox: SandboxServer
) -> AsyncIterator[TetherServer]:
    file = tmp_path_factory.mktemp("production") / "tether.db"
    shutil.copyfile(sqlite_template, file)
    settings = {"TETHER_ENVIRONMENT": "production", "TETHER_PUBLIC_URL": "https://tether.example"}
    async with running_tether(f"sqlite+aiosqlite:///{file}", sandbox, generate_key(), **settings) as running:
        yield running


@pytest.mark.parametrize("query", LOOKS)
async def test_in_production_only_who_is_let_in_looks_at_the_schema(production: TetherServer, query: str) -> None:
    member = await production.member()
    assert await member.data(query)
    async with production.socket(member.token) as socket:
        assert await (await socket.subscribe(query)).next()

    async with production.socket(None) as socket:
        told = {await production.client().error(query), await (await socket.subscribe(query)).error()}
    assert [code for code, _ in told] == ["UNAUTHENTICATED"]
    assert (await production.client("tether_wrong").error(query))[0] == "UNAUTHENTICATED"


@pytest.mark.parametrize("query", LOOKS)
async def test_in_development_everybody_does(shared_server: TetherServer, query: str) -> None:
    assert await shared_server.client().data(query)
    async with shared_server.socket(None) as socket:
        assert await (await socket.subscribe(query)).next()


@pytest.mark.parametrize(("query", "variables", "meant"), NEARLY)
async def test_what_may_have_been_meant_is_told_in_development_alone(
    shared_server: TetherServer, production: TetherServer, query: str, variables: dict[str, Any], meant: str
) -> None:
    async def told(server: TetherServer) -> set[str]:
        member = await server.member()
        async with server.socket(member.token) as socket:
            by_socket = (await (await socket.subscribe(query, **variables)).message())["payload"]
        by_post = (await member.execute(query, **variables)).errors
        return {error["message"] for error in [*by_post, *by_socket]}

    suggested = [message for message in await told(shared_server) if "Did you mean" in message]
    assert suggested
    assert all(meant in message for message in suggested)
    in_production = " ".join(await told(production))
    assert "Did you mean" not in in_production
    assert meant not in in_production


@pytest.mark.parametrize(
    "query",
    [
        "{ viewer { " + " ".join(f"memberships{n}" for n in range(600)) + " } }",
        "{ organization(by: {" + " ".join(f"slug{n}: 1" for n in range(90)) + "}) { id } }",
        "{ viewer { id } } " + " ".join(f"fragment F{n} on ServiceConnectio{n} {{ id }}" for n in range(90)),
        '{ organization(by: {slug: "acme"}) { events(filter: {types: ['
        + " ".join(f"HEALTH_CHANGES{n}" for n in range(450))
        + "]}) { totalCount } } }",
    ],
)
async def test_of_hundreds_of_wrong_names_the_first_few_are_told(shared_server: TetherServer, query: str) -> None:
    member = await shared_server.member()
    errors = (await member.execute(query)).errors

    assert len(errors) == 6
    assert errors[-1]["message"] == "There are more than 5 errors; these are the first."
    assert {error["extensions"]["code"] for error in errors} == {"GRAPHQL_VALIDATION_FAILED"}
