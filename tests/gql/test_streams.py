"""Subscriptions over HTTP: who gets which stream, what is in it, where it goes on, and when it ends."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.types import Message
from strawberry.types.execution import ExecutionResult

from domain.entities.user import Role
from gql.feed_place import FeedPlace
from gql.http.stream_framing import EventStream
from gql.http.streamed_operation import StreamedOperation, StreamTimes
from tests.gql.client import JSON, RESPONSE_JSON, Answer, without_cost
from tests.gql.people import key_id, new_key, user_id
from tests.gql.server import TetherServer, running_tether, uuid_of
from tests.gql.signing_in import CSRF, a_browser_at
from tests.gql.streams import APOLLO, SSE, Stream, open_stream
from tests.gql.waiting import eventually
from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

FOLLOW = """
subscription ($id: ID!, $after: String) { connectionEvents(organizationId: $id, after: $after) { sequence type } }
"""
HEALTH = "subscription ($id: ID!, $after: String) { connectionHealth(organizationId: $id, after: $after) { type } }"
VIEWER = "{ viewer { user { name } } }"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)
WITHIN_SECONDS = 5


async def beginning(server: TetherServer) -> str:
    """The place before the organization's first event."""
    return f"evt~{uuid_of(await server.organization_id())}~1~0"


# Server-Sent Events


async def test_events_come_with_the_place_from_where_the_next_ones_follow(server: TetherServer) -> None:
    client = await server.member()
    connection = await server.connect(client)
    organization_id = await server.organization_id()
    async with open_stream(server, client.token, FOLLOW, id=organization_id, after=await beginning(server)) as stream:
        response = stream.response
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["vary"] == "Accept"
        first = await stream.event()
        assert first is not None
        assert list(first) == ["event", "id", "data"]
        assert json.loads(without_cost(first["data"])) == {
            "data": {"connectionEvents": {"sequence": 1, "type": "CREATED"}}
        }
        assert first["id"] == f"evt~{uuid_of(organization_id)}~1~1"
        while (await stream.next())["data"]["connectionEvents"]["type"] != "STATUS_CHANGED":
            pass
        await client.mutate("updateConnection", "connection { id }", connectionId=connection["id"], name="Live")

        async def live() -> dict[str, str]:
            while (event := await stream.event()) is not None:
                if "UPDATED" in event["data"]:
                    return event
            raise AssertionError("the stream ended")

        last = await live()
        head = '{ organization(by: {slug: "acme"}) { eventCursor } }'
        assert last["id"] == (await client.data(head))["organization"]["eventCursor"]
        assert b"\r" not in stream.text


async def test_a_client_that_comes_again_goes_on_where_it_was(shared_server: TetherServer) -> None:
    """Whatever its operation says of where it began. Without Last-Event-ID, that counts."""
    client = await shared_server.member()
    organization_id = await shared_server.organization_id()
    start = await beginning(shared_server)
    for _ in range(3):
        await shared_server.connect(client, name=f"N{time.monotonic_ns()}")

    async def read(query: str, after: str | None, last: str | None, number: int) -> list[dict[str, str]]:
        headers = {} if last is None else {"Last-Event-ID": last}
        async with open_stream(
            shared_server, client.token, query, headers=headers, id=organization_id, after=after
        ) as stream:
            events = [event for _ in range(number) if (event := await stream.event()) is not None]
            return [event | {"data": without_cost(event["data"])} for event in events]

    for query in (FOLLOW, HEALTH):
        events = await read(query, start, None, 5)
        assert [event["data"] for event in await read(query, None, events[1]["id"], 3)] == [
            event["data"] for event in events[2:]
        ]
        assert (await read(query, start, events[2]["id"], 2))[0] == events[3]
        assert (await read(query, events[2]["id"], "", 2))[0] == events[3]


@pytest.mark.parametrize(
    ("last", "code"),
    [("nonsense", "BAD_USER_INPUT"), ("evt~{}~7~1", "CURSOR_EXPIRED"), ("evt~{}~1~9999", "CURSOR_EXPIRED")],
)
async def test_a_place_where_nothing_can_go_on_is_told_and_the_stream_completed(
    shared_server: TetherServer, last: str, code: str
) -> None:
    client = await shared_server.member()
    organization_id = await shared_server.organization_id()
    headers = {"Last-Event-ID": last.format(uuid_of(organization_id))}
    async with open_stream(shared_server, client.token, FOLLOW, headers=headers, id=organization_id) as stream:
        [error] = (await stream.next())["errors"]
        assert error["extensions"]["code"] == code
        assert await stream.event() == {"event": "complete", "data": ""}
        assert await stream.event() is None


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ({"query": VIEWER}, {"data": {"viewer": {"user": {"name": "owner"}}}}),
        (
            {"query": 'mutation { revokeApiKey(input: {apiKeyId: "x"}) { userErrors { code } } }'},
            {"data": {"revokeApiKey": {"userErrors": [{"code": "NOT_FOUND"}]}}},
        ),
    ],
)
async def test_queries_and_mutations_are_one_result_and_the_end(
    shared_server: TetherServer, body: dict[str, Any], result: dict[str, Any]
) -> None:
    client = await shared_server.member()
    answer = (await client.post(body, accept=SSE)).response
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    data = json.dumps(result, separators=(",", ":"))
    assert without_cost(answer.text) == f":\n\nevent: next\ndata: {data}\n\nevent: complete\ndata: \n\n"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nonsense }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { nonsense }", "GRAPHQL_VALIDATION_FAILED"),
        ('subscription { connectionEvents(organizationId: "org_x") { type } }', "FORBIDDEN"),
    ],
)
async def test_a_mistake_in_the_operation_is_told_in_the_stream(
    shared_server: TetherServer, query: str, code: str
) -> None:
    client = await shared_server.member()
    async with open_stream(shared_server, client.token, query) as stream:
        assert stream.response.status_code == 200
        [error] = (await stream.next())["errors"]
        assert error["extensions"]["code"] == code
        assert error["extensions"]["requestId"] == stream.response.headers["x-request-id"]
        assert await stream.event() == {"event": "complete", "data": ""}
        assert await stream.event() is None


@pytest.mark.parametrize("accept", [SSE, "multipart/mixed;subscriptionSpec=1.0"])
async def test_who_isnt_let_in_and_what_cant_be_read_is_told_by_the_status(
    shared_server: TetherServer, accept: str
) -> None:
    for query in (FOLLOW, VIEWER):
        answer = await shared_server.client("tether_wrong").post({"query": query}, accept=accept)
        assert (answer.status, answer.error[0]) == (401, "UNAUTHENTICATED")
        assert answer.response.headers["www-authenticate"] == "Bearer"
    answer = await (await shared_server.member()).post([], accept=accept)
    assert (answer.status, answer.error[0]) == (400, "BAD_USER_INPUT")
    assert answer.response.headers["content-type"] == f"{RESPONSE_JSON}; charset=utf-8"


async def test_a_cookie_opens_a_stream_for_our_own_pages_only(shared_server: TetherServer) -> None:
    await shared_server.token()
    given = {"query": FOLLOW, "variables": {"id": await shared_server.organization_id()}}
    async with a_browser_at(shared_server) as browser:
        await browser.sign_in("ada@acme.example")
        foreign = Answer(await browser.http.post("/graphql", json=given, headers={"Accept": SSE}))
        assert (foreign.status, foreign.error[0]) == (403, "CSRF_REFUSED")
        async with browser.http.stream("POST", "/graphql", json=given, headers={"Accept": SSE, **CSRF}) as response:
            stream = Stream(response, b"\n\n")
            assert await stream.message() == b":"
            assert (await browser.sign_out()).status_code == 204
            async with asyncio.timeout(WITHIN_SECONDS):
                [error] = (await stream.next())["errors"]
            assert error["extensions"]["code"] == "UNAUTHENTICATED"


# Who gets which form


async def test_urql_gets_json_for_queries_and_events_for_subscriptions(shared_server: TetherServer) -> None:
    client = await shared_server.member()
    answer = await client.post({"query": VIEWER}, accept=URQL)
    assert answer.data == {"viewer": {"user": {"name": "owner"}}}
    assert answer.response.headers["content-type"].startswith(RESPONSE_JSON)
    for accept in (URQL, "text/event-stream, multipart/mixed", f"{JSON}, {SSE}"):
        headers = {"Accept": accept}
        given = {"id": await shared_server.organization_id(), "after": await beginning(shared_server)}
        async with open_stream(shared_server, client.token, FOLLOW, headers=headers, **given) as stream:
            assert stream.response.headers["content-type"].startswith(SSE)


@pytest.mark.parametrize("accept", [JSON, RESPONSE_JSON, "*/*", f"{JSON}, multipart/mixed", f"*/*, {SSE};q=0"])
async def test_a_subscription_whose_client_takes_no_stream_is_refused(shared_server: TetherServer, accept: str) -> None:
    client = await shared_server.member()
    answer = await client.post({"query": FOLLOW, "variables": {"id": "org_x"}}, accept=accept)
    assert answer.status == 400
    assert answer.error == (
        "BAD_USER_INPUT",
        "A subscription is answered again and again: connect here by WebSocket (graphql-transport-ws), or send "
        "Accept: text/event-stream.",
    )


# Apollo's parts


async def test_apollo_gets_parts_that_are_read_as_they_come(shared_server: TetherServer) -> None:
    client = await shared_server.member()
    await shared_server.connect(client, name=f"N{time.monotonic_ns()}")
    given = {"id": await shared_server.organization_id(), "after": await beginning(shared_server)}
    async with open_stream(shared_server, client.token, FOLLOW, headers={"Accept": APOLLO}, **given) as stream:
        assert stream.response.headers["content-type"] == 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
        assert await stream.message() == b""
        head = b"\r\nContent-Type: application/json; charset=utf-8\r\n\r\n"
        assert await stream.message() == head + b"{}"
        told = await stream.message()
        assert told is not None
        assert without_cost(told.decode()) == (
            head.decode() + '{"payload":{"data":{"connectionEvents":{"sequence":1,"type":"CREATED"}}}}'
        )


async def test_apollos_parts_end_as_apollo_takes_for_the_end(shared_server: TetherServer) -> None:
    client = await shared_server.member()
    headers = {"Accept": APOLLO}
    async with open_stream(shared_server, client.token, FOLLOW, headers=headers, id="org_x") as stream:
        part = await stream.part()
        assert part is not None
        [error] = part["payload"]["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert await stream.part() == {"payload": None}
        assert await stream.part() is None
        assert stream.text.startswith(b"\r\n--graphql\r\n")
        assert stream.text.endswith(b"\r\n--graphql--\r\n")


async def test_apollos_queries_get_json(shared_server: TetherServer) -> None:
    client = await shared_server.member()
    assert (await client.post({"query": VIEWER}, accept=APOLLO)).data == {"viewer": {"user": {"name": "owner"}}}
    alone = (await client.post({"query": VIEWER}, accept="multipart/mixed;subscriptionSpec=1.0")).response
    assert '{"payload":{"data":{"viewer":{"user":{"name":"owner"}}}}}\r\n--graphql' in without_cost(alone.text)
    assert alone.content.endswith(b'{"payload":null}\r\n--graphql--\r\n')


# The end


@pytest.mark.parametrize("accept", [SSE, APOLLO])
async def test_a_key_that_is_revoked_ends_its_streams(shared_server: TetherServer, accept: str) -> None:
    owner = await shared_server.member(Role.OWNER)
    ending, _ = await new_key(shared_server, await shared_server.member(Role.MEMBER))
    async with open_stream(
        shared_server, ending.token, FOLLOW, headers={"Accept": accept}, id=await shared_server.organization_id()
    ) as stream:
        await stream.message()
        await owner.mutate("revokeApiKey", "apiKey { id }", apiKeyId=await key_id(ending))
        async with asyncio.timeout(WITHIN_SECONDS):
            if accept == SSE:
                errors = (await stream.next())["errors"]
                assert await stream.event() == {"event": "complete", "data": ""}
            else:
                part = await stream.part()
                assert part is not None
                errors = part["errors"] if part["payload"] is None else part["payload"]["errors"]
            assert [error["extensions"]["code"] for error in errors] == ["UNAUTHENTICATED"]


async def test_whoever_is_no_member_any_more_follows_no_longer(shared_server: TetherServer) -> None:
    owner = await shared_server.member(Role.OWNER)
    leaving = shared_server.client(await shared_server.token("acme", "leaving@acme.example", Role.MEMBER))
    organization_id = await shared_server.organization_id()
    async with open_stream(shared_server, leaving.token, FOLLOW, id=organization_id) as stream:
        await stream.message()
        given = {"organizationId": organization_id, "userId": await user_id(leaving)}
        await owner.mutate("removeMember", "removedUserId", **given)
        async with asyncio.timeout(WITHIN_SECONDS):
            [error] = (await stream.next())["errors"]
        assert error["extensions"]["code"] in {"FORBIDDEN", "UNAUTHENTICATED"}


async def test_a_client_that_goes_away_ends_what_it_asked_for(shared_server: TetherServer) -> None:
    client = await shared_server.member()

    async def measured() -> tuple[float, float]:
        """How many subscriptions have ended, and how many streams are open."""
        lines = (await shared_server.http.get("/metrics")).text.splitlines()
        ended = [line for line in lines if line.startswith("tether_graphql_requests_total{") and "subscription" in line]
        [open_now] = [line for line in lines if line.startswith("tether_graphql_streams ")]
        return sum(float(line.split()[-1]) for line in ended), float(open_now.split()[-1])

    async def none_is_open() -> bool:
        return (await measured())[1] == 0

    await eventually(none_is_open)  # of the tests before
    before, _ = await measured()
    async with open_stream(shared_server, client.token, FOLLOW, id=await shared_server.organization_id()) as stream:
        assert await stream.message() == b":"
        assert await measured() == (before, 1)

    await eventually(none_is_open)
    assert await measured() == (before + 1, 0)


async def test_one_person_has_so_many_streams_open_and_may_open_another_when_one_has_ended(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    async with running_tether(sqlite_url, sandbox, encryption_key, TETHER_MAX_CALLER_STREAMS="2") as server:
        client, other = await server.member(Role.OWNER), await server.member(Role.VIEWER)
        organization_id = await server.organization_id()
        body = {"query": FOLLOW, "variables": {"id": organization_id}}
        async with server.socket(client.token):
            async with open_stream(server, client.token, FOLLOW, id=organization_id) as stream:
                await stream.message()
                for accept in (SSE, APOLLO):
                    answer = await client.post(body, accept=accept)
                    assert (answer.status, answer.response.headers["retry-after"]) == (429, "5")
                    assert answer.error == (
                        "RATE_LIMITED",
                        "You have 2 sockets and streams open, which is the most. Close one first.",
                    )
                async with open_stream(server, other.token, FOLLOW, id=organization_id) as others:
                    assert await others.message() == b":"

            async def another() -> bool:
                async with open_stream(server, client.token, FOLLOW, id=organization_id) as stream:
                    return stream.response.status_code == 200

            await eventually(another)


async def test_silence_is_broken_by_signs_of_life_and_the_end_of_the_server_told_at_once(
    sqlite_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    """An event stream isn't completed then, so that its client comes again; Apollo's gets an error to that end."""
    async with running_tether(sqlite_url, sandbox, encryption_key, TETHER_MAX_STREAM_QUIET_SECONDS="1") as server:
        token, organization_id = await server.token(), await server.organization_id()
        ended: list[Any] = []

        async def follow(accept: str, quiet: asyncio.Event) -> None:
            headers = {"Accept": accept}
            async with (
                httpx2.AsyncClient(base_url=server.url, trust_env=False, verify=NO_TLS) as http,
                open_stream(replace(server, http=http), token, FOLLOW, headers=headers, id=organization_id) as stream,
            ):
                for _ in range(4):
                    await stream.message()
                quiet.set()
                ended.append(await (stream.event() if accept == SSE else stream.part()))

        waiting = [asyncio.Event(), asyncio.Event()]
        following = [asyncio.create_task(follow(*each)) for each in zip((SSE, APOLLO), waiting, strict=True)]
        for quiet in waiting:
            await quiet.wait()
        stopped = time.monotonic()
    took = time.monotonic() - stopped
    await asyncio.gather(*following)
    [part] = [each for each in ended if each is not None]
    assert (part["payload"], part["errors"][0]["extensions"]["code"]) == (None, "SERVICE_UNAVAILABLE")
    assert None in ended
    assert took < WITHIN_SECONDS - 1, "it waited for its streams"


async def test_a_client_that_doesnt_read_holds_nothing_but_one_result() -> None:
    """And is given up. Below HTTP, since a connection's buffers would hide it."""
    made: list[int] = []
    ended = asyncio.Event()

    async def results() -> AsyncGenerator[ExecutionResult]:
        try:
            for number in range(1_000):
                made.append(number)
                yield ExecutionResult({"number": number}, None)
        finally:
            ended.set()

    taken: list[bytes] = []

    async def send(message: Message) -> None:
        if len(taken) == 3:
            await asyncio.Event().wait()
        taken.append(message.get("body", b""))

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    stream = StreamedOperation(
        results(),
        EventStream(),
        held=nullcontext(),
        proof=None,
        place=FeedPlace(),
        times=StreamTimes(quiet_seconds=1, unread_seconds=0.05),
        draining=asyncio.Event(),
        request_id="x",
    )
    await stream({"type": "http"}, receive, send)
    assert taken == [b"", b":\n\n", b'event: next\ndata: {"data":{"number":0}}\n\n']
    assert made == [0, 1]
    assert ended.is_set()
