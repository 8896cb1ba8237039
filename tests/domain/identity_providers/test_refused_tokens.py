"""Tokens that an issuer has signed and that open nothing all the same, each refused in the same words."""

from typing import Any

import pytest

from tests.domain.identity_providers.desk import Desk, a_desk, trusted
from tests.local_issuer import AUDIENCE, LocalIssuer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://other.example.com"}, "ISSUER"),
        ({"iss": None}, "ISSUER"),
        ({"iss": ["http://127.0.0.1"]}, "ISSUER"),
        ({"iss": {}}, "ISSUER"),
        ({"aud": None}, "AUDIENCE"),
        ({"aud": "https://other.example.com"}, "AUDIENCE"),
        ({"aud": AUDIENCE + "/"}, "AUDIENCE"),
        ({"aud": []}, "AUDIENCE"),
        ({"aud": [[AUDIENCE], 1]}, "AUDIENCE"),
        ({"aud": {AUDIENCE: True}}, "AUDIENCE"),
        ({"exp": None}, "CLAIMS"),
        ({"exp": "4000000000"}, "CLAIMS"),
        ({"exp": True}, "CLAIMS"),
        ({"exp": -1}, "CLAIMS"),
        ({"exp": 1e300}, "CLAIMS"),
        ({"exp": 10**400}, "CLAIMS"),
        ({"nbf": "now"}, "CLAIMS"),
        ({"iat": []}, "CLAIMS"),
        ({"exp": 0}, "EXPIRED"),
        ({"sub": None}, "CLAIMS"),
        ({"sub": ""}, "CLAIMS"),
        ({"sub": 7}, "CLAIMS"),
        ({"sub": "x" * 256}, "CLAIMS"),
        ({"sub": "a\x00b"}, "CLAIMS"),
        ({"sub": "\ud800"}, "CLAIMS"),
        ({"cnf": {"jkt": "of the sender's key"}}, "SENDER_CONSTRAINED"),
        ({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}, "TYPE"),
    ],
    ids=str,
)
async def test_a_claim_that_is_not_as_it_has_to_be_is_refused(
    changes: dict[str, Any], reason: str, desk: Desk, issuer: LocalIssuer
) -> None:
    assert await desk.refusal(desk.token(issuer, **changes)) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "n"},
        {"at_hash": "h"},
        {"c_hash": "h"},
        {"typ": "ID"},
        {"token_use": "id"},
    ],
    ids=str,
)
async def test_an_id_token_opens_nothing_unless_the_operator_says_so(
    changes: dict[str, Any], desk: Desk, issuer: LocalIssuer, database_url: str
) -> None:
    token = issuer.sign(desk.claims(issuer, **changes), header={"typ": "JWT"})

    assert await desk.refusal(token) == "TYPE"
    async with a_desk(database_url, trusted(issuer, accepts_id_tokens=True)) as lenient:
        await lenient.user(token)


@pytest.mark.parametrize("kind", ["Refresh", "Offline", "Logout", "DPoP"])
async def test_what_keycloak_signs_for_itself_opens_nothing(kind: str, desk: Desk, issuer: LocalIssuer) -> None:
    assert await desk.refusal(issuer.sign(desk.claims(issuer, typ=kind), header={"typ": "JWT"})) == "TYPE"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"typ": "logout+jwt"}, "TYPE"),
        ({"typ": "secevent+jwt"}, "TYPE"),
        ({"typ": "dpop+jwt"}, "TYPE"),
        ({"typ": 1}, "MALFORMED"),
        ({"crit": ["exp"], "exp": 1}, "CRITICAL_HEADER"),
        ({"crit": ["unknown"], "unknown": 1}, "CRITICAL_HEADER"),
        ({"crit": []}, "CRITICAL_HEADER"),
        ({"crit": 5}, "CRITICAL_HEADER"),
        ({"b64": True}, "CRITICAL_HEADER"),
        ({"crit": ["b64"], "b64": False}, "CRITICAL_HEADER"),
        ({"b64": False}, "MALFORMED"),
        ({"kid": 7}, "MALFORMED"),
        ({"kid": ["rsa"]}, "MALFORMED"),
        ({"kid": "nobody's"}, "KEY"),
        ({"kid": "../../etc/passwd"}, "KEY"),
        ({"kid": "p256"}, "KEY"),  # an elliptic curve, which no RSA signature is of
        ({"alg": "HS256"}, "ALGORITHM"),
        ({"alg": "none"}, "ALGORITHM"),
        ({"alg": "NONE"}, "ALGORITHM"),
        ({"alg": "RS1"}, "ALGORITHM"),
        ({"alg": "ES256K"}, "ALGORITHM"),
        ({"alg": ["RS256"]}, "MALFORMED"),
        ({"alg": {}}, "MALFORMED"),
        ({"alg": None}, "MALFORMED"),
        ({"alg": "RS512"}, "SIGNATURE"),
        ({"alg": "ES256"}, "KEY"),
    ],
    ids=str,
)
async def test_a_header_that_demands_or_claims_what_cannot_be_is_refused(
    header: dict[str, Any], reason: str, desk: Desk, issuer: LocalIssuer
) -> None:
    assert await desk.refusal(issuer.sign(desk.claims(issuer), header=header)) == reason


@pytest.mark.parametrize(
    "header",
    [
        b"1",
        b"null",
        b'"alg"',
        b'"algb64"',
        b"[]",
        b'["alg"]',
        b"{}",
        b"{",
        b"",
        b"\xff",
        b"[" * 9_000,
        b'{"alg":' * 1_500,
    ],
    ids=lambda header: repr(header[:12]),
)
async def test_a_header_that_is_none_is_refused(header: bytes, desk: Desk, issuer: LocalIssuer) -> None:
    assert await desk.refusal(issuer.sign(desk.claims(issuer), header=header)) == "MALFORMED"


@pytest.mark.parametrize(
    "payload",
    [
        b"1",
        b"null",
        b'"text"',
        b"[]",
        b"{",
        b"",
        b"\xff",
        b"[" * 9_000,
        b'{"a":' * 1_500,
        b'{"exp":NaN}',
        b'{"exp":1e999',
    ],
    ids=lambda payload: repr(payload[:12]),
)
async def test_claims_that_are_none_are_refused(payload: bytes, desk: Desk, issuer: LocalIssuer) -> None:
    assert await desk.refusal(issuer.sign(payload)) == "MALFORMED"


async def test_what_is_no_number_to_json_is_no_time_either(desk: Desk, issuer: LocalIssuer) -> None:
    payload = f'{{"iss":"{issuer.url}","sub":"ada","aud":"{AUDIENCE}","exp":%s}}'
    for endless, reason in (
        ("NaN", "MALFORMED"),
        ("Infinity", "MALFORMED"),
        ("1e999", "CLAIMS"),
        ("9" * 5_000, "MALFORMED"),
    ):
        assert await desk.refusal(issuer.sign((payload % endless).encode())) == reason
