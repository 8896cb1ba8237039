"""Budgets over HTTP and WebSocket: told with each answer, shared by servers on one database, refused kindly."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from domain.entities.user import Role
from gql.cost_weights import PAGE
from tests.gql.client import JSON, RESPONSE_JSON, Client
from tests.gql.server import TetherServer, running_tether
from tests.gql.streams import open_stream
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

LIMIT: Final = 1_000
SMALL: Final = {
    "TETHER_MAX_COST": "600",
    "TETHER_BUDGET_POINTS": str(LIMIT),
    "TETHER_BUDGET_POINTS_PER_MINUTE": "6",
}
ME: Final = "{ viewer { user { id } } }"
LEFT: Final = "{ rateLimit { cost limit remaining resetAt } }"
DEAR: Final = "query Dear($n: Int!) { viewer { memberships(first: $n) { nodes { role joinedAt user { id name } } } } }"
DEAR_COST: Final = 1 + PAGE.points + 1 + 100 * 5
FOLLOW: Final = """
subscription ($id: ID!, $after: String) {
  connectionEvents(organizationId: $id, after: $after) { sequence type cursor connection { id } }
}
"""


@pytest.fixture
async def small(database_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    """A server on which little may be asked."""
    async with running_tether(database_url, sandbox, encryption_key, **SMALL) as running:
        yield running


async def test_each_answer_tells_what_it_cost_and_what_is_left(small: TetherServer) -> None:
    client = await small.member()
    before = datetime.now(UTC)

    told = _told((await client.execute(ME)).body)
    assert (told["requested"], told["limit"], told["remaining"]) == (3, LIMIT, LIMIT - 3)
    full = datetime.fromisoformat(told["resetAt"]) - timedelta(seconds=30)
    assert before - timedelta(milliseconds=1) <= full <= datetime.now(UTC)
    async with small.subscribe(client, ME) as followed:
        told = _told((await followed.message())["payload"])
        assert (told["requested"], told["limit"]) == (3, LIMIT)
        assert LIMIT - 6 <= told["remaining"] <= LIMIT - 5
    left = (await client.data(LEFT + " "))["rateLimit"]
    assert (left["cost"], left["limit"]) == (0, LIMIT)
    assert LIMIT - 6 <= left["remaining"] <= LIMIT - 3
    both = await client.execute("{ viewer { user { id } } rateLimit { cost } }")
    assert both.data["rateLimit"] == {"cost": 3}
    failed = await client.execute('{ organization(by: {slug: "a"}) { connections(first: 1000) { totalCount } } }')
    assert failed.error[0] == "BAD_USER_INPUT"
    assert _told(failed.body)["requested"] == 31, "it is paid before it runs"


async def test_whoever_has_nothing_left_is_told_until_when_and_others_are_answered(small: TetherServer) -> None:
    client, other = await small.member(), await small.member(Role.ADMIN)
    await _spend_all(client)

    answer = await client.post({"query": DEAR, "variables": {"n": 100}}, accept=RESPONSE_JSON)
    [error] = answer.errors
    seconds = error["extensions"]["retryAfterSeconds"]
    assert (answer.status, answer.response.headers["retry-after"]) == (429, str(seconds))
    assert 0 < seconds <= 10 * DEAR_COST
    assert error["message"] == (
        f"This operation costs {DEAR_COST} points, more than you have left. Try again in {seconds} s; "
        "`rateLimit` tells what you have, and costs nothing."
    )
    assert "data" not in answer.body
    assert _told(answer.body)["remaining"] < DEAR_COST
    legacy = await client.post({"query": DEAR, "variables": {"n": 100}}, accept=JSON)
    assert (legacy.status, legacy.error[0]) == (200, "RATE_LIMITED")
    assert "retry-after" in legacy.response.headers
    async with small.socket(client.token) as socket:
        assert (await (await socket.subscribe(DEAR, n=100)).error())[0] == "RATE_LIMITED"
        told = (await (await socket.subscribe(LEFT)).next())["rateLimit"]
        assert told["remaining"] < DEAR_COST
    assert await other.data(DEAR, n=100)
    requests = (await small.http.get("/metrics")).text
    assert 'tether_graphql_requests_total{kind="query",outcome="RATE_LIMITED"} 6.0' in requests


async def test_a_long_text_that_is_not_known_is_paid_before_it_is_read(small: TetherServer) -> None:
    client = await small.member()
    padding = "#" + "x" * 700

    for query, code in (
        (f"{{ nonsense {padding}", "GRAPHQL_PARSE_FAILED"),
        (f"{{ nonsense }} {padding}", "RATE_LIMITED"),
    ):
        assert (await client.error(query))[0] == code
        await client.error("{ nonsense }")
    spent = LIMIT - (await client.data(LEFT))["rateLimit"]["remaining"]
    assert len(padding) - 200 < spent <= len(padding) - 200 + 11


async def test_servers_on_one_database_share_a_persons_budget_whichever_key_is_used(
    small: TetherServer, database_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    token = await small.token("acme", "ada@acme.example", Role.OWNER)
    again = await small.token("globex", "ada@acme.example", Role.OWNER)
    async with running_tether(database_url, sandbox, encryption_key, **SMALL) as other:
        one, elsewhere = small.client(token), other.client(again)
        answered = refused = 0
        for number in range(80):
            body = (await (one, elsewhere)[number % 2].execute(DEAR, n=4)).body  # 32 points
            answered += "errors" not in body
            refused += "errors" in body
        assert refused > 0
        held = 2 * LIMIT // 20
        assert LIMIT - held - 32 <= 32 * answered <= LIMIT + 32, "some comes back meanwhile"


async def test_an_operation_that_costs_more_than_may_be_says_by_what(small: TetherServer) -> None:
    client = await small.member()
    query = (
        "query Q($n: Int!) { viewer { memberships(first: $n) { nodes { "
        "role joinedAt organization { id slug name viewerRole } } } } }"
    )
    cost = 1 + PAGE.points + 1 + 100 * 7

    answer = await client.post({"query": query, "variables": {"n": 100}}, accept=RESPONSE_JSON)

    [error] = answer.errors
    assert (answer.status, error["message"]) == (
        400,
        f"This operation costs {cost} points; 600 are the most, and 500 are for viewer.memberships.nodes.organization. "
        "Ask for smaller pages, or for less of each item.",
    )
    assert error["extensions"] == {
        "code": "COST_LIMIT_EXCEEDED",
        "requestId": answer.request_id,
        "cost": cost,
        "limit": 600,
    }
    assert set(answer.body) == {"errors"}, "it was paid by nobody"
    async with small.subscribe(client, query, n=100) as followed:
        assert (await followed.error())[0] == "COST_LIMIT_EXCEEDED"
    assert await client.data(query, n=80)


async def test_a_subscription_pays_for_each_event_and_waits_where_it_cannot(
    database_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    variables = SMALL | {"TETHER_BUDGET_POINTS_PER_MINUTE": "120"}
    async with running_tether(database_url, sandbox, encryption_key, **variables) as server:
        client = server.client(await server.token("acme", "follower@acme.example", Role.OWNER))
        maker, editor = await server.member(), await server.member(Role.ADMIN)  # to connect costs half a budget
        connection = await server.connect(maker)
        organization_id = await server.organization_id()
        after = f"evt~{organization_id.removeprefix('org_')}~1~0"
        async with server.subscribe(client, FOLLOW, id=organization_id, after=after) as followed:
            paid = []
            for _ in range(4):
                told = _told((await followed.message())["payload"])
                paid.append(told["limit"] - told["remaining"])
                assert told["requested"] == 6
            assert 6 * 2 < paid[-1] <= 6 * 5, "its start, and four events; some comes back meanwhile"
            async with open_stream(server, client.token, FOLLOW, id=organization_id, after=after) as stream:
                streamed = [_told(await stream.next())["remaining"] for _ in range(4)]
            assert streamed[0] - streamed[-1] > 6, "each event is paid there, too"
            await _spend_all(client)
            await editor.mutate("updateConnection", "connection { id }", connectionId=connection["id"], name="New")

            event = await followed.event()
            assert (event["sequence"], event["connection"]["id"]) == (5, connection["id"])


async def test_strangers_who_may_introspect_have_no_budget(small: TetherServer) -> None:
    stranger = small.client(None)
    answer = await stranger.execute('{ __type(name: "User") { name } }')
    assert (answer.data, set(answer.body)) == ({"__type": {"name": "User"}}, {"data"})
    assert (await stranger.error(LEFT))[0] == "UNAUTHENTICATED"
    assert (await stranger.error("{ __schema { queryType { name } } }"))[0] == "COST_LIMIT_EXCEEDED"


def _told(body: Any) -> dict[str, Any]:
    told: dict[str, Any] = body["extensions"]["cost"]
    return told


async def _spend_all(client: Client) -> None:
    """Until hardly anything can be asked any more."""
    for query, variables in ((DEAR, {"n": 100}), (DEAR, {"n": 4}), (ME, {})):
        while "errors" not in (await client.execute(query, **variables)).body:
            pass
