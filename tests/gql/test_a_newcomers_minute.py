"""The story that the README tells: connect, check, pause, list, and watch it all. The feed can be relied on."""

import asyncio
import random
from typing import Any

import pytest

from tests.gql.client import Client
from tests.gql.server import TetherServer

pytestmark = pytest.mark.anyio

EVENTS = """
subscription ($organizationId: ID!, $after: String) {
  connectionEvents(organizationId: $organizationId, after: $after) {
    cursor sequence type connection { name status } actor { kind user { name } }
    status { from to reason { code message } } health { status } data
  }
}
"""
HEAD = '{ organization(by: {slug: "acme"}) { eventCursor connections { nodes { name version } } } }'


async def test_a_newcomer_connects_two_services_pauses_one_and_watches(server: TetherServer) -> None:
    client = await server.member()
    viewer = await client.data(
        "{ viewer { user { name email } memberships { nodes { role organization { id slug eventCursor } } } } }"
    )
    [membership] = viewer["viewer"]["memberships"]["nodes"]
    assert viewer["viewer"]["user"] == {"name": "owner", "email": "owner@acme.example"}
    assert (membership["role"], membership["organization"]["slug"]) == ("OWNER", "acme")
    organization_id = membership["organization"]["id"]

    head = membership["organization"]["eventCursor"]
    async with server.subscribe(client, EVENTS, organizationId=organization_id, after=head) as live:
        github = await server.connect(client, name="Code", token=await server.credential("github"))
        slack = await server.connect(client, name="Chat", service="slack", token=await server.credential("slack"))
        for connection in (github, slack):
            checked = await client.mutate(
                "checkConnectionHealth",
                "healthCheck { status message trigger probes { name outcome } }",
                connectionId=connection["id"],
            )
            assert checked["userErrors"] == []
            assert (checked["healthCheck"]["status"], checked["healthCheck"]["trigger"]) == ("HEALTHY", "MANUAL")
        paused = await client.mutate(
            "updateConnectionStatus",
            "connection { status availableStatuses statusReason { code message } }",
            connectionId=github["id"],
            status="INACTIVE",
            reason="Moving house",
        )
        assert paused["connection"] == {
            "status": "INACTIVE",
            "availableStatuses": ["ACTIVE"],
            "statusReason": {"code": "PAUSED", "message": "Moving house"},
        }
        listed = await client.data(
            "query ($id: ID!) { organization(by: {id: $id}) { connections(orderBy: {field: NAME, direction: ASC}) "
            "{ totalCount nodes { name status service { id name } health { status } } } } }",
            id=organization_id,
        )
        assert listed["organization"]["connections"] == {
            "totalCount": 2,
            "nodes": [
                {
                    "name": "Chat",
                    "status": "ACTIVE",
                    "service": {"id": "slack", "name": "Slack"},
                    "health": {"status": "HEALTHY"},
                },
                {
                    "name": "Code",
                    "status": "INACTIVE",
                    "service": {"id": "github", "name": "GitHub"},
                    "health": {"status": "HEALTHY"},
                },
            ],
        }
        seen = await live.events(11)

    created = ["CREATED", "HEALTH_CHECKED", "HEALTH_CHANGED", "STATUS_CHANGED"]
    assert [event["type"] for event in seen] == [
        *created,
        *created,
        "HEALTH_CHECKED",
        "HEALTH_CHECKED",
        "STATUS_CHANGED",
    ]
    assert [event["sequence"] for event in seen] == list(range(1, 12))
    assert [event["connection"]["name"] for event in seen] == ["Code"] * 4 + ["Chat"] * 4 + ["Code", "Chat", "Code"]
    assert {(event["actor"]["kind"], event["actor"]["user"]["name"]) for event in seen} == {("API_KEY", "owner")}
    assert seen[-1]["status"] == {
        "from": "ACTIVE",
        "to": "INACTIVE",
        "reason": {"code": "PAUSED", "message": "Moving house"},
    }
    async with server.subscribe(client, EVENTS, organizationId=organization_id, after=seen[4]["cursor"]) as replay:
        replayed = await replay.events(6)
    assert [event["cursor"] for event in replayed] == [event["cursor"] for event in seen[5:]]


async def test_nothing_is_missed_or_seen_twice_between_a_query_and_the_subscription_after_it(
    server: TetherServer,
) -> None:
    """Writers never pause; each follower reads the list, subscribes after its cursor, and now and then starts over."""
    client = await server.member()
    names = [f"writer-{number}" for number in range(8)]
    made = [await server.connect(client, name=name) for name in names]
    organization_id = await server.organization_id()
    last = 4 * len(names) + 10 * len(names)

    async def write(connection: dict[str, Any]) -> None:
        for number in range(10):
            await client.mutate(
                "updateConnection",
                "connection { id }",
                connectionId=connection["id"],
                name=f"{connection['id'][-12:]}-{number}",
            )

    async def follow(seed: int) -> tuple[int, list[int]]:
        chance = random.Random(seed)  # noqa: S311 - the same each time
        return await _follow(server, client, organization_id, last, chance)

    seen_by_each, _ = await asyncio.gather(asyncio.gather(*map(follow, range(5))), asyncio.gather(*map(write, made)))

    for first, seen in seen_by_each:
        assert seen == list(range(first + 1, last + 1))


async def _follow(
    server: TetherServer, client: Client, organization_id: str, last: int, chance: random.Random
) -> tuple[int, list[int]]:
    """Where the follower began, and the numbers of the events that it then saw until the last one."""
    cursor = (await client.data(HEAD))["organization"]["eventCursor"]
    first = int(cursor.rsplit("~", 1)[1])
    seen: list[int] = []
    while not seen or seen[-1] < last:
        async with server.subscribe(client, EVENTS, organizationId=organization_id, after=cursor) as followed:
            for _ in range(chance.randint(1, 40)):
                event = await followed.event()
                seen.append(event["sequence"])
                cursor = event["cursor"]
                if seen[-1] == last:
                    break
    return first, seen
