"""GitLab: whose a credential is, what each refusal means, and the way through the browser."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.credential_secrets import OAuthSecret, TokenSecret
from domain.entities.health import ExternalAccount, Remedy
from domain.http import HttpAnswer, HttpClient
from domain.secret import Secret
from domain.services.authorization import AuthorizationMethod, Grant
from domain.services.base import Identified, Revocation
from domain.services.gitlab import GitLab
from domain.services.gitlab.answers import TokenFacts, classify, read_account, read_token_facts
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import FaultKind, ServiceFault
from sandbox.ready_made_clients import CLIENT_ID, CLIENT_SECRET
from tests.domain.services.browser import authorization_of, come_back
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
WEB = "https://gitlab.example"
REDIRECT_URI = "http://127.0.0.1:8000/oauth/callback/gitlab"
CREDENTIAL = {FaultKind.CREDENTIAL_REFUSED, FaultKind.CREDENTIAL_REVOKED}


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def gitlab(http: HttpClient, sandbox: SandboxServer) -> GitLab:
    client = OAuthClient(CLIENT_ID, Secret(CLIENT_SECRET))
    return GitLab(http, sandbox.gitlab_api_url, sandbox.gitlab_url, now, client=client)


@pytest.fixture
def token() -> Secret:
    return Secret(f"canary-{secrets.token_hex(12)}")


def said(body: object, status: int = 200, **headers: str) -> HttpAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status, named, json.dumps(body).encode(), 5)


def fault(answer: HttpAnswer) -> ServiceFault:
    found = classify(answer, NOW)
    assert found is not None
    return found


async def granted(gitlab: GitLab, *scopes: str) -> Grant:
    returned, _ = await come_back(gitlab, REDIRECT_URI, scopes or ("read_api",), login="acme-dev")
    grant = await authorization_of(gitlab).exchange(returned)
    assert isinstance(grant, Grant), grant
    return grant


def oauth(grant: Grant) -> OAuthSecret:
    assert isinstance(grant.secret, OAuthSecret)
    return grant.secret


async def test_a_personal_token_tells_its_scopes_and_its_last_day(
    gitlab: GitLab, token: Secret, sandbox: SandboxServer
) -> None:
    ends = now() + timedelta(days=20)
    await sandbox.put_token(
        token.reveal(),
        service="gitlab",
        account={"id": 12, "username": "rosa", "name": "Rosa"},
        scopes=["read_api", "write_repository"],
        expires_at=ends.isoformat(),
        quota={"limit": 100, "remaining": 50},
    )

    found = await gitlab.identify(TokenSecret(token))

    assert isinstance(found, Identified)
    assert found.identity.account == ExternalAccount(
        "12", "rosa", f"{sandbox.gitlab_url}/rosa", f"{sandbox.gitlab_url}/avatars/12"
    )
    assert found.identity.scopes == ("read_api", "write_repository")
    assert found.identity.expires_at == ends.replace(hour=0, minute=0, second=0, microsecond=0)
    assert found.identity.webhook_key == "account:12"
    assert found.rate_limit is not None
    assert (found.rate_limit.limit, found.rate_limit.remaining) == (100, 48)
    calls = [(call.method, call.path) for call in await sandbox.calls(token.reveal())]
    assert calls == [("GET", "/user"), ("GET", "/personal_access_tokens/self")]


async def test_a_token_that_may_not_ask_who_it_is_lacks_a_scope(
    gitlab: GitLab, token: Secret, sandbox: SandboxServer
) -> None:
    await sandbox.put_token(token.reveal(), service="gitlab", scopes=["read_repository"])

    found = await gitlab.identify(TokenSecret(token))

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.code) == (FaultKind.SCOPE_MISSING, "gitlab_scope_missing")
    assert found.evidence == {"scopes": ["api", "read_api", "read_user"]}


@pytest.mark.parametrize(
    ("behaviour", "kind", "code", "remedy"),
    [
        ("revoked", FaultKind.CREDENTIAL_REVOKED, "gitlab_token_revoked", Remedy.RECONNECT),
        ("expired", FaultKind.CREDENTIAL_REFUSED, "gitlab_token_expired", Remedy.RECONNECT),
        ("suspended", FaultKind.ADMIN_REQUIRED, "gitlab_account_blocked", Remedy.CONTACT_ADMIN),
        ("missing_scope", FaultKind.SCOPE_MISSING, "gitlab_scope_missing", Remedy.GRANT_SCOPES),
        ("rate_limited", FaultKind.RATE_LIMITED, "gitlab_rate_limited", Remedy.WAIT),
        ("server_error", FaultKind.SERVICE_ERROR, "gitlab_server_error", Remedy.WAIT),
    ],
)
async def test_each_refusal_has_its_code_and_remedy(
    behaviour: str,
    kind: FaultKind,
    code: str,
    remedy: Remedy,
    gitlab: GitLab,
    token: Secret,
    sandbox: SandboxServer,
) -> None:
    await sandbox.put_token(token.reveal(), service="gitlab", behaviour=behaviour, retry_after_seconds=42)

    found = await gitlab.identify(TokenSecret(token))

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.code, found.remedy, found.conclusive) == (kind, code, remedy, True)
    if kind is FaultKind.RATE_LIMITED:
        assert found.retry_after_seconds == 42
        assert found.rate_limit is not None
        assert found.rate_limit.remaining == 0


async def test_a_browser_links_an_account_with_pkce(gitlab: GitLab) -> None:
    grant = await granted(gitlab, "read_api", "read_repository")

    assert grant.scopes == ("read_api", "read_repository")
    assert grant.expires_at is not None
    assert abs(grant.expires_at - now() - timedelta(hours=2)) < timedelta(seconds=5)
    assert oauth(grant).refresh_token is not None
    found = await gitlab.identify(grant.secret)
    assert isinstance(found, Identified)
    assert found.identity.account.name == "acme-dev"
    assert found.identity.scopes == ("read_api", "read_repository")
    assert found.identity.expires_at is not None
    assert abs(found.identity.expires_at - grant.expires_at) < timedelta(seconds=5)


async def test_a_code_works_once_and_only_with_its_verifier(gitlab: GitLab) -> None:
    returned, _ = await come_back(gitlab, REDIRECT_URI, ("read_api",), login="acme-dev")
    other, _ = await come_back(gitlab, REDIRECT_URI, ("read_api",), login="acme-dev")
    authorization = authorization_of(gitlab)

    stolen = await authorization.exchange(replace(other, code_verifier=returned.code_verifier))
    first = await authorization.exchange(returned)
    again = await authorization.exchange(returned)

    assert isinstance(first, Grant)
    for refused in (stolen, again):
        assert isinstance(refused, ServiceFault)
        assert (refused.kind, refused.code) == (FaultKind.CREDENTIAL_REFUSED, "gitlab_invalid_grant")


async def test_who_cancels_comes_back_without_a_code(gitlab: GitLab) -> None:
    returned, query = await come_back(gitlab, REDIRECT_URI, ("read_api",), decision="cancel")

    assert query["error"] == "access_denied"
    refused = await authorization_of(gitlab).exchange(returned)
    assert isinstance(refused, ServiceFault)
    assert refused.code == "gitlab_code_missing"


async def test_a_refresh_replaces_both_tokens_and_a_used_one_ends_the_family(gitlab: GitLab) -> None:
    first = await granted(gitlab)
    authorization = authorization_of(gitlab)

    second = await authorization.refresh(oauth(first))

    assert isinstance(second, Grant)
    assert oauth(second).access_token != oauth(first).access_token
    assert oauth(second).refresh_token != oauth(first).refresh_token
    assert isinstance(await gitlab.identify(second.secret), Identified)
    replaced = await gitlab.identify(first.secret)
    assert isinstance(replaced, ServiceFault)
    # Only that it is no longer good, not that the grant was withdrawn: it was refreshed.
    assert (replaced.kind, replaced.code) == (FaultKind.CREDENTIAL_REFUSED, "gitlab_token_revoked")

    reused = await authorization.refresh(oauth(first))
    after = await authorization.refresh(oauth(second))

    for refused in (reused, after):
        assert isinstance(refused, ServiceFault)
        assert (refused.kind, refused.code) == (FaultKind.CREDENTIAL_REFUSED, "gitlab_invalid_grant")


async def test_a_wrong_client_secret_is_the_operators_matter(
    gitlab: GitLab, http: HttpClient, sandbox: SandboxServer
) -> None:
    grant = await granted(gitlab)
    client = OAuthClient(CLIENT_ID, Secret("canary-wrong"))
    other = GitLab(http, sandbox.gitlab_api_url, sandbox.gitlab_url, now, client=client)

    answers = [await authorization_of(other).refresh(oauth(grant)), await other.revoke(grant.secret)]

    for refused in answers:
        assert isinstance(refused, ServiceFault)
        assert (refused.kind, refused.remedy) == (FaultKind.CLIENT_REFUSED, Remedy.CONTACT_ADMIN)
        assert refused.code == "gitlab_invalid_client"
        assert "canary" not in repr(refused)
    assert isinstance(await gitlab.identify(grant.secret), Identified)


async def test_revoking_ends_the_grant_and_may_be_done_twice(gitlab: GitLab) -> None:
    grant = await granted(gitlab)

    assert gitlab.revokes(grant.secret)
    assert await gitlab.revoke(grant.secret) is Revocation.REVOKED
    assert await gitlab.revoke(grant.secret) is Revocation.REVOKED

    assert isinstance(await gitlab.identify(grant.secret), ServiceFault)
    assert isinstance(await authorization_of(gitlab).refresh(oauth(grant)), ServiceFault)


async def test_a_persons_own_token_is_left_to_them(gitlab: GitLab, token: Secret, sandbox: SandboxServer) -> None:
    await sandbox.put_token(token.reveal(), service="gitlab")

    assert not gitlab.revokes(TokenSecret(token))
    assert await gitlab.revoke(TokenSecret(token)) is Revocation.NOT_REVOCABLE
    assert isinstance(await gitlab.identify(TokenSecret(token)), Identified)


async def test_a_gitlab_that_is_down_refuses_no_grant(gitlab: GitLab, sandbox: SandboxServer) -> None:
    grant = await granted(gitlab)
    await sandbox.set_down("gitlab", True)
    try:
        answers = [await authorization_of(gitlab).refresh(oauth(grant)), await gitlab.revoke(grant.secret)]
    finally:
        await sandbox.set_down("gitlab", False)

    for answer in answers:
        assert isinstance(answer, ServiceFault)
        assert (answer.kind, answer.code) == (FaultKind.SERVICE_ERROR, "gitlab_server_error")
    assert isinstance(await authorization_of(gitlab).refresh(oauth(grant)), Grant)


async def test_without_a_client_it_is_linked_by_token_only(http: HttpClient) -> None:
    gitlab = GitLab(http, f"{WEB}/api/v4", WEB, now)

    assert gitlab.authorization is None
    assert gitlab.authorization_methods == (AuthorizationMethod.TOKEN,)
    assert not gitlab.revokes(OAuthSecret(Secret("a")))
    assert await gitlab.revoke(OAuthSecret(Secret("a"))) is Revocation.NOT_REVOCABLE


async def test_a_scope_covers_those_that_it_contains(http: HttpClient) -> None:
    gitlab = GitLab(http, f"{WEB}/api/v4", WEB, now)

    assert gitlab.missing_scopes(("read_api", "read_user", "write_repository"), ("api",)) == ()
    assert gitlab.missing_scopes(("read_repository", "read_api"), ("write_repository",)) == ("read_api",)
    assert gitlab.missing_scopes(("api",), ("read_api",)) == ("api",)


def test_a_401_in_gitlabs_words_is_told_from_a_proxys() -> None:
    unknown = fault(said({"message": "401 Unauthorized"}, 401))
    impersonation = "Token is an impersonation token but impersonation was disabled."
    disabled = fault(said({"error": "invalid_token", "error_description": impersonation}, 401))
    proxy = fault(said({"message": "Proxy Authentication Required"}, 401))

    assert (unknown.kind, unknown.code, unknown.conclusive) == (
        FaultKind.CREDENTIAL_REFUSED,
        "gitlab_unauthorized",
        False,
    )
    assert (disabled.kind, disabled.code) == (FaultKind.ADMIN_REQUIRED, "gitlab_impersonation_disabled")
    assert (proxy.kind, proxy.code) == (FaultKind.SERVICE_ERROR, "gitlab_unexpected_answer")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("403 Forbidden - Your account has been blocked.", "gitlab_account_blocked"),
        ("403 Forbidden - Your account has been deactivated by your administrator.", "gitlab_account_deactivated"),
        ("403 Forbidden - You must accept the Terms of Service.", "gitlab_terms_not_accepted"),
        ("403 Forbidden", "gitlab_forbidden"),
    ],
)
def test_a_403_is_an_administrators_matter(message: str, code: str) -> None:
    found = fault(said({"message": message}, 403))

    assert (found.kind, found.code, found.remedy) == (FaultKind.ADMIN_REQUIRED, code, Remedy.CONTACT_ADMIN)


def test_the_quota_is_read_from_the_headers() -> None:
    found = fault(
        said({}, 429, ratelimit_limit="600", ratelimit_remaining="0", ratelimit_reset="1795168860", retry_after="30")
    )

    assert found.retry_after_seconds == 30
    assert found.rate_limit is not None
    assert (found.rate_limit.limit, found.rate_limit.remaining) == (600, 0)
    assert found.rate_limit.reset_at == datetime.fromtimestamp(1795168860, UTC)
    assert found.rate_limit.blocked_until == NOW + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"scopes": ["api"], "expires_at": "2026-12-24"}, TokenFacts(("api",), datetime(2026, 12, 24, tzinfo=UTC))),
        ({"scopes": ["api"], "expires_at": None}, TokenFacts(("api",), None)),
        ({"scope": ["api"], "expires_in": 60}, TokenFacts(("api",), NOW + timedelta(minutes=1))),
        ({"scopes": ["api"], "expires_in_seconds": 60}, TokenFacts(("api",), NOW + timedelta(minutes=1))),
        ({"scope": "api read_user", "expires_in": None}, TokenFacts(("api", "read_user"), None)),
        ({"scopes": 7, "expires_in": -1, "expires_at": "soon"}, TokenFacts()),
        ({}, TokenFacts()),
    ],
)
def test_a_tokens_facts_are_read_from_both_answers(facts: object, expected: TokenFacts) -> None:
    assert read_token_facts(said(facts), NOW) == expected


@pytest.mark.parametrize("status", [403, 404])
def test_a_gitlab_that_says_nothing_of_a_token_leaves_it_unknown(status: int) -> None:
    assert read_token_facts(said({"message": "404 Not Found"}, status), NOW) == TokenFacts()


@pytest.mark.parametrize(
    "body",
    [[], None, {}, {"id": 1}, {"username": "a"}, {"id": True, "username": "a"}, {"id": "1", "username": "a"},
     {"id": 0, "username": "a"}, {"id": 1, "username": "\u0000"}],
)  # fmt: skip
def test_a_200_that_is_no_user_is_the_services_error(body: object) -> None:
    found = read_account(said(body), WEB, NOW)

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.code) == (FaultKind.SERVICE_ERROR, "gitlab_unexpected_answer")


errors = st.sampled_from(["invalid_token", "insufficient_scope"]) | st.text(max_size=20)
bodies = st.binary(max_size=40) | st.tuples(errors, st.text(max_size=30)).map(
    lambda pair: json.dumps({"error": pair[0], "error_description": pair[1]}).encode()
)
any_headers = st.dictionaries(
    st.sampled_from(["retry-after", "ratelimit-reset", "ratelimit-limit"]), st.text(max_size=20)
)


@given(st.just(429) | st.integers(500, 599), any_headers, bodies)
def test_no_429_and_no_5xx_speaks_against_the_credential(status: int, headers: Mapping[str, str], body: bytes) -> None:
    found = classify(HttpAnswer(status, headers, body, 5), NOW)

    assert found is not None
    assert found.kind is (FaultKind.RATE_LIMITED if status == 429 else FaultKind.SERVICE_ERROR)


@given(st.integers(201, 599), any_headers, st.binary(max_size=60))
def test_only_gitlabs_own_words_speak_against_the_credential(
    status: int, headers: Mapping[str, str], body: bytes
) -> None:
    found = classify(HttpAnswer(status, headers, body, 5), NOW)

    assert found is not None
    assert found.kind not in CREDENTIAL
