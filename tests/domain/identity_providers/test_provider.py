"""When an issuer is asked for its keys: seldom, once for all who wait, again when there may be new ones; never for keys
of our own.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from domain.entities.user import Role
from domain.errors import ServiceUnavailable
from domain.identity_providers import provider
from tests.domain.identity_providers.desk import Desk, a_desk, signed, trusted, unavailable
from tests.gql.waiting import eventually
from tests.identity_provider.running import IdentityProviderServer, running_identity_provider
from tests.local_issuer import AUDIENCE, DISCOVERY, JWKS, LocalIssuer

pytestmark = pytest.mark.anyio

HOUR, DAY = 3600.0, 24 * 3600.0


async def test_the_keys_are_fetched_once_an_hour(desk: Desk, issuer: LocalIssuer) -> None:
    for seconds, times in ((0.0, 1), (HOUR - 1, 1), (HOUR, 2), (2 * HOUR - 1, 2), (2 * HOUR, 3)):
        desk.seconds = seconds
        await desk.user(signed(desk, issuer))
        assert issuer.asked == {DISCOVERY: times, JWKS: times}
    assert desk.told.providers == {("main", "OK"): 3}


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        ("max-age=1200", 1200.0),
        ("public, MAX-AGE=1200, must-revalidate", 1200.0),
        ("max-age=1", 300.0),
        ("no-store", 300.0),
        ("max-age=31536000", HOUR),
        ("max-age=soon", HOUR),
        ("s-maxage=600", HOUR),
    ],
)
async def test_the_issuer_may_say_for_how_long_within_bounds(
    control: str, seconds: float, desk: Desk, issuer: LocalIssuer
) -> None:
    issuer.headers = {"Cache-Control": control}
    await desk.user(signed(desk, issuer))
    desk.seconds = seconds - 1
    await desk.user(signed(desk, issuer))
    assert issuer.asked[JWKS] == 1
    desk.seconds = seconds
    await desk.user(signed(desk, issuer))
    assert issuer.asked[JWKS] == 2


async def test_of_many_who_come_at_once_one_asks(desk: Desk, issuer: LocalIssuer) -> None:
    issuer.open.clear()
    asking = [asyncio.create_task(desk.users.authenticate(signed(desk, issuer))) for _ in range(30)]
    await eventually(lambda: _is(issuer.asked[DISCOVERY] == 1))
    asking[0].cancel()  # who has begun it goes away, and the others get their answer
    issuer.open.set()

    viewers = await asyncio.gather(*asking[1:])

    assert len({viewer.user_id for viewer in viewers}) == 1
    assert issuer.asked == {DISCOVERY: 1, JWKS: 1}
    with suppress(asyncio.CancelledError):
        await asking[0]


async def test_a_new_key_is_found_when_a_token_names_it_and_the_old_one_stays_good(
    desk: Desk, issuer: LocalIssuer
) -> None:
    old = signed(desk, issuer)
    await desk.user(old)
    issuer.rotate("new")

    await desk.user(signed(desk, issuer, "new"))
    await desk.user(signed(desk, issuer))
    assert issuer.asked[JWKS] == 2

    desk.seconds = 31
    issuer.rotate("newest", retired=("rsa",))
    await desk.user(signed(desk, issuer, "newest"))
    assert await desk.refusal(signed(desk, issuer)) == "KEY"  # it isn't published any more


async def test_a_flood_of_unknown_keys_has_the_issuer_asked_once_in_half_a_minute(
    desk: Desk, issuer: LocalIssuer
) -> None:
    await desk.user(signed(desk, issuer))
    assert issuer.asked[JWKS] == 1
    for window in (0, 1, 2):
        for seconds in (0.0, 10.0, 29.0):
            desk.seconds = window * 30 + seconds
            tokens = [issuer.sign(desk.claims(issuer), header={"kid": f"made-up-{number}"}) for number in range(20)]
            before = desk.told.tokens["main", "KEY"]
            refused = await asyncio.gather(*map(desk.users.authenticate, tokens), return_exceptions=True)
            assert {type(each).__name__ for each in refused} == {"Unauthenticated"}
            assert desk.told.tokens["main", "KEY"] == before + 20
            await desk.user(signed(desk, issuer))  # which nobody else notices
        assert issuer.asked[JWKS] == 2 + window


async def test_a_first_token_of_an_unknown_key_costs_one_fetch(desk: Desk, issuer: LocalIssuer) -> None:
    assert await desk.refusal(issuer.sign(desk.claims(issuer), header={"kid": "made-up"})) == "KEY"
    assert issuer.asked[JWKS] == 1


async def test_while_the_issuer_is_down_its_known_keys_are_good_for_a_day(
    desk: Desk, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.user(signed(desk, issuer))
    issuer.down = True
    for desk.seconds in (HOUR - 1, HOUR, 2 * HOUR, DAY - 1):
        await desk.user(signed(desk, issuer))
        await eventually(lambda: _is(desk.told.providers["main", "FAILED"] >= (desk.seconds >= HOUR)))
    await unavailable(desk, issuer.sign(desk.claims(issuer), header={"kid": "made-up"}))
    desk.seconds = DAY
    await unavailable(desk, signed(desk, issuer))
    assert "The identity provider main gave no usable answer: its metadata: it answered with 503." in caplog.text

    issuer.down = False
    desk.seconds = DAY + 5
    await desk.user(signed(desk, issuer))


async def test_an_issuer_that_was_never_reached_is_tried_again_soon_and_not_all_the_time(
    desk: Desk, issuer: LocalIssuer
) -> None:
    issuer.down = True
    for _ in range(10):
        await unavailable(desk, signed(desk, issuer))
    assert issuer.asked[DISCOVERY] == 2  # the guarded client tries a 503 twice
    assert desk.told.tokens == {("main", "UNAVAILABLE"): 10}

    issuer.down = False
    desk.seconds = 4.9
    await unavailable(desk, signed(desk, issuer))
    desk.seconds = 5.0
    await desk.user(signed(desk, issuer))


async def test_an_issuer_that_never_answers_delays_no_api_key_and_nobody_for_long(
    desk: Desk, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "WAIT_SECONDS", 0.2)
    key = (await desk.users.issue_api_key("acme", "ada@acme.example", Role.ADMIN)).reveal()
    issuer.open.clear()

    waiting = asyncio.create_task(desk.users.authenticate(signed(desk, issuer)))
    await eventually(lambda: _is(issuer.asked[DISCOVERY] == 1))
    assert (await desk.users.authenticate(key)).user_name == "ada"
    assert not waiting.done()
    async with asyncio.timeout(2):
        with pytest.raises(ServiceUnavailable):
            await waiting
        await unavailable(desk, signed(desk, issuer))
    assert issuer.asked[DISCOVERY] == 1  # they wait for the same answer
    async with asyncio.timeout(0.15):  # and whoever comes now not at all, however many they are
        token = signed(desk, issuer)
        late = await asyncio.gather(*(desk.users.authenticate(token) for _ in range(20)), return_exceptions=True)
        assert {type(each) for each in late} == {ServiceUnavailable}

    issuer.open.set()

    async def opens() -> bool:
        with suppress(ServiceUnavailable):
            await desk.users.authenticate(signed(desk, issuer))
            return True
        return False

    await eventually(opens)


async def test_with_stale_keys_nobody_waits_for_an_issuer_that_failed(desk: Desk, issuer: LocalIssuer) -> None:
    await desk.user(signed(desk, issuer))
    issuer.down = True
    desk.seconds = HOUR
    await desk.user(signed(desk, issuer))
    issuer.down = False
    issuer.open.clear()
    desk.seconds = HOUR + 5
    async with asyncio.timeout(2):
        await desk.user(signed(desk, issuer))
    await eventually(lambda: _is(issuer.asked[DISCOVERY] == 4))
    issuer.open.set()
    await eventually(lambda: _is(desk.told.providers["main", "OK"] == 2))


@pytest.fixture
async def own_provider() -> AsyncIterator[IdentityProviderServer]:
    """A certified provider of this test's own, since it counts."""
    async with running_identity_provider() as running:
        yield running


async def test_a_certified_provider_changes_its_keys_while_it_runs(
    database_url: str, own_provider: IdentityProviderServer, caplog: pytest.LogCaptureFixture
) -> None:
    real = LocalIssuer()
    real.url = own_provider.url

    async def token(login: str = "ada") -> str:
        return await own_provider.access_token(login, audience=AUDIENCE)

    async with a_desk(database_url, trusted(real)) as desk:
        before = await token()
        await desk.user(before)
        await own_provider.rotate_keys()
        after = await token("bob")
        assert (await desk.user(after)).name == "Bob Unverified"
        desk.clock.advance(seconds=4)
        await desk.user(before)  # the old key is published as before
        assert await own_provider.times_asked("/jwks") == 2

        await own_provider.rotate_keys(retire=True)
        desk.seconds = 30
        assert await desk.refusal(real.sign({"iss": real.url}, header={"kid": "made-up"})) == "KEY"
        desk.clock.advance(seconds=4)
        assert await desk.refusal(before) == "KEY"
        await desk.user(await token())
        assert await own_provider.times_asked("/jwks") == 3

        with caplog.at_level(logging.WARNING):
            await own_provider.set_down(True)
            desk.seconds = 2 * HOUR
            await desk.user(await token())
            await unavailable(desk, real.sign({"iss": real.url}, header={"kid": "made-up"}))
        assert "gave no usable answer" in caplog.text


async def _is(value: bool) -> bool:
    return value
