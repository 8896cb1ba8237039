"""What is believed of an ID token, and what becomes of a provider that doesn't answer as it should."""

from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256, sha384, sha512
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

import pytest

from domain.address_guard import OutboundAllow
from domain.entities.identity import VerifiedIdentity
from domain.http import HttpClient
from domain.identity_providers.claims import ClaimsReader
from domain.identity_providers.issuer import Issuer
from domain.identity_providers.provider import IdentityProvider
from domain.identity_providers.sign_in_client import ClientRegistration, SignInClient
from domain.one_time_tokens import new_one_time_token
from domain.secret import Secret
from domain.sign_in import SignInRequest, SignInReturn
from domain.sign_in_failure import SignInFailure, SignInFailureCode
from tests.local_issuer import (
    ACCESS_TOKEN,
    CLIENT_ID,
    NONCE,
    TokenIssuer,
    _base64,
    running_token_issuer,
    unsigned,
)

pytestmark = pytest.mark.anyio

REDIRECT_URI = "https://tether.example.com/sign-in/callback/main"
SECRET = "s3cret/with:signs&+ü"


@dataclass
class Desk:
    issuer: TokenIssuer
    http: HttpClient

    def client(self, **changes: Any) -> SignInClient:
        issuer = Issuer(**{"id": "main", "url": self.issuer.url, "audiences": (), **changes})
        provider = IdentityProvider(issuer, self.http)
        registration = ClientRegistration("Main", CLIENT_ID, Secret(SECRET))
        return SignInClient(provider, registration, self.http, self.issuer.clock, ClaimsReader().identity_of)

    async def identify(self, client: SignInClient | None = None, **changes: Any) -> VerifiedIdentity | SignInFailure:
        returned = SignInReturn("the-code", None, NONCE, Secret("v" * 43), REDIRECT_URI)
        return await (client or self.client()).identify(replace(returned, **changes))

    async def failure(self, **changes: Any) -> SignInFailure:
        outcome = await self.identify(**changes)
        assert isinstance(outcome, SignInFailure), outcome
        return outcome

    async def unverified(self, id_token: Any, **given: Any) -> str:
        """Why the token isn't believed, as the log is told."""
        self.issuer.will_give(id_token, **given)
        failure = await self.failure()
        assert failure.code is SignInFailureCode.UNVERIFIED
        return failure.detail


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with (
        running_token_issuer() as issuer,
        aclosing(HttpClient(allow=OutboundAllow.parse("127.0.0.1"), retry_delay_seconds=lambda: 0.0)) as http,
    ):
        yield Desk(issuer, http)


async def test_a_good_token_says_who_it_is(desk: Desk) -> None:
    issuer = desk.issuer
    claims = issuer.id_claims()
    issuer.will_give(issuer.sign(claims, header={"typ": "JWT"}))
    since = datetime.fromtimestamp(claims["iat"], UTC)
    expected = VerifiedIdentity(issuer.url, "ada-1", "Ada Lovelace", "ada@acme.example", issued_at=since)
    assert await desk.identify() == expected


async def test_the_browser_is_sent_with_all_that_binds_its_way_back(desk: Desk) -> None:
    state, verifier = new_one_time_token(), Secret("v" * 43)
    address = await desk.client().address(SignInRequest(state, NONCE, verifier, REDIRECT_URI))
    assert isinstance(address, str)
    challenge = _base64(sha256(verifier.reveal().encode()).digest())
    assert address.startswith(f"{desk.issuer.url}/authorize?")
    assert dict(parse_qsl(urlsplit(address).query)) == {
        "tenant": "1",
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "scope": "openid email profile",
        "state": state.reveal(),
        "nonce": NONCE,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }


@pytest.mark.parametrize(
    ("methods", "in_header"),
    [(None, True), (["client_secret_basic", "client_secret_post"], True), (["client_secret_post"], False)],
)
async def test_the_code_is_exchanged_once_as_the_provider_wants_it(
    desk: Desk, methods: list[str] | None, in_header: bool
) -> None:
    desk.issuer.metadata(token_endpoint_auth_methods_supported=methods)
    desk.issuer.will_give(desk.issuer.sign(desk.issuer.id_claims()))
    assert isinstance(await desk.identify(), VerifiedIdentity)
    [(headers, form)] = desk.issuer.sent
    expected = {
        "grant_type": ["authorization_code"],
        "code": ["the-code"],
        "redirect_uri": [REDIRECT_URI],
        "code_verifier": ["v" * 43],
    }
    if in_header:
        pair = b64decode(headers["authorization"].removeprefix("Basic ")).decode()
        assert list(map(unquote_plus, pair.split(":"))) == [CLIENT_ID, SECRET]
    else:
        expected |= {"client_id": [CLIENT_ID], "client_secret": [SECRET]}
        assert "authorization" not in headers
    assert form == expected


# What isn't believed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nonce": "of-another-flow"}, "CLAIMS"),
        ({"nonce": None}, "CLAIMS"),
        ({"nonce": 7}, "CLAIMS"),
        ({"nonce": "\ud800"}, "CLAIMS"),  # half a character, which JSON can hold
        ({"iss": "https://elsewhere.example"}, "ISSUER"),
        ({"iss": None}, "ISSUER"),
        ({"aud": "another-client"}, "AUDIENCE"),
        ({"aud": ["another-client"]}, "AUDIENCE"),
        ({"aud": None}, "AUDIENCE"),
        ({"aud": [CLIENT_ID, "another-client"]}, "AUDIENCE"),
        ({"aud": [CLIENT_ID, "another-client"], "azp": "another-client"}, "AUDIENCE"),
        ({"azp": "another-client"}, "AUDIENCE"),
        ({"exp": 1}, "EXPIRED"),
        ({"exp": None}, "CLAIMS"),
        ({"iat": None}, "CLAIMS"),
        ({"sub": None}, "CLAIMS"),
        ({"sub": ""}, "CLAIMS"),
        ({"at_hash": "of-another-token"}, "CLAIMS"),
        ({"at_hash": 7}, "CLAIMS"),
        ({"at_hash": "\ud800"}, "CLAIMS"),
    ],
)
async def test_a_claim_that_doesnt_hold(desk: Desk, changes: dict[str, Any], reason: str) -> None:
    assert await desk.unverified(desk.issuer.sign(desk.issuer.id_claims(**changes))) == reason


async def test_a_token_of_tomorrow(desk: Desk) -> None:
    tomorrow = int(desk.issuer.clock().timestamp()) + 24 * 3600
    claims = desk.issuer.id_claims(iat=tomorrow, exp=tomorrow + 600)
    assert await desk.unverified(desk.issuer.sign(claims)) == "NOT_YET_VALID"


async def test_one_among_several_audiences_that_names_us_as_who_asked_is_good(desk: Desk) -> None:
    claims = desk.issuer.id_claims(aud=[CLIENT_ID, "another-client"], azp=CLIENT_ID)
    desk.issuer.will_give(desk.issuer.sign(claims))
    assert isinstance(await desk.identify(), VerifiedIdentity)


@pytest.mark.parametrize(
    ("kid", "algorithm", "hashed"),
    [
        ("rsa", "RS256", sha256),
        ("rsa", "PS384", sha384),
        ("p256", "ES256", sha256),
        ("p521", "ES512", sha512),
        ("ed25519", "Ed25519", sha512),
    ],
)
async def test_the_access_token_has_to_be_the_one_that_was_signed(
    desk: Desk, kid: str, algorithm: str, hashed: Any
) -> None:
    digest = hashed(ACCESS_TOKEN.encode()).digest()
    claims = desk.issuer.id_claims(at_hash=_base64(digest[: len(digest) // 2]))
    token = desk.issuer.sign(claims, kid=kid, algorithm=algorithm)
    desk.issuer.will_give(token)
    assert isinstance(await desk.identify(), VerifiedIdentity)
    assert await desk.unverified(token, access_token="another") == "CLAIMS"


async def test_what_nobody_or_somebody_else_has_signed(desk: Desk) -> None:
    issuer, claims = desk.issuer, desk.issuer.id_claims()
    assert await desk.unverified(unsigned({"alg": "none"}, claims)) == "MALFORMED"
    assert await desk.unverified(unsigned({"alg": "none"}, claims, b"x")) == "ALGORITHM"
    assert await desk.unverified(issuer.sign(claims, key=issuer.stranger)) == "SIGNATURE"
    assert await desk.unverified(issuer.sign(claims, kid="unknown", key=issuer.stranger)) == "KEY"
    for not_one in ("", "x.y.z", 7, None):
        assert await desk.unverified(not_one) == "MALFORMED"


async def test_an_algorithm_that_the_operator_hasnt_allowed(desk: Desk) -> None:
    desk.issuer.will_give(desk.issuer.sign(desk.issuer.id_claims()))
    outcome = await desk.identify(desk.client(algorithms=("ES256",)))
    assert isinstance(outcome, SignInFailure)
    assert (outcome.code, outcome.detail) == (SignInFailureCode.UNVERIFIED, "ALGORITHM")


# Providers that don't do what they should


async def test_one_that_promises_to_say_who_it_is_has_to(desk: Desk) -> None:
    desk.issuer.will_give(desk.issuer.sign(desk.issuer.id_claims()))
    desk.issuer.metadata(authorization_response_iss_parameter_supported=True)
    assert (await desk.failure()).code is SignInFailureCode.WRONG_ISSUER
    assert desk.issuer.sent == []  # its code was told to nobody
    assert isinstance(await desk.identify(issuer=desk.issuer.url), VerifiedIdentity)


@pytest.mark.parametrize(
    "answer",
    [
        b"no JSON",
        b"[]",
        b"null",
        b'"text"',
        b"7",
        b"\xff",
        b"[" * 100_000,
        {"error": "invalid_grant"},
        {"error": ["invalid_grant"]},
        {"expires_in": "soon"},
        {"expires_at": []},
    ],
    ids=lambda answer: str(answer)[:30],
)
async def test_an_answer_that_gives_nothing(desk: Desk, answer: Any) -> None:
    desk.issuer.documents["/token"] = answer
    code = (await desk.failure()).code
    expected = SignInFailureCode.UNVERIFIED if answer == {} else SignInFailureCode.PROVIDER_REFUSED
    assert code is expected


async def test_one_that_is_down(desk: Desk) -> None:
    desk.issuer.down = True
    assert (await desk.failure()).code is SignInFailureCode.PROVIDER_UNREACHABLE
    request = SignInRequest(Secret("s"), NONCE, Secret("v"), REDIRECT_URI)
    address = await desk.client().address(request)
    assert isinstance(address, SignInFailure)
    assert address.code is SignInFailureCode.PROVIDER_UNREACHABLE


async def test_one_whose_token_endpoint_cant_be_reached(desk: Desk) -> None:
    desk.issuer.metadata(token_endpoint="http://127.0.0.1:1/token")
    assert (await desk.failure()).code is SignInFailureCode.PROVIDER_UNREACHABLE


async def test_tokens_are_fetched_from_where_the_guard_lets_go(desk: Desk) -> None:
    """Metadata leads nobody into the operator's own network."""
    desk.issuer.metadata(token_endpoint="https://192.168.0.1/token")
    failure = await desk.failure()
    assert (failure.code, "192.168" in failure.message) == (SignInFailureCode.PROVIDER_UNREACHABLE, False)


@pytest.mark.parametrize(
    "endpoint",
    [None, 7, "", "ftp://id.example.com/token", "/token", "http://[::1", "https://id.example.com/ü"],
)
async def test_one_whose_metadata_has_no_endpoint(desk: Desk, endpoint: Any) -> None:
    desk.issuer.metadata(token_endpoint=endpoint, authorization_endpoint=endpoint)
    assert (await desk.failure()).code is SignInFailureCode.PROVIDER_REFUSED
    address = await desk.client().address(SignInRequest(Secret("s"), NONCE, Secret("v"), REDIRECT_URI))
    assert isinstance(address, SignInFailure)
    assert address.code is SignInFailureCode.PROVIDER_REFUSED
