"""Operations that are made up from the schema are answered as the contract says, on either database; and the judge sees
when they aren't."""

import asyncio
import random
from typing import Any

import pytest
from graphql import GraphQLSchema

from gql.schema import build_schema
from tests.fuzz.judge import judge
from tests.fuzz.schemathesis_run import run_schemathesis
from tests.fuzz.serving import fuzzed_server
from tests.fuzz.strategies import CANARY, plain
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

_OPERATIONS = 60
_QUERY = '{ node(id: "") { __typename id ... on User { name } } }'


async def test_made_up_operations_are_answered_as_the_contract_says(database_url: str, sandbox: SandboxServer) -> None:
    """Over HTTP and WebSocket, with equal answers from the slow evaluator, and nothing of Tether's insides."""
    seed = random.SystemRandom().getrandbits(32)
    async with fuzzed_server(database_url, sandbox) as fuzzed:
        report = await asyncio.to_thread(fuzzed.fuzzer.run, _OPERATIONS, seed)

    assert report.equal >= _OPERATIONS / 10, report
    kinds = {"compared", "queries", "invalid", "subscriptions", "over a socket", "mutations"}
    assert set(report.answers) == kinds, report


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_schemathesis_finds_nothing(database_url: str, sandbox: SandboxServer) -> None:
    seed = random.SystemRandom().getrandbits(32)
    async with fuzzed_server(database_url, sandbox) as fuzzed:
        sent = await asyncio.to_thread(
            run_schemathesis, fuzzed.server.url, fuzzed.owner, examples=1, seed=seed, secrets=fuzzed.secrets
        )

    assert len(sent) > 20, f"seed {seed}: {sent}"


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return plain(build_schema().as_str())


_ERROR: dict[str, Any] = {"message": "No.", "extensions": {"code": "FORBIDDEN", "requestId": "r1"}}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"errors": []},
        {"data": None, "errors": [_ERROR], "debug": 1},
        {"data": None, "errors": [{**_ERROR, "stack": []}]},
        {"errors": [{**_ERROR, "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "r1"}}]},
        {"errors": [{**_ERROR, "extensions": {"code": "FORBIDDEN", "requestId": "other"}}]},
        *(
            {"errors": [{**_ERROR, "message": message}]}
            for message in (
                "",
                "KeyError: 'id'",
                'File "/usr/lib/x.py", line 1',
                "<gql.context.Context object at 0x7f>",
                "no such column in SELECT id FROM users",
                "asyncpg is unhappy",
                CANARY,
                "a sealed-secret is here",
            )
        ),
        {"data": {"node": {"__typename": "User", "id": 1.5, "name": "Ada"}}},
        {"data": {"node": {"__typename": "User", "id": "user_1"}}},
        {"data": {"node": {"__typename": "User", "id": "user_1", "name": None}}},
        {"data": {"node": {"__typename": "User", "name": "Ada", "id": "user_1"}}},
        {"data": {"node": {"__typename": "Nobody", "id": "user_1"}}},
        {"data": {"other": None}},
    ],
)
def test_the_judge_sees_what_is_wrong(answer: dict[str, Any], schema: GraphQLSchema) -> None:
    good = {"data": {"node": {"__typename": "User", "id": "user_1", "name": "Ada"}}}
    for fine in (good, {"data": {"node": None}}, {"data": None, "errors": [_ERROR]}):
        judge(_QUERY, fine, "r1", schema, ["sealed-secret"])

    with pytest.raises((AssertionError, KeyError)):
        judge(_QUERY, answer, "r1", schema, ["sealed-secret"])
