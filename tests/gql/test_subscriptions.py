"""Both subscriptions: where they begin, what they let through, and what doesn't stop them."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from domain.entities.identifiers import new_id
from domain.entities.task import WHOLE_SERVER, Task, TaskKind
from domain.entities.user import Role
from domain.errors import CursorExpired
from domain.event_retention import EventRetention
from persistence.event_reader import EventReader
from persistence.tables import event_counters, memberships
from tests.gql.client import Client
from tests.gql.server import TetherServer, running_tether, uuid_of
from tests.gql.waiting import eventually
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

EVENTS = """
subscription ($organizationId: ID!, $after: String, $filter: ConnectionEventFilter) {
  connectionEvents(organizationId: $organizationId, after: $after, filter: $filter) {
    cursor sequence type connection { id name status version }
  }
}
"""
HEALTH = """
subscription ($organizationId: ID!, $after: String, $connectionIds: [ID!]) {
  connectionHealth(organizationId: $organizationId, after: $after, connectionIds: $connectionIds) {
    cursor sequence type connection { id }
  }
}
"""
EXPIRED = (
    "CURSOR_EXPIRED",
    "The event feed no longer reaches back to this cursor. Read the current state with its eventCursor, and subscribe "
    "after that.",
)


async def test_without_a_cursor_only_what_happens_from_now_on_is_told(server: TetherServer) -> None:
    client = await server.member()
    connection = await server.connect(client)
    async with server.subscribe(client, EVENTS, organizationId=await server.organization_id()) as followed:
        coming = asyncio.create_task(followed.event())

        async def come() -> bool:
            await _rename(client, connection["id"], f"N{time.monotonic_ns()}")
            return coming.done()

        await eventually(come)  # when a subscription has begun, only its first event tells
        event = await coming
    assert (event["type"], event["connection"]["id"]) == ("UPDATED", connection["id"])


async def test_after_a_cursor_what_happened_since_comes_first_and_then_it_goes_on(server: TetherServer) -> None:
    client = await server.member()
    connection = await server.connect(client)
    head = await _head(client)
    for name in ("One", "Two", "Three"):
        await _rename(client, connection["id"], name)
    organization_id = await server.organization_id()

    async with server.subscribe(client, EVENTS, organizationId=organization_id, after=head) as followed:
        replayed = await followed.events(3)
        await _rename(client, connection["id"], "Four")
        live = await followed.event()
    assert [event["sequence"] for event in [*replayed, live]] == [5, 6, 7, 8]
    assert live["cursor"] == await _head(client)
    async with server.subscribe(
        client, EVENTS, organizationId=organization_id, after=replayed[1]["cursor"]
    ) as followed:
        assert [event["sequence"] for event in await followed.events(2)] == [7, 8]


async def test_a_long_replay_comes_whole_and_in_order(server: TetherServer) -> None:
    client = await server.member()
    connection = await server.connect(client)
    for number in range(240):  # more than are read at once
        await _rename(client, connection["id"], f"N{number}")

    async with server.subscribe(
        client, EVENTS, organizationId=await server.organization_id(), after=await _cursor(server, sequence=0)
    ) as followed:
        assert [event["sequence"] for event in await followed.events(244)] == list(range(1, 245))


@pytest.mark.parametrize("cursor", ["", "x", "evt~x~1~1", "evt~1~1", "con~{}~1~1", "evt~{}~1~x", "evt~{}~1~1~1"])
async def test_a_text_that_is_no_place_in_a_feed_is_refused(shared_server: TetherServer, cursor: str) -> None:
    client = await shared_server.member()
    organization_id = await shared_server.organization_id()
    after = cursor.format(uuid_of(organization_id))

    async with shared_server.subscribe(client, EVENTS, organizationId=organization_id, after=after) as followed:
        assert await followed.error() == (
            "BAD_USER_INPUT",
            f"{after!r} is no place in an event feed. Use an event's cursor, or an eventCursor.",
        )


async def test_a_cursor_of_another_organization_is_refused(server: TetherServer) -> None:
    client = await server.member()
    await server.member(organization="globex")

    async with server.subscribe(
        client, EVENTS, organizationId=await server.organization_id(), after=await _cursor(server, "globex")
    ) as followed:
        assert await followed.error() == (
            "BAD_USER_INPUT",
            "This cursor is of another organization. Begin again without it.",
        )


async def test_a_cursor_that_the_feed_no_longer_knows_has_expired(server: TetherServer) -> None:
    client = await server.member()
    await server.connect(client)
    organization_id = await server.organization_id()
    await server.alter(update(event_counters).values(epoch=2, pruned_sequence=2))

    for epoch, sequence in ((1, 4), (3, 4), (2, 1), (2, 5)):
        after = await _cursor(server, epoch=epoch, sequence=sequence)
        async with server.subscribe(client, EVENTS, organizationId=organization_id, after=after) as followed:
            assert await followed.error() == EXPIRED
    after = await _cursor(server, epoch=2, sequence=2)
    async with server.subscribe(client, EVENTS, organizationId=organization_id, after=after) as followed:
        assert [event["sequence"] for event in await followed.events(2)] == [3, 4]


@pytest.mark.parametrize("change", [{"epoch": 2}, {"pruned_sequence": 100, "sequence": 120}])
async def test_a_subscription_ends_where_its_place_in_the_feed_is_gone(
    server: TetherServer, change: dict[str, int]
) -> None:
    client = await server.member()
    organization_id, after = await server.organization_id(), await _cursor(server)
    async with server.subscribe(client, EVENTS, organizationId=organization_id, after=after) as followed:
        await server.connect(client)
        await followed.events(4)
        await server.alter(update(event_counters).values(**change))

        assert await followed.error() == EXPIRED


async def test_a_cursor_before_what_retention_has_forgotten_has_expired(server: TetherServer) -> None:
    client = await server.member()
    organization_id, start = await server.organization_id(), await _cursor(server)
    await server.connect(client)
    head = await _head(client)
    tether, later = server.tether, server.tether.clock() + timedelta(days=91)
    task = Task(new_id(), TaskKind.FORGET_EVENTS, WHOLE_SERVER, None, later)
    await EventRetention(tether.units_of_work, lambda: later, timedelta(days=90)).forget(task)
    await server.connect(client)

    async with server.subscribe(client, EVENTS, organizationId=organization_id, after=start) as followed:
        assert await followed.error() == EXPIRED
    async with server.subscribe(client, EVENTS, organizationId=organization_id, after=head) as followed:
        assert [event["sequence"] for event in await followed.events(2)] == [5, 6]


async def test_what_is_forgotten_while_it_is_read_is_told_and_not_passed_over(server: TetherServer) -> None:
    client = await server.member()
    await server.connect(client)
    organization_id = uuid_of(await server.organization_id())
    assert client.token is not None
    viewer = await server.tether.user_service.authenticate(client.token)
    events = EventReader(server.tether.database)
    assert await events.sequences(viewer, organization_id, after=0, up_to=4) == [1, 2, 3, 4]
    await server.alter(update(event_counters).values(pruned_sequence=2))
    with pytest.raises(CursorExpired):
        await events.sequences(viewer, organization_id, after=1, up_to=4)
    assert await events.sequences(viewer, organization_id, after=2, up_to=4) == [3, 4]
    assert await events.sequences(viewer, organization_id, after=0, up_to=0) == []


async def test_a_filter_lets_through_what_it_names(server: TetherServer) -> None:
    client = await server.member()
    organization_id, after = await server.organization_id(), await _cursor(server)
    first, second = [(await server.connect(client, name=name))["id"] for name in ("First", "Second")]
    both = [first, second]

    async def types_of(query: str, number: int, **variables: Any) -> list[tuple[int, str]]:
        async with server.subscribe(
            client, query, organizationId=organization_id, after=after, **variables
        ) as followed:
            events = await followed.events(number)
        return [(both.index(event["connection"]["id"]), event["type"]) for event in events]

    only = {"types": ["CREATED", "STATUS_CHANGED"], "connectionIds": [second]}
    assert await types_of(EVENTS, 2, filter=only) == [(1, "CREATED"), (1, "STATUS_CHANGED")]
    assert await types_of(EVENTS, 2, filter={"types": ["CREATED"]}) == [(0, "CREATED"), (1, "CREATED")]
    assert [index for index, _ in await types_of(EVENTS, 4, filter={"connectionIds": [second]})] == [1] * 4
    health = ["HEALTH_CHECKED", "HEALTH_CHANGED", "STATUS_CHANGED"]
    assert await types_of(HEALTH, 6) == [(0, type_) for type_ in health] + [(1, type_) for type_ in health]
    assert await types_of(HEALTH, 3, connectionIds=[second]) == [(1, type_) for type_ in health]


async def test_a_filter_that_lets_nothing_through_does_not_end_the_subscription(server: TetherServer) -> None:
    client = await server.member()
    organization_id, after = await server.organization_id(), await _cursor(server)
    only = {"types": ["DELETED"]}
    async with server.subscribe(client, EVENTS, organizationId=organization_id, after=after, filter=only) as followed:
        connection = await server.connect(client)
        await _rename(client, connection["id"], "New")
        await client.mutate("deleteConnection", "deletedConnectionId", connectionId=connection["id"])

        event = await followed.event()
    assert (event["sequence"], event["type"]) == (6, "DELETED")


async def test_an_event_shows_its_connection_as_it_is_at_delivery_also_after_its_end(server: TetherServer) -> None:
    client = await server.member()
    connection = await server.connect(client, name="Old")
    await _rename(client, connection["id"], "New")
    await client.mutate("deleteConnection", "deletedConnectionId", connectionId=connection["id"])

    after = await _cursor(server)
    async with server.subscribe(client, EVENTS, organizationId=await server.organization_id(), after=after) as followed:
        events = await followed.events(6)
    assert [event["type"] for event in events][-2:] == ["UPDATED", "DELETED"]
    assert {event["connection"]["name"] for event in events} == {"New"}
    assert {event["connection"]["id"] for event in events} == {connection["id"]}


async def test_several_subscriptions_on_one_socket_each_get_what_they_select(server: TetherServer) -> None:
    client = await server.member()
    organization_id, after = await server.organization_id(), await _cursor(server)
    await server.connect(client, name="Code")
    selections = {
        "sequence": [{"sequence": 1}, {"sequence": 2}],
        "n: sequence kind: type": [{"n": 1, "kind": "CREATED"}, {"n": 2, "kind": "HEALTH_CHECKED"}],
        "data connection { service { id } }": [
            {"data": {"name": "Code", "service": "github"}, "connection": {"service": {"id": "github"}}},
            {"data": {}, "connection": {"service": {"id": "github"}}},
        ],
        "__typename ... on Node { __typename } ... @include(if: false) { id } health { status }": [
            {"__typename": "ConnectionEvent", "health": None},
            {"__typename": "ConnectionEvent", "health": {"status": "HEALTHY"}},
        ],
    }
    async with server.socket(client.token) as socket:
        followed = [
            await socket.subscribe(
                "subscription ($id: ID!, $after: String) "
                f"{{ events: connectionEvents(organizationId: $id, after: $after) {{ {selection} }} }}",
                id=organization_id,
                after=after,
            )
            for selection in selections
        ]
        for each, expected in zip(followed, selections.values(), strict=True):
            assert await each.events(2) == expected
        await followed[0].complete()
        connection = await server.connect(client, name="Chat")
        assert connection["version"] == 1
        assert (await followed[1].events(3))[-1] == {"n": 5, "kind": "CREATED"}


async def test_a_subscriber_that_stops_reading_does_not_hold_up_the_others(server: TetherServer) -> None:
    client = await server.member()
    connection = await server.connect(client, labels={str(number): "x" * 255 for number in range(32)})
    organization_id, after = await server.organization_id(), await _head(client)
    wide = (
        "subscription ($id: ID!, $after: String) { connectionEvents(organizationId: $id, after: $after) { connection { "
        + " ".join(f"l{number}: labels" for number in range(30))
        + " } } }"
    )
    async with server.socket(client.token) as stuck, server.socket(client.token) as reading:
        await stuck.subscribe(wide, id=organization_id, after=after)
        followed = await reading.subscribe(EVENTS, organizationId=organization_id, after=after)
        stuck.connection.transport.pause_reading()
        for number in range(40):  # 10 MB for the one that doesn't read
            await _rename(client, connection["id"], f"N{number}")

        assert [event["sequence"] for event in await followed.events(40)] == list(range(5, 45))
        stuck.connection.transport.abort()


async def test_what_another_process_commits_arrives(
    server: TetherServer, database_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    client = await server.member()
    organization_id, after = await server.organization_id(), await _cursor(server)
    async with (
        running_tether(database_url, sandbox, encryption_key) as other,
        server.subscribe(client, EVENTS, organizationId=organization_id, after=after) as followed,
    ):
        await other.connect(other.client(client.token), name="Code")

        events = await followed.events(4)
    assert [event["sequence"] for event in events] == [1, 2, 3, 4]
    assert events[0]["connection"]["name"] == "Code"


async def test_who_is_no_longer_a_member_hears_so_and_nothing_else(server: TetherServer) -> None:
    leaving, staying = await server.member(Role.MEMBER), await server.member(Role.ADMIN)
    organization_id, after = await server.organization_id(), await _cursor(server)
    async with (
        server.subscribe(leaving, EVENTS, organizationId=organization_id, after=after) as followed,
        server.subscribe(staying, EVENTS, organizationId=organization_id, after=after) as going_on,
    ):
        connection = await server.connect(staying)
        await followed.events(4)
        user_id = uuid_of((await leaving.data("{ viewer { user { id } } }"))["viewer"]["user"]["id"])
        await server.alter(delete(memberships).where(memberships.c.user_id == user_id))
        await _rename(staying, connection["id"], "New")

        assert await followed.error() == ("FORBIDDEN", "You belong to no organization with this id.")
        assert [event["sequence"] for event in await going_on.events(5)] == [1, 2, 3, 4, 5]


async def test_who_follows_certain_connections_hears_no_more_of_them_either(server: TetherServer) -> None:
    leaving, staying = await server.member(Role.MEMBER), await server.member(Role.ADMIN)
    connection = await server.connect(staying)
    given = {
        "organizationId": await server.organization_id(),
        "after": await _head(staying),
        "connectionIds": [connection["id"]],
    }
    by_filter = HEALTH.replace("connectionHealth", "connectionEvents").replace(
        "connectionIds: $connectionIds", "filter: {connectionIds: $connectionIds}"
    )
    async with (
        server.subscribe(leaving, by_filter, **given) as events,
        server.subscribe(leaving, HEALTH, **given) as health,
    ):
        await _rename(staying, connection["id"], "Still")
        assert (await events.event())["type"] == "UPDATED"
        user_id = uuid_of((await leaving.data("{ viewer { user { id } } }"))["viewer"]["user"]["id"])
        await server.alter(delete(memberships).where(memberships.c.user_id == user_id))
        await _rename(staying, connection["id"], "New")

        for followed in (events, health):
            assert await followed.error() == ("FORBIDDEN", "You belong to no organization with this id.")


async def test_a_field_that_takes_a_role_is_withheld_from_the_next_event_after_the_role_is_gone(
    server: TetherServer,
) -> None:
    owner = await server.member(Role.OWNER)
    other = server.client(await server.token("acme", "other@acme.example", Role.OWNER))
    connection = await server.connect(owner)
    follow = """
    subscription ($id: ID!, $after: String) {
      connectionEvents(organizationId: $id, after: $after) {
        type
        connection { organization { invitations { totalCount } } }
      }
    }
    """
    given = {"id": await server.organization_id(), "after": await _head(owner)}
    async with server.subscribe(other, follow, **given) as followed:
        await _rename(owner, connection["id"], "Before")
        assert (await followed.event())["connection"] == {"organization": {"invitations": {"totalCount": 0}}}
        user_id = (await other.data("{ viewer { user { id } } }"))["viewer"]["user"]["id"]
        demoted = {"organizationId": given["id"], "userId": user_id, "role": "ADMIN"}
        assert (await owner.mutate("updateMember", "membership { role }", **demoted))["userErrors"] == []
        await _rename(owner, connection["id"], "After")

        payload = (await followed.message())["payload"]
        assert payload["data"]["connectionEvents"] == {
            "type": "UPDATED",
            "connection": {"organization": {"invitations": None}},
        }
        [error] = payload["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert error["path"] == ["connectionEvents", "connection", "organization", "invitations"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_subscription_outlives_the_end_of_every_database_connection(server: TetherServer) -> None:
    client = await server.member()
    connection = await server.connect(client)
    organization_id, after = await server.organization_id(), await _cursor(server)
    async with server.subscribe(client, EVENTS, organizationId=organization_id, after=after) as followed:
        await followed.events(4)
        for number in range(3):
            async with server.tether.database.engine.connect() as session:
                others = (
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                await session.execute(text(f"SELECT pg_terminate_backend(pid) FROM ({others}) AS other"))  # noqa: S608

            async def renamed(number: int = number) -> bool:
                answer = await client.execute(
                    "mutation ($input: UpdateConnectionInput!) { updateConnection(input: $input) { connection { id } } "
                    "}",
                    input={"connectionId": connection["id"], "name": f"N{number}"},
                )
                return "errors" not in answer.body

            await eventually(renamed)
            event = await followed.event()
            assert (event["sequence"], event["connection"]["name"]) == (5 + number, f"N{number}")


async def test_many_followers_all_see_everything(sqlite_url: str, sandbox: SandboxServer, encryption_key: str) -> None:
    async with running_tether(sqlite_url, sandbox, encryption_key) as server:
        client = await server.member()
        connection = await server.connect(client)
        organization_id, after = await server.organization_id(), await _head(client)
        async with server.socket(client.token) as one, server.socket(client.token) as two:
            followed = [
                await socket.subscribe(EVENTS, organizationId=organization_id, after=after)
                for socket in (one, two)
                for _ in range(20)
            ]
            for number in range(5):
                await _rename(client, connection["id"], f"N{number}")
            seen = await asyncio.gather(*(each.events(5) for each in followed))
    assert [[event["sequence"] for event in each] for each in seen] == [[5, 6, 7, 8, 9]] * 40


async def _head(client: Client) -> str:
    found = await client.data('{ organization(by: {slug: "acme"}) { eventCursor } }')
    cursor: str = found["organization"]["eventCursor"]
    return cursor


async def _cursor(server: TetherServer, slug: str = "acme", *, epoch: int = 1, sequence: int = 0) -> str:
    return f"evt~{uuid_of(await server.organization_id(slug))}~{epoch}~{sequence}"


async def _rename(client: Client, connection_id: str, name: str) -> None:
    payload = await client.mutate("updateConnection", "connection { id }", connectionId=connection_id, name=name)
    assert payload["userErrors"] == []
