"""Which tokens open: those that an issuer has signed, for us and for now. For every other one there is one answer."""

import asyncio
import logging
from typing import Any

import pytest
from sqlalchemy import func, select

from domain.entities.identifiers import new_id
from domain.entities.user import Role
from domain.errors import Unauthenticated
from domain.moment_cache import LIFETIME
from domain.recognition import ANOTHER_PROVIDER
from domain.user_service import UNAUTHENTICATED
from persistence.tables import user_identities
from tests.domain.identity_providers.desk import Desk, a_desk, trusted
from tests.every_row import every_row
from tests.identity_provider.running import IdentityProviderServer
from tests.local_issuer import AUDIENCE, LocalIssuer, running_local_issuer

pytestmark = pytest.mark.anyio

SIGNERS = {
    "RS256": "rsa",
    "RS384": "rsa",
    "RS512": "rsa",
    "PS256": "rsa",
    "PS384": "rsa",
    "PS512": "rsa",
    "ES256": "p256",
    "ES384": "p384",
    "ES512": "p521",
    "EdDSA": "ed25519",
    "Ed25519": "ed25519",
}


# What opens


@pytest.mark.parametrize("algorithm", SIGNERS)
async def test_a_token_by_each_algorithm_opens_as_its_person(algorithm: str, desk: Desk, issuer: LocalIssuer) -> None:
    user = await desk.user(issuer.sign(desk.claims(issuer), algorithm=algorithm, kid=SIGNERS[algorithm]))

    assert (user.name, user.email) == ("Ada Lovelace", "ada@acme.example")
    again = await desk.user(issuer.sign(desk.claims(issuer, jti="2"), algorithm=algorithm, kid=SIGNERS[algorithm]))
    assert again.id == user.id


async def test_it_acts_with_no_key_and_caps_no_role(desk: Desk, issuer: LocalIssuer) -> None:
    viewer = await desk.users.authenticate(desk.token(issuer))

    assert (viewer.api_key_id, viewer.api_key_name, viewer.role_cap, viewer.confined_to) == (
        None,
        None,
        Role.OWNER,
        None,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["https://other.example.com", AUDIENCE]},
        {"aud": "tether-api"},
        {"iat": None},
        {"typ": "Bearer", "nonce": "of an older Keycloak"},
        {"token_use": "access"},
        {"sub": "x" * 255},
        {"name": None, "email": None},
        {"exp": 4_000_000_000.5},
    ],
    ids=str,
)
async def test_what_issuers_do_differently_opens(changes: dict[str, Any], desk: Desk, issuer: LocalIssuer) -> None:
    await desk.user(issuer.sign(desk.claims(issuer, **changes), header={"typ": "JWT"}))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+JWT"},
        {"typ": "application/at+jwt"},
        {"typ": None},
        {"typ": "jwt", "x5t": "abc", "unknown": {"deeply": ["nested"]}},
        {"kid": None},
        {"x5c": ["M" * 2_000]},
    ],
    ids=str,
)
async def test_headers_that_say_nothing_against_it_are_fine(
    header: dict[str, Any], desk: Desk, issuer: LocalIssuer
) -> None:
    await desk.user(issuer.sign(desk.claims(issuer), header=header))


async def test_the_clocks_may_differ_by_a_minute_and_no_more(desk: Desk, issuer: LocalIssuer) -> None:
    now = desk.clock().timestamp()
    for changes in ({"exp": now - 57}, {"nbf": now + 57}, {"iat": now + 57}):
        await desk.user(desk.token(issuer, **changes))
    assert await desk.refusal(desk.token(issuer, exp=now - 60)) == "EXPIRED"
    assert await desk.refusal(desk.token(issuer, nbf=now + 63)) == "NOT_YET_VALID"
    assert await desk.refusal(desk.token(issuer, iat=now + 63)) == "NOT_YET_VALID"


# What is remembered, and told


async def test_a_burst_costs_one_verification(desk: Desk, issuer: LocalIssuer) -> None:
    token = desk.token(issuer)

    viewers = await asyncio.gather(*(desk.users.authenticate(token) for _ in range(50)))

    assert len(set(viewers)) == 1
    assert desk.told.tokens == {("main", "ACCEPTED"): 1}
    async with every_row(desk.database) as connection:
        assert await connection.scalar(select(func.count()).select_from(user_identities)) == 1
    desk.clock.advance(seconds=LIFETIME.total_seconds())
    await desk.users.authenticate(token)
    assert desk.told.tokens == {("main", "ACCEPTED"): 2}


async def test_a_token_is_not_remembered_past_its_end(desk: Desk, issuer: LocalIssuer) -> None:
    token = desk.token(issuer, exp=desk.clock().timestamp() - 58)
    await desk.users.authenticate(token)
    desk.clock.advance(seconds=2)  # less than things are remembered

    assert await desk.refusal(token) == "EXPIRED"


async def test_another_signature_of_the_same_claims_is_looked_into_by_itself(desk: Desk, issuer: LocalIssuer) -> None:
    claims = desk.claims(issuer)
    await desk.users.authenticate(issuer.sign(claims))

    assert await desk.refusal(issuer.sign(claims, key=issuer.stranger)) == "SIGNATURE"


async def test_the_log_says_why_and_never_shows_the_token(
    desk: Desk, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    token, unknown = desk.token(issuer, aud="other"), desk.token(issuer, iss="https://secret.example.com")
    with caplog.at_level(logging.DEBUG):
        await desk.refusal(token)
        await desk.refusal(unknown)
        await desk.users.authenticate(desk.token(issuer))

    said = [
        (record.levelname, record.getMessage()) for record in caplog.records if "bearer token" in record.getMessage()
    ]
    assert said == [
        ("INFO", "A bearer token of main is refused: AUDIENCE."),
        ("DEBUG", "A bearer token of no issuer that is known here is refused: ISSUER."),
    ]
    for part in (*token.split("."), *unknown.split(".")[1:], "secret.example.com"):
        assert part not in caplog.text


async def test_somebody_of_another_provider_is_told_so(database_url: str, issuer: LocalIssuer) -> None:
    async with (
        running_local_issuer() as partner,
        a_desk(database_url, trusted(issuer), trusted(partner, id="partner")) as both,
    ):
        await both.user(both.token(issuer))
        with pytest.raises(Unauthenticated) as refusal:
            await both.users.authenticate(both.token(partner))
        assert refusal.value.message == ANOTHER_PROVIDER
        assert both.told.tokens["partner", "ADDRESS"] == 1


async def test_without_issuers_no_token_opens(database_url: str, issuer: LocalIssuer) -> None:
    async with a_desk(database_url) as closed:
        assert await closed.refusal(closed.token(issuer)) == "ISSUER"
    async with a_desk(database_url, trusted(issuer, audiences=())) as closed:
        assert await closed.refusal(closed.token(issuer)) == "ISSUER"
    assert not issuer.asked


async def test_api_keys_open_as_before(desk: Desk) -> None:
    token = await desk.users.issue_api_key("acme", "ada@acme.example", Role.ADMIN)

    assert (await desk.users.authenticate(token.reveal())).role_cap is Role.ADMIN
    with pytest.raises(Unauthenticated, match=UNAUTHENTICATED.split(" (")[0]):
        await desk.users.authenticate(token.reveal()[:-1])


# A real issuer


async def test_a_certified_providers_tokens_open_until_they_end(
    database_url: str, identity_provider: IdentityProviderServer
) -> None:
    login = f"grace-{new_id()}"
    subject = await identity_provider.put_account(
        login,
        name="Grace Hopper",
        email=f"{login}@acme.example",
        email_verified=True,
        picture="https://a.example/g.png",
    )
    real = LocalIssuer()
    real.url = identity_provider.url
    async with a_desk(database_url, trusted(real)) as desk:
        users = [
            await desk.user(await identity_provider.access_token(login, audience=AUDIENCE, algorithm=algorithm))
            for algorithm in ("RS256", "PS256", "ES256", "EdDSA")
        ]
        assert {(user.name, user.email, user.avatar_url) for user in users} == {
            ("Grace Hopper", f"{login}@acme.example", "https://a.example/g.png")
        }
        async with desk.units.reading_everywhere() as unit:
            known = await unit.identities.find(identity_provider.url, subject)
        assert known is not None
        assert {user.id for user in users} == {known.user.id}
        assert (
            await desk.refusal(await identity_provider.access_token(login, audience="https://o.example")) == "AUDIENCE"
        )
        token = await identity_provider.access_token(login, audience=AUDIENCE, expires_in_seconds=60)
        await desk.user(token)
        desk.clock.advance(seconds=121)
        assert await desk.refusal(token) == "EXPIRED"
