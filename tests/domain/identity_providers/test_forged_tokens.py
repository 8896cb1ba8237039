"""Tokens that no issuer has signed, or not for this: no signature, another key, a key that comes along, any change."""

import hmac
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey, RSAKey

from domain.identity_providers.signed_token import LARGEST_TOKEN
from tests.domain.identity_providers.desk import Desk, a_desk, trusted
from tests.local_issuer import JWKS, LocalIssuer, running_local_issuer, unsigned

pytestmark = pytest.mark.anyio


async def test_a_token_without_a_signature_is_refused(desk: Desk, issuer: LocalIssuer) -> None:
    for algorithm in ("none", "None", "nOnE"):
        header = {"alg": algorithm, "typ": "at+jwt"}
        assert await desk.refusal(unsigned(header, desk.claims(issuer))) == "MALFORMED"
        assert await desk.refusal(unsigned(header, desk.claims(issuer), b"x")) == "ALGORITHM"
    assert await desk.refusal(unsigned({"alg": "RS256", "kid": "rsa"}, desk.claims(issuer))) == "MALFORMED"
    assert await desk.refusal(unsigned({"alg": "RS256", "kid": "rsa"}, desk.claims(issuer), b"\0" * 256)) == "SIGNATURE"
    assert await desk.refusal(unsigned({"alg": "ES256", "kid": "p256"}, desk.claims(issuer), b"\0" * 64)) == "SIGNATURE"


async def test_a_key_that_only_claims_to_be_the_issuers_is_refused(desk: Desk, issuer: LocalIssuer) -> None:
    assert await desk.refusal(issuer.sign(desk.claims(issuer), key=issuer.stranger)) == "SIGNATURE"


async def test_the_public_key_is_no_shared_secret(desk: Desk, issuer: LocalIssuer) -> None:
    public = issuer.keys["rsa"]
    assert isinstance(public, RSAKey)
    whole = json.dumps(public.as_dict(private=False)).encode()
    for secret in (public.as_pem(private=False), public.as_der(private=False), whole):
        for algorithm in ("HS256", "HS384", "HS512"):
            header = {"alg": algorithm, "typ": "at+jwt", "kid": "rsa"}
            signing_input = unsigned(header, desk.claims(issuer)).rpartition(".")[0]
            signature = hmac.digest(secret, signing_input.encode(), f"sha{algorithm[2:]}")
            assert await desk.refusal(unsigned(header, desk.claims(issuer), signature)) == "ALGORITHM"


async def test_a_key_that_comes_along_or_is_pointed_to_counts_for_nothing(desk: Desk, issuer: LocalIssuer) -> None:
    own = {**issuer.stranger.as_dict(private=False), "kid": "rsa"}
    async with running_local_issuer() as elsewhere:
        elsewhere.documents[JWKS] = {"keys": [own]}
        for header in (
            {"jwk": own},
            {"jku": elsewhere.url + JWKS},
            {"x5u": elsewhere.url + JWKS},
            {"jwk": own, "jku": elsewhere.url + JWKS, "x5u": elsewhere.url + JWKS},
        ):
            assert (
                await desk.refusal(issuer.sign(desk.claims(issuer), key=issuer.stranger, header=header)) == "SIGNATURE"
            )
            await desk.user(issuer.sign(desk.claims(issuer), header=header))
        assert not elsewhere.asked


async def test_one_issuers_key_signs_for_no_other(desk: Desk, issuer: LocalIssuer, database_url: str) -> None:
    async with running_local_issuer() as partner:
        partner.rotate("rsa")
        async with a_desk(database_url, trusted(issuer), trusted(partner, id="partner")) as both:
            await both.user(partner.sign(both.claims(partner, email=None)))
            assert await both.refusal(partner.sign(both.claims(issuer))) == "SIGNATURE"
            assert await both.refusal(issuer.sign(both.claims(partner))) == "SIGNATURE"


async def test_an_issuers_algorithms_can_be_fewer(issuer: LocalIssuer, database_url: str) -> None:
    async with a_desk(database_url, trusted(issuer, algorithms=("ES256",))) as strict:
        await strict.user(issuer.sign(strict.claims(issuer), algorithm="ES256", kid="p256"))
        assert await strict.refusal(issuer.sign(strict.claims(issuer))) == "ALGORITHM"


async def test_an_encrypted_token_is_refused(desk: Desk, issuer: LocalIssuer) -> None:
    key = issuer.keys["rsa"]
    assert not isinstance(key, OctKey)
    inner = desk.token(issuer).encode()
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT", "kid": "rsa"}
    assert (
        await desk.refusal(jwe.encrypt_compact(header, inner, key, algorithms=["RSA-OAEP-256", "A256GCM"]))
        == "MALFORMED"
    )


async def test_a_huge_token_is_refused_before_it_is_read(desk: Desk, issuer: LocalIssuer) -> None:
    large = desk.token(issuer, filling="x" * 11_000)
    assert len(large) < LARGEST_TOKEN
    await desk.user(large)
    for token in (desk.token(issuer, filling="x" * 13_000), "a." * 10_000_000, "x" * 20_000_000):
        assert await desk.refusal(token) == "TOO_LARGE"


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b", "a.b.c.d.e", "é.b.c", "a.b.c\n", " a.b.c", "\ud800.b.c", "Bearer a.b.c"]
)
async def test_what_is_no_token_is_refused(token: str, desk: Desk) -> None:
    assert await desk.refusal(token) == "MALFORMED"


@settings(suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_no_change_of_a_token_leaves_it_good(data: st.DataObject, issuer: LocalIssuer, on_sqlite: Desk) -> None:
    kid, algorithm = data.draw(
        st.sampled_from([("rsa", "RS256"), ("rsa", "PS256"), ("p256", "ES256"), ("ed25519", "EdDSA")])
    )
    token = issuer.sign(on_sqlite.claims(issuer), kid=kid, algorithm=algorithm)
    at = data.draw(st.integers(0, len(token)))
    kind = data.draw(st.sampled_from(["replace", "insert", "delete", "swap"]))
    text = data.draw(st.text(st.characters(codec="ascii"), min_size=1, max_size=3) | st.text(min_size=1, max_size=3))
    match kind:
        case "replace":
            changed = token[:at] + text + token[at + len(text) :]
        case "insert":
            changed = token[:at] + text + token[at:]
        case "delete":
            changed = token[:at] + token[at + len(text) :]
        case _:
            parts = data.draw(st.permutations(token.split(".")))
            changed = ".".join(parts)

    if changed == token:
        await on_sqlite.users.authenticate(changed)
    else:
        await on_sqlite.refusal(changed)
