"""Whose a token is, how the operator makes a first one, and how organizations come to be."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, event, update

from domain.api_key import ParsedApiKey, generate_api_key, parse_api_key
from domain.entities.organization import Organization
from domain.entities.user import Role, Viewer
from domain.errors import Forbidden, IdempotencyKeyReused, InvalidInput, NameTaken, Unauthenticated
from domain.moment_cache import LIFETIME, SIZE, MomentCache
from domain.ports import UnitOfWork
from domain.user_service import UNAUTHENTICATED, UserService
from persistence.database import Database
from persistence.tables import api_keys, memberships
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.world import Clock, World
from tests.every_row import every_row

pytestmark = pytest.mark.anyio


@contextmanager
def statements() -> Iterator[list[str]]:
    """The verbs of the statements that SQLAlchemy sends while the block runs."""
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        sent.append(statement.split(maxsplit=1)[0])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def revoke(world: World, viewer: Viewer) -> None:
    async with every_row(world.database) as connection:
        await connection.execute(
            update(api_keys).where(api_keys.c.id == viewer.api_key_id).values(revoked_at=world.clock())
        )


async def last_used(world: World, viewer: Viewer) -> Any:
    return next(row["last_used_at"] for row in await world.rows("api_keys") if row["id"] == viewer.api_key_id)


# Issuing


async def test_a_first_key_makes_all_that_is_missing_and_opens_as_its_user(world: World) -> None:
    token = await world.users.issue_api_key("new-team", "ada@example.com", Role.ADMIN, name="Laptop")

    viewer = await world.users.authenticate(token.reveal())

    assert (viewer.user_name, viewer.role_cap, viewer.api_key_name) == ("ada", Role.ADMIN, "Laptop")
    async with world.units.reading_everywhere() as unit:
        organization = await unit.organizations.find_by_slug("new-team")
        assert organization is not None
        assert organization.name == "new-team"
        assert await unit.memberships.role_of(viewer.user_id, organization.id) is Role.ADMIN
    assert token.reveal() not in repr(await world.rows("api_keys"))


async def test_a_further_key_is_the_same_users_and_raises_their_role_but_never_lowers_it(world: World) -> None:
    roles = []
    users = set()
    for role in (Role.VIEWER, Role.ADMIN, Role.MEMBER):
        viewer = await world.users.authenticate(
            (await world.users.issue_api_key("acme", "Ada@Example.com".swapcase(), role)).reveal()
        )
        users.add(viewer.user_id)
        async with world.units.reading_everywhere() as unit:
            membership = await unit.memberships.role_of(viewer.user_id, world.organization_id)
        assert membership is not None
        roles.append((viewer.role_cap, membership, viewer.effective(membership)))

    assert len(users) == 1
    assert roles == [
        (Role.VIEWER, Role.VIEWER, Role.VIEWER),
        (Role.ADMIN, Role.ADMIN, Role.ADMIN),
        (Role.MEMBER, Role.ADMIN, Role.MEMBER),
    ]


async def test_a_key_can_be_made_anew_so_that_there_is_one_of_its_name(world: World) -> None:
    async def issue(email: str, name: str) -> str:
        token = await world.users.issue_api_key("acme", email, Role.ADMIN, name=name, replaces_earlier=True)
        return token.reveal()

    first = await issue("ada@example.com", "GraphiQL")
    others = [await issue("ada@example.com", "Laptop"), await issue("eve@example.com", "GraphiQL")]
    before = await world.users.authenticate(first)
    await revoke(world, before)
    second = await issue("ada@example.com", "GraphiQL")
    world.clock.advance(seconds=3)

    assert (await world.users.authenticate(second)).api_key_id == before.api_key_id
    with pytest.raises(Unauthenticated):
        await world.users.authenticate(first)
    for token in others:
        await world.users.authenticate(token)
    assert len([row for row in await world.rows("api_keys") if row["name"] in {"GraphiQL", "Laptop"}]) == 3


async def test_keys_issued_at_once_share_what_they_make_and_the_highest_role_stays(world: World) -> None:
    roles = [Role.VIEWER, Role.OWNER, Role.MEMBER, Role.ADMIN, Role.VIEWER]
    for slug in ("one", "two", "three"):
        for _ in range(2):  # the second time, all is there and only the role changes
            tokens = await asyncio.gather(
                *(world.users.issue_api_key(slug, f"ada@{slug}.example", role) for role in roles)
            )
            viewers = [await world.users.authenticate(token.reveal()) for token in tokens]
            assert [viewer.role_cap for viewer in viewers] == roles
            async with world.units.reading_everywhere() as unit:
                organization = await unit.organizations.find_by_slug(slug)
                assert organization is not None
                [user_id] = {viewer.user_id for viewer in viewers}
                assert await unit.memberships.role_of(user_id, organization.id) is Role.OWNER
            async with every_row(world.database) as connection:
                await connection.execute(update(memberships).values(role=Role.VIEWER))


@pytest.mark.parametrize("email", ["", "ada", "ada@", "@example.com", "a b@example.com", "a@b@c", "ada@exa\nmple.com"])
async def test_what_is_no_address_is_refused_and_nothing_is_made(world: World, email: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await world.users.issue_api_key("new-team", email, Role.VIEWER)
    assert refusal.value.field == ("input", "email")
    assert len(await world.rows("organizations")) == 1


async def test_a_slug_that_cannot_be_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await world.users.issue_api_key("New Team", "ada@example.com", Role.VIEWER)
    assert refusal.value.field == ("input", "slug")


# Authenticating


async def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(world: World) -> None:
    good = (await world.users.issue_api_key("acme", "ada@example.com", Role.ADMIN)).reveal()
    revoked = (await world.users.issue_api_key("acme", "ada@example.com", Role.ADMIN)).reveal()
    expired = await world.users.issue_api_key("acme", "ada@example.com", Role.ADMIN, expires_at=world.clock())
    await revoke(world, await world.users.authenticate(revoked))
    world.clock.advance(seconds=3)
    stolen_id = generate_api_key(UUID(good.split("_")[1])).token.reveal()  # a key's id with another secret
    unknown = generate_api_key(uuid4()).token.reveal()

    for token in (revoked, expired.reveal(), stolen_id, unknown, good[:-1], good + "0", good.upper(), "", "\ud800"):
        with pytest.raises(Unauthenticated) as refusal:
            await world.users.authenticate(token)
        assert (refusal.value.message, refusal.value.code) == (UNAUTHENTICATED, "UNAUTHENTICATED")
    assert (await world.users.authenticate(good)).user_name == "ada"


async def test_a_busy_clients_requests_make_no_statement(world: World) -> None:
    token = (await world.users.issue_api_key("acme", "ada@example.com", Role.ADMIN)).reveal()
    first = await world.users.authenticate(token)

    with statements() as sent:
        for _ in range(10):
            assert await world.users.authenticate(token) is first
        assert sent == []

        world.clock.advance(seconds=3)
        assert await world.users.authenticate(token) == first
        assert sent.count("SELECT") == 1


async def test_of_requests_at_once_one_asks(world: World) -> None:
    token = (await world.users.issue_api_key("acme", "ada@example.com", Role.ADMIN)).reveal()

    with statements() as sent:
        viewers = await asyncio.gather(*(world.users.authenticate(token) for _ in range(20)))
        await world.users.aclose()

    assert len(set(viewers)) == 1
    assert [each for each in sent if each in {"SELECT", "UPDATE"}] == ["SELECT", "UPDATE"]


async def test_a_revoked_key_ends_within_five_seconds(world: World) -> None:
    token = (await world.users.issue_api_key("acme", "ada@example.com", Role.ADMIN)).reveal()
    await revoke(world, await world.users.authenticate(token))

    world.clock.advance(seconds=5)

    with pytest.raises(Unauthenticated):
        await world.users.authenticate(token)


class _ReadingSlowly(SqlUnitsOfWork):
    """Something is done between what is read and the end of the reading."""

    meanwhile: Callable[[], Awaitable[object]]

    @asynccontextmanager
    async def reading_everywhere(self) -> AsyncIterator[UnitOfWork]:
        async with super().reading_everywhere() as unit:
            yield unit
        await self.meanwhile()


async def test_a_key_that_is_revoked_while_it_is_read_is_not_remembered(world: World) -> None:
    owner, units = world.viewers[Role.OWNER], _ReadingSlowly(world.database, lambda organization_id: None)
    async with aclosing(UserService(units, world.clock)) as users:
        key = await users.api_keys.create_api_key(owner, world.organization_id, "bot", Role.VIEWER)
        assert key.token is not None
        units.meanwhile = partial(users.api_keys.revoke_api_key, owner, key.id)

        await users.authenticate(key.token.reveal())  # asked before it was revoked

        with pytest.raises(Unauthenticated):
            await users.authenticate(key.token.reveal())


async def test_a_key_ends_at_its_time_also_where_it_is_remembered(world: World) -> None:
    expires_at = world.clock() + timedelta(seconds=60)
    token = await world.users.issue_api_key("acme", "ada@example.com", Role.ADMIN, expires_at=expires_at)
    world.clock.advance(seconds=59)
    await world.users.authenticate(token.reveal())

    world.clock.advance(seconds=1)

    with pytest.raises(Unauthenticated):
        await world.users.authenticate(token.reveal())


async def test_the_use_of_a_key_is_noted_once_a_minute(world: World) -> None:
    token = (await world.users.issue_api_key("acme", "ada@example.com", Role.ADMIN)).reveal()
    viewer = await world.users.authenticate(token)
    await world.users.aclose()
    noted = await last_used(world, viewer)
    assert world.clock() - noted < timedelta(seconds=30)

    world.clock.advance(seconds=50)
    await world.users.authenticate(token)
    await world.users.aclose()
    assert await last_used(world, viewer) == noted

    world.clock.advance(seconds=10)
    await world.users.authenticate(token)
    await world.users.aclose()
    assert await last_used(world, viewer) > noted


async def test_where_the_use_cannot_be_noted_nobody_waits_or_is_turned_away(
    world: World, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = [(await world.users.issue_api_key("acme", "ada@example.com", Role.ADMIN)).reveal() for _ in range(2)]
    keys = [parse_api_key(token) for token in tokens]

    async with Database(database_url, wait_seconds=1) as database, world.units.writing_everywhere() as unit:
        for key in keys:
            assert key is not None
            await unit.api_keys.mark_used(key.id, world.clock())  # and holds the row, so that nobody else can
        users = UserService(SqlUnitsOfWork(database, lambda _: None), world.clock)
        async with asyncio.timeout(0.5):  # less than the database waits
            viewers = [await users.authenticate(token) for token in tokens]
        with caplog.at_level(logging.WARNING):
            await users.aclose()
            warned = len(caplog.records)
            world.clock.advance(seconds=50)
            viewers += [await users.authenticate(token) for token in tokens]
            await users.aclose()

    assert {viewer.user_name for viewer in viewers} == {"ada"}
    assert {await last_used(world, viewer) for viewer in viewers} == {None}
    assert "couldn't be noted" in caplog.text
    assert len(caplog.records) == warned  # a failed attempt, too, counts for a minute
    assert all(token not in caplog.text for token in tokens)


async def test_the_cache_is_bounded_and_forgets_the_oldest() -> None:
    cache: MomentCache[ParsedApiKey, Viewer] = MomentCache()
    now = Clock()()
    viewer = Viewer(uuid4(), "ada", Role.VIEWER)
    keys = [ParsedApiKey(uuid4(), secrets.token_bytes(32)) for _ in range(SIZE + 1)]
    for key in keys:
        cache.keep(key, viewer, now, expires_at=None)

    assert cache.find(keys[0], now) is None
    assert all(cache.find(key, now) is viewer for key in keys[1:])
    assert cache.find(keys[1], now + LIFETIME) is None
    assert cache.find(keys[1], now - timedelta(seconds=1)) is None
    assert cache.find(ParsedApiKey(keys[1].id, secrets.token_bytes(32)), now) is None


# Organizations


async def an_owner(world: World) -> Viewer:
    return world.viewers[Role.VIEWER]  # a mere viewer where they come from


async def test_who_creates_an_organization_owns_it(world: World) -> None:
    viewer = await an_owner(world)

    created = await world.users.create_organization(viewer, "globex", "  Globex ")

    assert (created.slug, created.name, created.version) == ("globex", "Globex", 1)
    async with world.units.reading_everywhere() as unit:
        assert await unit.organizations.find(created.id) == created
        assert await unit.memberships.role_of(viewer.user_id, created.id) is Role.OWNER


@pytest.mark.parametrize("cap", [Role.ADMIN, Role.MEMBER, Role.VIEWER])
async def test_a_key_that_cannot_own_creates_none(world: World, cap: Role) -> None:
    viewer = Viewer(world.admin.user_id, "admin", cap)
    with pytest.raises(Forbidden, match=f"key with the role OWNER; this one has the role {cap}"):
        await world.users.create_organization(viewer, "globex", "Globex")
    assert len(await world.rows("organizations")) == 1


@pytest.mark.parametrize("slug", ["", "-a", "a-", "A", "a_b", "a b", "é", "a" * 64])
async def test_a_slug_is_plain(world: World, slug: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await world.users.create_organization(await an_owner(world), slug, "Globex")
    assert refusal.value.field == ("input", "slug")


async def test_a_slug_is_given_once(world: World) -> None:
    with pytest.raises(NameTaken) as refusal:
        await world.users.create_organization(await an_owner(world), "acme", "Acme", idempotency_key="once")
    assert refusal.value.field == ("input", "slug")


async def test_the_same_call_again_gives_the_same_organization(world: World) -> None:
    viewer = await an_owner(world)

    async def create(name: str = "Globex") -> Organization:
        return await world.users.create_organization(viewer, "globex", name, idempotency_key="once")

    made = await asyncio.gather(*(create() for _ in range(4)))
    assert len({each.id for each in made}) == 1
    assert (await create()).id == made[0].id
    assert len(await world.rows("organizations")) == 2
    with pytest.raises(IdempotencyKeyReused):
        await create("Other")


async def test_one_key_for_two_organizations_at_once_makes_one(world: World) -> None:
    viewer = await an_owner(world)

    results = await asyncio.gather(
        *(world.users.create_organization(viewer, slug, slug, idempotency_key="once") for slug in ("one", "two")),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in results) == ["IdempotencyKeyReused", "Organization"]
    assert len(await world.rows("organizations")) == 2
