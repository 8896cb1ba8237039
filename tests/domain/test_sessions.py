"""How long a session lasts, what ends it, and that asking for it costs little."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import timedelta

import pytest

from domain.entities.user import Role, User
from domain.errors import Unauthenticated
from domain.moment_cache import LIFETIME
from domain.noted_uses import NOTED_EVERY
from domain.ports import UnitOfWork
from domain.sessions import SIGNED_OUT, SessionLifetimes, Sessions
from tests.domain.world import World

pytestmark = pytest.mark.anyio

ISSUER = "https://id.example.com"
IDLE, LONGEST = timedelta(hours=12), timedelta(days=7)
A_MOMENT = timedelta(seconds=1)


@pytest.fixture
async def sessions(world: World) -> AsyncIterator[Sessions]:
    async with aclosing(Sessions(world.units, world.clock, SessionLifetimes(IDLE, LONGEST), {ISSUER})) as made:
        yield made


@pytest.fixture
async def user(world: World) -> User:
    async with world.units.reading_everywhere() as unit:
        user = await unit.users.find(world.viewers[Role.ADMIN].user_id)
    assert user is not None
    return user


def later(world: World, duration: timedelta) -> None:
    world.clock.advance(seconds=duration.total_seconds())


async def over(sessions: Sessions, secret: str) -> bool:
    try:
        await sessions.authenticate(secret, counts_as_use=False)
    except Unauthenticated as refused:
        return refused.message == SIGNED_OUT  # whatever the reason
    return False


async def test_who_is_signed_in_may_whatever_their_memberships_say(sessions: Sessions, user: User) -> None:
    begun = await sessions.begin(user, ISSUER)
    viewer = await sessions.authenticate(begun.secret.reveal())
    assert (viewer.user_id, viewer.role_cap, viewer.api_key_id) == (user.id, Role.OWNER, None)


async def test_unused_it_ends_after_its_idle_time(world: World, sessions: Sessions, user: User) -> None:
    secret = (await sessions.begin(user, ISSUER)).secret.reveal()
    later(world, IDLE - A_MOMENT)
    assert not await over(sessions, secret)  # asking by ourselves isn't using it
    later(world, A_MOMENT)
    assert await over(sessions, secret)


async def test_each_use_keeps_it_for_another_idle_time_but_never_past_its_end(
    world: World, sessions: Sessions, user: User
) -> None:
    begun = await sessions.begin(user, ISSUER)
    secret, uses = begun.secret.reveal(), 0
    while world.clock() + IDLE < begun.expires_at:
        later(world, IDLE - 2 * NOTED_EVERY)
        await sessions.authenticate(secret)
        await sessions.aclose()  # until it is noted
        uses += 1
    assert uses > LONGEST / IDLE - 2
    later(world, begun.expires_at - world.clock() - A_MOMENT)
    await sessions.authenticate(secret)
    later(world, A_MOMENT)
    assert await over(sessions, secret)


async def test_that_it_was_used_is_written_at_most_once_a_minute(world: World, sessions: Sessions, user: User) -> None:
    async def seen_at() -> object:
        await sessions.aclose()
        [row] = await world.rows("sessions")
        return row["seen_at"]

    secret = (await sessions.begin(user, ISSUER)).secret.reveal()
    first = await seen_at()
    later(world, NOTED_EVERY / 2)
    await sessions.authenticate(secret)
    assert await seen_at() == first
    later(world, NOTED_EVERY / 2)
    await sessions.authenticate(secret, counts_as_use=False)
    assert await seen_at() == first
    await sessions.authenticate(secret)
    second = await seen_at()
    assert second != first
    await sessions.authenticate(secret)
    assert await seen_at() == second


async def test_many_requests_at_once_ask_the_database_once(world: World, sessions: Sessions, user: User) -> None:
    secret = (await sessions.begin(user, ISSUER)).secret.reveal()
    reads = 0
    reading = world.units.reading_everywhere

    def counted() -> AbstractAsyncContextManager[UnitOfWork]:
        nonlocal reads
        reads += 1
        return reading()

    world.units.reading_everywhere = counted  # type: ignore[method-assign]
    await asyncio.gather(*(sessions.authenticate(secret) for _ in range(20)))
    assert reads == 1
    later(world, LIFETIME)
    await sessions.authenticate(secret)
    assert reads == 2


async def test_a_look_that_was_under_way_when_it_ended_isnt_remembered(
    world: World, sessions: Sessions, user: User
) -> None:
    """Else this process would let it in for as long as it remembers."""
    for _ in range(20):
        secret = (await sessions.begin(user, ISSUER)).secret.reveal()
        looking = asyncio.create_task(over(sessions, secret))
        await sessions.end(secret)
        await looking
        assert await over(sessions, secret)


async def test_of_ends_at_once_one_is_told(world: World, sessions: Sessions, user: User) -> None:
    secret = (await sessions.begin(user, ISSUER)).secret.reveal()
    await asyncio.gather(*(sessions.end(secret) for _ in range(5)))
    records = [row for row in await world.rows("audit_records") if row["action"] == "SIGNED_OUT"]
    assert len(records) == 1


async def test_an_expired_session_ends_none_of_the_others(world: World, sessions: Sessions, user: User) -> None:
    old = (await sessions.begin(user, ISSUER)).secret.reveal()
    later(world, LONGEST)
    new = (await sessions.begin(user, ISSUER)).secret.reveal()
    with pytest.raises(Unauthenticated):
        await sessions.end_everywhere(old)
    assert not await over(sessions, new)


@pytest.mark.parametrize("text", ["", "x", "A" * 42, "A" * 44, "A" * 42 + "=", "é" * 43, "A" * 42 + "\n"])
async def test_what_cant_be_a_secret_is_refused_without_asking(sessions: Sessions, text: str) -> None:
    assert await over(sessions, text)


async def test_only_what_has_run_out_is_forgotten(world: World, sessions: Sessions, user: User) -> None:
    for _ in range(3):
        await sessions.begin(user, ISSUER)
    later(world, IDLE)
    kept = (await sessions.begin(user, ISSUER)).secret.reveal()
    assert await sessions.forget_ended(world.clock(), 2) == 2
    assert await sessions.forget_ended(world.clock(), 2) == 1
    assert await sessions.forget_ended(world.clock(), 2) == 0
    assert not await over(sessions, kept)
