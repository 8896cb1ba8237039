"""The token endpoint of RFC 6749: what is sent to it, and whom each of its answers blames."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.credential_secrets import OAuthSecret
from domain.entities.health import Remedy
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod, AuthorizationRequest, AuthorizationReturn, Grant
from domain.services.authorization_code import AuthorizationCode
from domain.services.base import Revocation
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.token_endpoint import ClientAuthentication, TokenEndpoint
from sandbox.serving import serving

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
OLD = OAuthSecret(Secret("canary-access"), Secret("canary-refresh"))
GOOD = {"access_token": "new", "token_type": "Bearer"}


@dataclass
class Server:
    """Answers every call alike, and remembers what it was sent."""

    url: str = ""
    status: int = 200
    body: object = field(default_factory=lambda: GOOD)
    headers: dict[str, str] = field(default_factory=dict)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.forms.append(parse_qs((await request.body()).decode(), strict_parsing=True))
        self.authorizations.append(request.headers.get("authorization"))
        return Response(json.dumps(self.body), self.status, self.headers, "application/json")


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[Server]:
    made = Server()
    async with serving(Starlette(routes=[Route("/", made.answer, methods=["POST"])])) as url:
        made.url = url
        yield made


@pytest.fixture
def server(running: Server) -> Server:
    fresh = Server(running.url)
    vars(running).update(vars(fresh))
    return running


@pytest.fixture
def endpoint(http: HttpClient, server: Server) -> TokenEndpoint:
    client = OAuthClient("id+ é", Secret("canary:secret&"))
    return TokenEndpoint(http, lambda: NOW, "acme", "Acme", f"{server.url}/", f"{server.url}/", client)


def returned(**query: str) -> AuthorizationReturn:
    verifier = Secret("canary-verifier")
    return AuthorizationReturn(AuthorizationMethod.OAUTH2, query, verifier, "https://t.example/oauth/callback/acme")


async def test_the_code_goes_with_its_verifier_and_its_redirect_address(
    endpoint: TokenEndpoint, server: Server
) -> None:
    grant = await endpoint.exchange(returned(code="c+1", state="s"))

    assert isinstance(grant, Grant)
    assert server.forms == [
        {
            "grant_type": ["authorization_code"],
            "code": ["c+1"],
            "redirect_uri": ["https://t.example/oauth/callback/acme"],
            "code_verifier": ["canary-verifier"],
        }
    ]
    # RFC 6749, 2.3.1: the id and the secret are encoded as in a form before they are joined.
    assert server.authorizations == [f"Basic {b64encode(b'id%2B+%C3%A9:canary%3Asecret%26').decode()}"]


async def test_the_client_may_stand_in_the_form(endpoint: TokenEndpoint, server: Server) -> None:
    await replace(endpoint, authentication=ClientAuthentication.POST).refresh(OLD)

    assert server.forms == [
        {
            "grant_type": ["refresh_token"],
            "refresh_token": ["canary-refresh"],
            "client_id": ["id+ é"],
            "client_secret": ["canary:secret&"],
        }
    ]
    assert server.authorizations == [None]


async def test_a_refresh_is_never_sent_twice(endpoint: TokenEndpoint, server: Server) -> None:
    server.status, server.body = 503, {}

    refused = await endpoint.refresh(OLD)

    assert isinstance(refused, ServiceFault)
    assert refused.kind is FaultKind.SERVICE_ERROR
    assert len(server.forms) == 1


async def test_a_refresh_token_that_is_not_renewed_stays(endpoint: TokenEndpoint, server: Server) -> None:
    kept = await endpoint.refresh(OLD)
    server.body = GOOD | {"refresh_token": "newer"}
    renewed = await endpoint.refresh(OLD)
    exchanged = await endpoint.exchange(returned(code="c"))

    assert isinstance(kept, Grant)
    assert kept.secret == OAuthSecret(Secret("new"), Secret("canary-refresh"))
    assert isinstance(renewed, Grant)
    assert renewed.secret == OAuthSecret(Secret("new"), Secret("newer"))
    assert isinstance(exchanged, Grant)
    assert exchanged.secret == OAuthSecret(Secret("new"), Secret("newer"))


@pytest.mark.parametrize(
    ("said", "expires_in"),
    [
        (60, 60),
        (0.5, 0.5),
        ("3600", 3600),
        (None, None),
        (0, None),
        (-1, None),
        (True, None),
        ("soon", None),
        ("9" * 9, None),
        (10**30, None),
        ([], None),
    ],
)
async def test_the_end_is_counted_from_now(
    said: object, expires_in: float | None, endpoint: TokenEndpoint, server: Server
) -> None:
    server.body = GOOD | {"expires_in": said, "refresh_token_expires_in": said}

    grant = await endpoint.refresh(OLD)

    assert isinstance(grant, Grant)
    expected = None if expires_in is None else NOW + timedelta(seconds=expires_in)
    assert (grant.expires_at, grant.refresh_expires_at) == (expected, expected)


async def test_scopes_are_told_or_unknown(endpoint: TokenEndpoint, server: Server) -> None:
    grants = [await endpoint.refresh(OLD)]
    for scope in ("a b  a", "", 7):
        server.body = GOOD | {"scope": scope}
        grants.append(await endpoint.refresh(OLD))
    server.body = GOOD | {"scope": "a,b c"}
    grants.append(await replace(endpoint, scope_separator=",").refresh(OLD))

    told = [grant.scopes for grant in grants if isinstance(grant, Grant)]
    assert told == [None, ("a", "b"), (), None, ("a", "b c")]


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "remedy"),
    [
        (400, {"error": "invalid_grant"}, FaultKind.CREDENTIAL_REFUSED, "acme_invalid_grant", Remedy.RECONNECT),
        (200, {"error": "invalid_grant"}, FaultKind.CREDENTIAL_REFUSED, "acme_invalid_grant", Remedy.RECONNECT),
        (401, {"error": "invalid_client"}, FaultKind.CLIENT_REFUSED, "acme_invalid_client", Remedy.CONTACT_ADMIN),
        (
            400,
            {"error": "unauthorized_client"},
            FaultKind.CLIENT_REFUSED,
            "acme_unauthorized_client",
            Remedy.CONTACT_ADMIN,
        ),
        (400, {"error": "invalid_scope"}, FaultKind.CLIENT_REFUSED, "acme_invalid_scope", Remedy.CONTACT_ADMIN),
        (
            400,
            {"error": "invalid_request", "error_description": "Bad Redirect URI"},
            FaultKind.CLIENT_REFUSED,
            "acme_redirect_uri_mismatch",
            Remedy.CONTACT_ADMIN,
        ),
        (400, {"error": "invalid_request"}, FaultKind.SERVICE_ERROR, "acme_unexpected_answer", Remedy.WAIT),
        (
            400,
            {"error": "temporarily_unavailable"},
            FaultKind.SERVICE_ERROR,
            "acme_temporarily_unavailable",
            Remedy.WAIT,
        ),
        (503, {"error": "invalid_grant"}, FaultKind.SERVICE_ERROR, "acme_server_error", Remedy.WAIT),
        (500, {}, FaultKind.SERVICE_ERROR, "acme_server_error", Remedy.WAIT),
        (429, {"error": "invalid_grant"}, FaultKind.RATE_LIMITED, "acme_rate_limited", Remedy.WAIT),
        (401, {}, FaultKind.SERVICE_ERROR, "acme_unexpected_answer", Remedy.WAIT),
        (400, {"error": "canary-refresh"}, FaultKind.SERVICE_ERROR, "acme_unexpected_answer", Remedy.WAIT),
        (404, [], FaultKind.SERVICE_ERROR, "acme_unexpected_answer", Remedy.WAIT),
        (302, GOOD, FaultKind.SERVICE_ERROR, "acme_unexpected_answer", Remedy.WAIT),
        (200, [], FaultKind.SERVICE_ERROR, "acme_unexpected_answer", Remedy.WAIT),
        (200, {}, FaultKind.SERVICE_ERROR, "acme_unexpected_answer", Remedy.WAIT),
        (200, GOOD | {"access_token": "a b"}, FaultKind.SERVICE_ERROR, "acme_unexpected_answer", Remedy.WAIT),
        (200, GOOD | {"access_token": "\ud800"}, FaultKind.SERVICE_ERROR, "acme_unexpected_answer", Remedy.WAIT),
        (200, GOOD | {"refresh_token": 7}, FaultKind.SERVICE_ERROR, "acme_unexpected_answer", Remedy.WAIT),
        (200, GOOD | {"token_type": "DPoP"}, FaultKind.SERVICE_ERROR, "acme_unexpected_answer", Remedy.WAIT),
    ],
)
async def test_each_refusal_blames_the_right_one(
    status: int,
    body: object,
    kind: FaultKind,
    code: str,
    remedy: Remedy,
    endpoint: TokenEndpoint,
    server: Server,
) -> None:
    server.status, server.body = status, body

    refused = await endpoint.refresh(OLD)

    assert isinstance(refused, ServiceFault)
    assert (refused.kind, refused.code, refused.remedy) == (kind, code, remedy)
    assert refused.message.endswith(".")
    assert refused.latency_ms is not None
    assert "canary" not in repr(refused)


async def test_what_is_missing_is_told_without_a_call(endpoint: TokenEndpoint, server: Server) -> None:
    answers = [await endpoint.exchange(returned(state="s")), await endpoint.refresh(OAuthSecret(Secret("a")))]

    codes = [answer.code for answer in answers if isinstance(answer, ServiceFault)]
    assert codes == ["acme_code_missing", "acme_refresh_token_missing"]
    assert server.forms == []


async def test_both_tokens_are_given_back_the_one_that_makes_others_first(
    endpoint: TokenEndpoint, server: Server
) -> None:
    assert await endpoint.revoke(OLD) is Revocation.REVOKED

    assert server.forms == [
        {"token": ["canary-refresh"], "token_type_hint": ["refresh_token"]},
        {"token": ["canary-access"], "token_type_hint": ["access_token"]},
    ]


@pytest.mark.parametrize(
    ("error", "expected"),
    [("invalid_token", Revocation.REVOKED), ("unsupported_token_type", Revocation.NOT_REVOCABLE)],
)
async def test_an_endpoint_that_takes_no_such_token_has_not_failed(
    error: str, expected: Revocation, endpoint: TokenEndpoint, server: Server
) -> None:
    server.status, server.body = 400, {"error": error}

    assert await endpoint.revoke(OLD) is expected


async def test_a_revocation_that_failed_is_told(endpoint: TokenEndpoint, server: Server, http: HttpClient) -> None:
    server.status, server.body = 400, {"error": "invalid_client"}

    refused = await endpoint.revoke(OLD)
    unreachable = await replace(endpoint, revocation_url="http://127.0.0.1:1/").revoke(OLD)

    assert isinstance(refused, ServiceFault)
    assert refused.kind is FaultKind.CLIENT_REFUSED
    assert isinstance(unreachable, ServiceFault)
    assert unreachable.kind is FaultKind.UNREACHABLE
    assert len(server.forms) == 1


def request(challenge: str | None = "challenge") -> AuthorizationRequest:
    return AuthorizationRequest(
        AuthorizationMethod.OAUTH2, Secret("s t"), challenge, "https://t.example/oauth/callback/acme?x=1", ("a", "b&c")
    )


async def test_the_browsers_address_says_everything(endpoint: TokenEndpoint) -> None:
    authorization = AuthorizationCode("https://acme.example/authorize?prompt=consent", endpoint, None)

    base, _, query = authorization.address(request()).partition("?")

    assert base == "https://acme.example/authorize"
    assert parse_qs(query, strict_parsing=True) == {
        "prompt": ["consent"],
        "response_type": ["code"],
        "client_id": ["id+ é"],
        "redirect_uri": ["https://t.example/oauth/callback/acme?x=1"],
        "scope": ["a b&c"],
        "state": ["s t"],
        "code_challenge": ["challenge"],
        "code_challenge_method": ["S256"],
    }


async def test_without_pkce_and_scopes_neither_is_named(endpoint: TokenEndpoint) -> None:
    plain = AuthorizationCode("https://acme.example/authorize", endpoint, None, uses_pkce=False)

    address = plain.address(replace(request(), scopes=()))

    assert "code_challenge" not in address
    assert "scope" not in address
