"""A service that its operator has described: identity, the way through the browser, and giving tokens back."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.credential_secrets import OAuthSecret, TokenSecret
from domain.entities.health import ExternalAccount, Json, Remedy
from domain.http import HttpAnswer, HttpClient
from domain.secret import Secret
from domain.services.authorization import Grant
from domain.services.base import Identified, Revocation, ServiceScope
from domain.services.generic import AccountPaths, GenericService, GenericServiceDescription
from domain.services.generic.answers import classify, read_identity
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.token_endpoint import ClientAuthentication
from sandbox.ready_made_clients import CLIENT_ID, CLIENT_SECRET
from tests.domain.services.browser import authorization_of, come_back
from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
REDIRECT_URI = "http://127.0.0.1:8000/oauth/callback/openid"


def now() -> datetime:
    return datetime.now(UTC)


def described(issuer: str = "https://id.example") -> GenericServiceDescription:
    return GenericServiceDescription(
        id="openid",
        name="Example ID",
        description="People of Example.",
        documentation_url=f"{issuer}/docs",
        authorize_url=f"{issuer}/authorize",
        token_url=f"{issuer}/token",
        identity_url=f"{issuer}/api/userinfo",
        revocation_url=f"{issuer}/revoke",
        issuer=issuer,
        client=OAuthClient(CLIENT_ID, Secret(CLIENT_SECRET)),
        scopes=(ServiceScope("openid", "Know who it is.", required=True), ServiceScope("profile", "The name.")),
        account=AccountPaths("sub", "name", "profile", "picture"),
    )


@pytest.fixture
def description(sandbox: SandboxServer) -> GenericServiceDescription:
    return described(sandbox.openid_url)


@pytest.fixture
def openid(http: HttpClient, description: GenericServiceDescription) -> GenericService:
    return GenericService(http, description, now)


@pytest.fixture
def token() -> Secret:
    return Secret(f"canary-{secrets.token_hex(12)}")


async def granted(service: GenericService, *scopes: str) -> Grant:
    returned, _ = await come_back(service, REDIRECT_URI, scopes or ("openid", "profile"), login="alice")
    grant = await authorization_of(service).exchange(returned)
    assert isinstance(grant, Grant), grant
    return grant


def oauth(grant: Grant) -> OAuthSecret:
    assert isinstance(grant.secret, OAuthSecret)
    return grant.secret


async def test_the_description_fits_what_the_provider_says_of_itself(description: GenericServiceDescription) -> None:
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as browser:
        says = (await browser.get(f"{description.issuer}/.well-known/openid-configuration")).json()

    assert says["issuer"] == description.issuer
    assert says["authorization_endpoint"] == description.authorize_url
    assert says["token_endpoint"] == description.token_url
    assert says["userinfo_endpoint"] == description.identity_url
    assert says["revocation_endpoint"] == description.revocation_url


async def test_the_account_stands_where_the_paths_say(
    openid: GenericService, token: Secret, sandbox: SandboxServer
) -> None:
    account = {"id": 7, "username": "bob", "name": "Bob"}
    await sandbox.put_token(token.reveal(), service="openid", account=account)

    found = await openid.identify(TokenSecret(token))

    assert isinstance(found, Identified)
    assert found.identity.account == ExternalAccount(
        "7", "Bob", f"{sandbox.openid_url}/people/bob", f"{sandbox.openid_url}/pictures/7"
    )
    assert (found.identity.scopes, found.identity.expires_at, found.rate_limit) == (None, None, None)
    assert found.identity.webhook_key == "account:7"


@pytest.mark.parametrize("authentication", ClientAuthentication)
@pytest.mark.parametrize("pkce", [True, False])
async def test_a_browser_links_an_account(
    authentication: ClientAuthentication, pkce: bool, http: HttpClient, description: GenericServiceDescription
) -> None:
    service = GenericService(http, replace(description, client_authentication=authentication, pkce=pkce), now)

    returned, query = await come_back(service, REDIRECT_URI, ("openid", "profile"), login="alice")
    grant = await authorization_of(service).exchange(returned)

    assert query["iss"] == authorization_of(service).issuer
    assert authorization_of(service).uses_pkce is pkce
    assert isinstance(grant, Grant)
    assert grant.scopes == ("openid", "profile")
    assert grant.expires_at is not None
    assert abs(grant.expires_at - now() - timedelta(hours=1)) < timedelta(seconds=5)
    found = await service.identify(grant.secret)
    assert isinstance(found, Identified)
    assert found.identity.account.name == "Alice Example"


async def test_a_refresh_replaces_the_tokens_and_a_used_one_ends_the_family(openid: GenericService) -> None:
    first = await granted(openid)
    authorization = authorization_of(openid)

    second = await authorization.refresh(oauth(first))
    assert isinstance(second, Grant)
    reused = await authorization.refresh(oauth(first))
    after = await authorization.refresh(oauth(second))

    assert oauth(second).refresh_token != oauth(first).refresh_token
    for refused in (reused, after):
        assert isinstance(refused, ServiceFault)
        assert (refused.kind, refused.code) == (FaultKind.CREDENTIAL_REFUSED, "openid_invalid_grant")


async def test_revoking_ends_the_grant_and_may_be_done_twice(openid: GenericService) -> None:
    grant = await granted(openid)

    assert [await openid.revoke(grant.secret) for _ in range(2)] == [Revocation.REVOKED] * 2

    found = await openid.identify(grant.secret)
    assert isinstance(found, ServiceFault)
    assert (found.kind, found.conclusive) == (FaultKind.CREDENTIAL_REFUSED, True)


async def test_what_cannot_be_revoked_is_told(
    http: HttpClient, description: GenericServiceDescription, token: Secret
) -> None:
    without = GenericService(http, replace(description, revocation_url=None), now)

    assert not without.revokes(OAuthSecret(token))
    assert await without.revoke(OAuthSecret(token)) is Revocation.NOT_REVOCABLE
    assert not GenericService(http, description, now).revokes(TokenSecret(token))
    assert await GenericService(http, description, now).revoke(TokenSecret(token)) is Revocation.NOT_REVOCABLE


async def test_a_service_without_scopes_asks_for_none(http: HttpClient) -> None:
    service = GenericService(http, replace(described(), scopes=()), now)

    properties = service.settings_schema["properties"]
    assert isinstance(properties, dict)
    assert list(properties) == ["expiryWarningDays"]
    assert service.required_scopes({"requiredScopes": ["x"]}) == ()
    assert [problem.path for problem in service.settings_problems({"requiredScopes": []})] == [("requiredScopes",)]


@pytest.mark.parametrize(
    ("behaviour", "kind", "code", "remedy"),
    [
        ("revoked", FaultKind.CREDENTIAL_REFUSED, "openid_token_refused", Remedy.RECONNECT),
        ("suspended", FaultKind.ADMIN_REQUIRED, "openid_forbidden", Remedy.CONTACT_ADMIN),
        ("missing_scope", FaultKind.SCOPE_MISSING, "openid_scope_missing", Remedy.GRANT_SCOPES),
        ("rate_limited", FaultKind.RATE_LIMITED, "openid_rate_limited", Remedy.WAIT),
        ("server_error", FaultKind.SERVICE_ERROR, "openid_server_error", Remedy.WAIT),
        ("empty_object", FaultKind.SERVICE_ERROR, "openid_unexpected_answer", Remedy.WAIT),
    ],
)
async def test_each_refusal_has_its_code_and_remedy(
    behaviour: str,
    kind: FaultKind,
    code: str,
    remedy: Remedy,
    openid: GenericService,
    token: Secret,
    sandbox: SandboxServer,
) -> None:
    await sandbox.put_token(token.reveal(), service="openid", behaviour=behaviour, retry_after_seconds=42)

    found = await openid.identify(TokenSecret(token))

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.code, found.remedy, found.conclusive) == (kind, code, remedy, True)


def said(body: object, status: int = 200, **headers: str) -> HttpAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status, named, json.dumps(body).encode(), 5)


@pytest.mark.parametrize(
    ("answer", "conclusive"),
    [
        (said({}, 401, www_authenticate='Bearer realm="x", error="invalid_token"'), True),
        (said({}, 401, www_authenticate='bearer error = "invalid_token"'), True),
        (said({"error": "invalid_token"}, 401), True),
        (said({"error": "invalid_token"}, 401, www_authenticate="Bearer "), False),
        (said({}, 401, www_authenticate='Basic realm="error=\\"invalid_token\\""'), False),
        (said([], 401), False),
    ],
)
def test_a_401_is_proof_only_where_it_speaks_of_the_token(answer: HttpAnswer, conclusive: bool) -> None:
    found = classify(answer, described(), NOW)

    assert found is not None
    assert (found.kind, found.conclusive) == (FaultKind.CREDENTIAL_REFUSED, conclusive)


@pytest.mark.parametrize(
    ("body", "paths", "expected"),
    [
        ({"data": {"viewer": {"id": 7}}}, AccountPaths("data.viewer.id"), ExternalAccount("7", "7")),
        ({"id": "a", "who": {"name": "A"}}, AccountPaths("id", "who.name"), ExternalAccount("a", "A")),
        ({"id": "a", "url": "javascript:x"}, AccountPaths("id", url="url"), ExternalAccount("a", "a")),
        ({"id": True}, AccountPaths("id"), None),
        ({"id": 1.5}, AccountPaths("id"), None),
        ({"id": ""}, AccountPaths("id"), None),
        ({"id": "x" * 256}, AccountPaths("id"), None),
        ({"id": {"id": "a"}}, AccountPaths("id"), None),
        ({"id": "a"}, AccountPaths("id.id"), None),
        ([{"id": "a"}], AccountPaths("id"), None),
        ("a", AccountPaths("id"), None),
    ],
)
def test_paths_lead_into_the_identity(body: Json, paths: AccountPaths, expected: ExternalAccount | None) -> None:
    found = read_identity(said(body), replace(described(), account=paths), NOW)

    if expected is None:
        assert isinstance(found, ServiceFault)
        assert found.kind is FaultKind.SERVICE_ERROR
    else:
        assert isinstance(found, Identified)
        assert found.identity.account == expected


@given(
    st.integers(201, 599),
    st.dictionaries(st.sampled_from(["www-authenticate", "retry-after"]), st.text(max_size=30)),
    st.binary(max_size=30),
)
def test_any_answer_is_judged_without_an_exception(status: int, headers: Mapping[str, str], body: bytes) -> None:
    found = classify(HttpAnswer(status, headers, body, 5), described(), NOW)

    assert found is not None
    if status == 429 or status >= 500:
        assert found.kind is (FaultKind.RATE_LIMITED if status == 429 else FaultKind.SERVICE_ERROR)
    assert found.kind is not FaultKind.CREDENTIAL_REVOKED
