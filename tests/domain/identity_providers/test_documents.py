"""Which of what an issuer publishes is used: metadata that can be right, and keys for what each of them is."""

import json
from typing import Any

import pytest

from tests.domain.identity_providers.desk import Desk, a_desk, signed, trusted, unavailable
from tests.local_issuer import DISCOVERY, JWKS, LocalIssuer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example.com"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": 7},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"jwks_uri": "http://[::"},
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"jwks_uri": "file:///etc/passwd"},
    ],
    ids=str,
)
async def test_metadata_that_cannot_be_right_is_not_used(
    metadata: dict[str, Any], desk: Desk, issuer: LocalIssuer
) -> None:
    issuer.documents[DISCOVERY] |= metadata
    await unavailable(desk, signed(desk, issuer))
    assert issuer.asked[JWKS] == 0


async def test_half_a_character_in_its_metadata_is_no_address(desk: Desk, issuer: LocalIssuer) -> None:
    """JSON can hold it, and nothing can send it."""
    metadata = {**issuer.documents[DISCOVERY], "jwks_uri": f"{issuer.url}/\ud800"}
    issuer.documents[DISCOVERY] = json.dumps(metadata).encode()
    await unavailable(desk, signed(desk, issuer))


async def test_an_issuers_slash_at_its_end_counts(database_url: str, issuer: LocalIssuer) -> None:
    slashed = issuer.url + "/"
    async with a_desk(database_url, trusted(issuer, url=slashed)) as desk:
        await unavailable(desk, signed(desk, issuer, iss=slashed))
        issuer.documents[DISCOVERY]["issuer"] = slashed
        desk.seconds = 5
        await desk.user(signed(desk, issuer, iss=slashed))
        assert await desk.refusal(signed(desk, issuer)) == "ISSUER"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>",
        b"[" * 10_000,
        b"1",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [1, null, "x", [], {}]}',
        b'{"keys": "' + b"x" * 600_000 + b'"}',
    ],
    ids=lambda document: repr(document[:24]),
)
async def test_what_is_no_set_of_keys_is_not_used(document: bytes, desk: Desk, issuer: LocalIssuer) -> None:
    issuer.documents[JWKS] = document
    await unavailable(desk, signed(desk, issuer))


@pytest.mark.parametrize(
    "changes",
    [
        {"use": "enc"},
        {"use": 1},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"kid": 7},
        {"kid": "another"},
        {"alg": "RS512"},
        {"alg": 256},
        {"alg": "HS256"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC"},
        {"kty": "AKP"},
        {"kty": None},
        {"n": 5},
        {"n": "not base64!"},
        {"n": "AQAB"},
        {"n": "_" * 2_000},
        {"e": None},
    ],
    ids=str,
)
async def test_a_key_is_used_only_for_what_it_is_and_a_bad_one_takes_no_other_along(
    changes: dict[str, Any], desk: Desk, issuer: LocalIssuer
) -> None:
    bad, *_ = issuer.documents[JWKS]["keys"]
    issuer.publish("p256")
    issuer.documents[JWKS]["keys"].insert(0, {k: v for k, v in {**bad, **changes}.items() if v is not None})

    assert await desk.refusal(signed(desk, issuer)) == "KEY"
    await desk.user(issuer.sign(desk.claims(issuer), algorithm="ES256", kid="p256"))


@pytest.mark.parametrize(
    "changes", [{"crv": "secp256k1"}, {"crv": "P-999"}, {"crv": "P-384"}, {"x": "AAAA"}, {"y": None}], ids=str
)
async def test_a_point_that_lies_on_no_curve_of_ours_is_no_key(
    changes: dict[str, Any], desk: Desk, issuer: LocalIssuer
) -> None:
    issuer.publish("p256", "rsa")
    bad, _ = issuer.documents[JWKS]["keys"]
    for name, value in changes.items():
        bad[name] = value
    assert await desk.refusal(issuer.sign(desk.claims(issuer), algorithm="ES256", kid="p256")) == "KEY"
    await desk.user(signed(desk, issuer))


async def test_private_parts_that_an_issuer_publishes_are_not_read(desk: Desk, issuer: LocalIssuer) -> None:
    whole = issuer.keys["rsa"].as_dict(private=True)
    issuer.documents[JWKS] = {
        "keys": [{**whole, "kid": "rsa", "d": "nonsense", "x5c": 5, "use": "sig", "key_ops": ["verify"]}]
    }
    await desk.user(signed(desk, issuer))


async def test_a_token_that_names_no_key_is_tried_with_those_that_fit(desk: Desk, issuer: LocalIssuer) -> None:
    issuer.rotate("second")
    await desk.user(issuer.sign(desk.claims(issuer), kid=None, key=issuer.keys["second"]))
    await desk.user(issuer.sign(desk.claims(issuer), kid=None, key=issuer.keys["p384"], algorithm="ES384"))
    for _ in range(3):
        assert await desk.refusal(issuer.sign(desk.claims(issuer), kid=None, key=issuer.stranger)) == "SIGNATURE"
    assert issuer.asked[JWKS] == 2  # it might have been a new one


async def test_a_new_key_is_found_by_a_token_that_names_none(desk: Desk, issuer: LocalIssuer) -> None:
    await desk.user(issuer.sign(desk.claims(issuer), kid=None))
    issuer.rotate("rsa")
    await desk.user(issuer.sign(desk.claims(issuer), kid=None))
