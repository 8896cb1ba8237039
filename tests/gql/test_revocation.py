"""What was opened by a key, or as a member, ends within 5 seconds after that is over, whichever process ends it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from domain.entities.identifiers import new_id
from domain.entities.user import Role
from persistence.event_reader import EventReader
from persistence.tables import api_keys, memberships
from tests.gql.client import Client
from tests.gql.people import key_id, new_key, user_id
from tests.gql.server import TetherServer, running_tether, uuid_of
from tests.gql.waiting import eventually
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

WITHIN_SECONDS = 5
VIEWER = "{ viewer { user { name } } }"
FOLLOW = "subscription ($id: ID!) { connectionEvents(organizationId: $id) { sequence } }"

End = Callable[[TetherServer, Client, Client], Awaitable[None]]


async def _revokes(server: TetherServer, owner: Client, ending: Client) -> None:
    await owner.mutate("revokeApiKey", "apiKey { id }", apiKeyId=await key_id(ending))


async def _removes(server: TetherServer, owner: Client, ending: Client) -> None:
    given = {"organizationId": await server.organization_id(), "userId": await user_id(ending)}
    await owner.mutate("removeMember", "removedUserId", **given)


async def _sets_revoked(server: TetherServer, owner: Client, ending: Client) -> None:
    key = uuid_of(await key_id(ending))
    await server.alter(update(api_keys).where(api_keys.c.id == key).values(revoked_at=datetime.now(UTC)))


async def _sets_expired(server: TetherServer, owner: Client, ending: Client) -> None:
    key = uuid_of(await key_id(ending))
    await server.alter(update(api_keys).where(api_keys.c.id == key).values(expires_at=datetime.now(UTC)))


@pytest.mark.parametrize("end", [_revokes, _removes, _sets_revoked, _sets_expired])
async def test_idle_and_following_sockets_are_closed_whoever_ends_their_key(
    server: TetherServer, database_url: str, sandbox: SandboxServer, encryption_key: str, end: End
) -> None:
    owner = await server.member(Role.OWNER)
    ending, _ = await new_key(server, await server.member(Role.MEMBER))
    organization_id = await server.organization_id()
    async with (
        running_tether(database_url, sandbox, encryption_key) as elsewhere,
        server.socket(ending.token) as idle,
        server.socket(ending.token) as following,
        server.socket(owner.token) as staying,
    ):
        for socket in (following, staying):
            await socket.subscribe(FOLLOW, id=organization_id)
        await end(elsewhere, elsewhere.client(owner.token), elsewhere.client(ending.token))

        async with asyncio.timeout(WITHIN_SECONDS):
            assert [await socket.close_code() for socket in (idle, following)] == [4403, 4403]
            await eventually(lambda: _shut_out(ending))
        assert not staying.closed.is_set()
        assert (await (await staying.subscribe(VIEWER)).next())["viewer"] is not None


async def test_a_key_that_ends_by_itself_closes_its_socket(server: TetherServer) -> None:
    owner = await server.member(Role.OWNER)
    ends = datetime.now(UTC) + timedelta(seconds=1)
    ending, _ = await new_key(server, owner, expiresAt=ends.isoformat())
    async with server.socket(ending.token) as idle:
        async with asyncio.timeout(1 + WITHIN_SECONDS):
            assert await idle.close_code() == 4403
    assert datetime.now(UTC) >= ends


async def test_a_subscription_ends_with_the_membership_though_nothing_happens_and_the_key_goes_on(
    server: TetherServer, database_url: str, sandbox: SandboxServer, encryption_key: str
) -> None:
    owner = await server.member(Role.OWNER)
    leaving = server.client(await server.token("globex", "leaving@globex.example", Role.OWNER))
    await server.token("acme", "leaving@globex.example", Role.MEMBER)
    organization_id = await server.organization_id()
    async with (
        running_tether(database_url, sandbox, encryption_key) as elsewhere,
        server.socket(leaving.token) as socket,
        server.subscribe(owner, FOLLOW, id=organization_id) as staying,
    ):
        ended = [await socket.subscribe(FOLLOW, id=organization_id) for _ in range(3)]
        own = await socket.subscribe(FOLLOW, id=await server.organization_id("globex"))
        await _removes(elsewhere, elsewhere.client(owner.token), elsewhere.client(leaving.token))

        async with asyncio.timeout(WITHIN_SECONDS):
            for followed in ended:
                assert await followed.error() == ("FORBIDDEN", "You belong to no organization with this id.")
        await server.connect(leaving, organizationId=await server.organization_id("globex"))
        assert await own.event() == {"sequence": 1}
        await server.connect(owner)
        assert await staying.event() == {"sequence": 1}


async def test_a_membership_that_is_gone_from_the_database_ends_a_subscription_too(server: TetherServer) -> None:
    leaving = await server.member(Role.MEMBER)
    member_id = uuid_of(await user_id(leaving))
    async with server.subscribe(leaving, FOLLOW, id=await server.organization_id()) as followed:
        await server.alter(delete(memberships).where(memberships.c.user_id == member_id))
        async with asyncio.timeout(WITHIN_SECONDS):
            assert (await followed.error())[0] == "FORBIDDEN"


async def test_all_who_follow_as_one_ask_the_database_together(server: TetherServer) -> None:
    client = await server.member(Role.OWNER)
    organization_id = uuid_of(await server.organization_id())
    assert client.token is not None
    viewer = await server.tether.user_service.authenticate(client.token)
    asked = 0

    class Counting(EventReader):
        async def sequences(self, *given: Any, **named: Any) -> Any:
            nonlocal asked
            asked += 1
            return await super().sequences(*given, **named)

    events = Counting(server.tether.database)
    assert all(await asyncio.gather(*(events.is_member(viewer, organization_id) for _ in range(50))))
    assert asked == 1
    assert await events.is_member(viewer, organization_id, at_once=True)
    assert asked == 2
    assert not await events.is_member(replace(viewer, confined_to=new_id()), organization_id)


async def _shut_out(client: Client) -> bool:
    answer = await client.execute(VIEWER)
    return "errors" in answer.body and answer.error[0] == "UNAUTHENTICATED"
