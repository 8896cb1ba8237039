"""What is GitHub's own: its scopes, its headers, and what each of its refusals means."""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.credential_secrets import TokenSecret
from domain.entities.health import ExternalAccount, Remedy, ServiceRateLimit
from domain.http import HttpAnswer, HttpClient
from domain.secret import Secret
from domain.services.base import Identified
from domain.services.github import GitHub
from domain.services.github.answers import classify, read_identity
from domain.services.github.rate_limit import rate_limit
from domain.services.service_fault import FaultKind, ServiceFault
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
IN_TEN_MINUTES = str(int((NOW + timedelta(minutes=10)).timestamp()))
WEB = "https://github.example"
CREDENTIAL = {FaultKind.CREDENTIAL_REFUSED, FaultKind.CREDENTIAL_REVOKED}


@pytest.fixture
def github(http: HttpClient, sandbox: SandboxServer) -> GitHub:
    return GitHub(http, sandbox.github_api_url, sandbox.github_url, lambda: datetime.now(UTC))


@pytest.fixture
def token() -> Secret:
    return Secret(f"canary-{secrets.token_hex(12)}")


def answer(status: int, message: str = "", **headers: str) -> HttpAnswer:
    """An answer of GitHub's; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status, named, json.dumps({"message": message}).encode(), 5)


def fault(status: int, message: str = "", **headers: str) -> ServiceFault:
    found = classify(answer(status, message, **headers), NOW)
    assert found is not None
    return found


async def test_who_it_is_what_it_may_and_what_is_left(github: GitHub, token: Secret, sandbox: SandboxServer) -> None:
    await sandbox.put_token(
        token.reveal(),
        service="github",
        account={"id": 42, "login": "octo", "name": "Octo"},
        scopes=["repo", "read:org"],
        quota={"limit": 5000, "remaining": 4000, "reset_in_seconds": 600},
    )

    found = await github.identify(TokenSecret(token))

    assert isinstance(found, Identified)
    account = found.identity.account
    assert (account.id, account.name, account.url) == ("42", "octo", f"{sandbox.github_url}/octo")
    assert found.identity.scopes == ("repo", "read:org")
    assert found.identity.expires_at is None
    assert found.rate_limit is not None
    assert (found.rate_limit.limit, found.rate_limit.remaining) == (5000, 3999)
    assert found.rate_limit.reset_at is not None
    assert found.rate_limit.blocked_until is None
    assert [(call.method, call.path) for call in await sandbox.calls(token.reveal())] == [("GET", "/user")]


async def test_a_fine_grained_token_tells_no_scopes(github: GitHub, token: Secret, sandbox: SandboxServer) -> None:
    await sandbox.put_token(token.reveal(), service="github", scopes=None)

    found = await github.identify(TokenSecret(token))

    assert isinstance(found, Identified)
    assert found.identity.scopes is None


async def test_a_gateway_that_stumbles_once_goes_unnoticed(
    github: GitHub, token: Secret, sandbox: SandboxServer
) -> None:
    await sandbox.put_token(token.reveal(), service="github", behaviour="server_error", status=502, behaviour_calls=1)

    assert isinstance(await github.identify(TokenSecret(token)), Identified)
    assert len(await sandbox.calls(token.reveal())) == 2


@pytest.mark.parametrize(
    ("behaviour", "kind", "code", "remedy"),
    [
        ("revoked", FaultKind.CREDENTIAL_REFUSED, "github_bad_credentials", Remedy.RECONNECT),
        ("expired", FaultKind.CREDENTIAL_REFUSED, "github_bad_credentials", Remedy.RECONNECT),
        ("suspended", FaultKind.ADMIN_REQUIRED, "github_suspended", Remedy.CONTACT_ADMIN),
        ("sso_required", FaultKind.ADMIN_REQUIRED, "github_sso_required", Remedy.CONTACT_ADMIN),
        ("missing_scope", FaultKind.SCOPE_MISSING, "github_scope_missing", Remedy.GRANT_SCOPES),
        ("rate_limited", FaultKind.RATE_LIMITED, "github_rate_limited", Remedy.WAIT),
        ("secondary_limited", FaultKind.RATE_LIMITED, "github_secondary_limit", Remedy.WAIT),
        ("secondary_limited_bare", FaultKind.RATE_LIMITED, "github_secondary_limit", Remedy.WAIT),
        ("server_error", FaultKind.SERVICE_ERROR, "github_server_error", Remedy.WAIT),
        ("garbage_html", FaultKind.SERVICE_ERROR, "github_unexpected_answer", Remedy.WAIT),
        ("truncated", FaultKind.SERVICE_ERROR, "github_answer_broken", Remedy.WAIT),
        ("huge_body", FaultKind.SERVICE_ERROR, "github_answer_too_large", Remedy.WAIT),
    ],
)
async def test_each_refusal_has_its_code_and_remedy(
    behaviour: str,
    kind: FaultKind,
    code: str,
    remedy: Remedy,
    github: GitHub,
    token: Secret,
    sandbox: SandboxServer,
) -> None:
    await sandbox.put_token(token.reveal(), service="github", behaviour=behaviour)

    found = await github.identify(TokenSecret(token))

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.code, found.remedy) == (kind, code, remedy)


def test_a_primary_limit_waits_for_its_reset() -> None:
    for status in (403, 429):
        found = fault(status, x_ratelimit_limit="60", x_ratelimit_remaining="0", x_ratelimit_reset=IN_TEN_MINUTES)
        assert (found.kind, found.retry_after_seconds) == (FaultKind.RATE_LIMITED, 600)
        assert found.rate_limit == ServiceRateLimit(
            60, 0, NOW + timedelta(minutes=10), blocked_until=NOW + timedelta(minutes=10)
        )


def test_a_secondary_limit_waits_as_told_or_a_minute() -> None:
    told = fault(403, "You have exceeded a secondary rate limit.", retry_after="17", x_ratelimit_remaining="4000")
    untold = fault(403, "You have exceeded a secondary rate limit.", x_ratelimit_remaining="4000")
    bare = fault(429)

    assert [each.retry_after_seconds for each in (told, untold, bare)] == [17, 60, 60]
    assert {each.kind for each in (told, untold, bare)} == {FaultKind.RATE_LIMITED}


def test_of_two_waits_the_longer_counts_and_none_is_endless_or_in_the_past() -> None:
    both = fault(403, retry_after="5", x_ratelimit_remaining="0", x_ratelimit_reset=IN_TEN_MINUTES)
    endless = fault(429, retry_after="999999999")
    past = fault(403, x_ratelimit_remaining="0", x_ratelimit_reset="1")

    assert [each.retry_after_seconds for each in (both, endless, past)] == [600, 86_400, 1]


def test_single_sign_on_shows_where_to_authorize_and_only_a_safe_address() -> None:
    good = fault(403, "Resource protected", x_github_sso="required; url=https://github.com/orgs/acme/sso?a=b")
    bad = fault(403, "Resource protected", x_github_sso="required; url=javascript:alert(1)")

    assert (good.kind, good.evidence) == (FaultKind.ADMIN_REQUIRED, {"url": "https://github.com/orgs/acme/sso?a=b"})
    assert (bad.kind, bad.evidence) == (FaultKind.ADMIN_REQUIRED, {"url": None})


def test_other_403s_are_an_administrators_matter_or_a_scopes() -> None:
    address = fault(
        403,
        "Although you appear to be authorized, the `acme` organization has an IP allow list enabled",
    )
    scope = fault(403, "Must have admin rights", x_accepted_oauth_scopes="admin:org, repo")
    silent = fault(403)

    assert (address.kind, address.code) == (FaultKind.ADMIN_REQUIRED, "github_ip_not_allowed")
    assert scope.kind is FaultKind.SCOPE_MISSING
    assert scope.evidence == {"acceptedScopes": ["admin:org", "repo"], "acceptedPermissions": None}
    assert (silent.kind, silent.code) == (FaultKind.ADMIN_REQUIRED, "github_forbidden")


def test_a_bad_tokens_401_leaves_the_anonymous_quota_alone() -> None:
    found = fault(401, "Bad credentials", x_ratelimit_limit="60", x_ratelimit_remaining="0")

    assert (found.kind, found.rate_limit) == (FaultKind.CREDENTIAL_REFUSED, None)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 304, 400, 404, 410, 422])
def test_what_get_user_never_answers_is_the_services_error(status: int) -> None:
    assert fault(status).kind is FaultKind.SERVICE_ERROR


header_names = st.sampled_from(
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after", "x-github-sso", "x-oauth-scopes"]
)
header_values = (
    st.text(max_size=20) | st.integers().map(str) | st.sampled_from(["0", "required; url=x", IN_TEN_MINUTES])
)
any_headers = st.dictionaries(header_names, header_values)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in to the proxy</html>",
        b"",
        b"{}",
        b'"no"',
        b'{"message": 7}',
        b'{"message": "Requires authentication"}',
    ],
)
def test_a_401_that_is_not_githubs_refusal_says_nothing_about_the_credential(body: bytes) -> None:
    found = classify(HttpAnswer(401, {}, body, 5), NOW)
    assert found is not None
    assert (found.kind, found.code, found.remedy) == (
        FaultKind.SERVICE_ERROR,
        "github_unexpected_answer",
        Remedy.WAIT,
    )


@pytest.mark.parametrize(
    ("message", "conclusive"),
    [("Bad credentials", True), ("Unauthorized", False), ("Sign in to the gateway first.", False)],
)
def test_a_401_is_proof_only_in_githubs_own_words(message: str, conclusive: bool) -> None:
    """A gateway in between speaks JSON, too: that mustn't end all connections at once."""
    found = fault(401, message)

    assert (found.kind, found.conclusive) == (FaultKind.CREDENTIAL_REFUSED, conclusive)


messages = st.sampled_from(["Bad credentials", "suspended", "secondary rate limit", "", "401"]) | st.text(max_size=40)
bodies = st.binary(max_size=40) | messages.map(lambda text: json.dumps({"message": text}).encode())


@given(st.just(429) | st.integers(500, 599), any_headers, bodies)
def test_no_429_and_no_5xx_speaks_against_the_credential(status: int, headers: Mapping[str, str], body: bytes) -> None:
    found = classify(HttpAnswer(status, headers, body, 5), NOW)

    assert found is not None
    assert found.kind is (FaultKind.RATE_LIMITED if status == 429 else FaultKind.SERVICE_ERROR)


@given(st.integers(200, 599).filter(lambda status: status != 401), any_headers, bodies)
def test_only_a_401_speaks_against_the_credential_and_every_wait_has_an_end(
    status: int, headers: Mapping[str, str], body: bytes
) -> None:
    found = read_identity(HttpAnswer(status, headers, body, 5), WEB, NOW)

    if isinstance(found, ServiceFault):
        assert found.kind not in CREDENTIAL
        assert found.retry_after_seconds is None or 1 <= found.retry_after_seconds <= 86_400


@pytest.mark.parametrize(
    "user",
    [
        [],
        {},
        {"id": 1},
        {"login": "octo"},
        {"id": "1", "login": "octo"},
        {"id": True, "login": "octo"},
        {"id": 1.0, "login": "octo"},
        {"id": 0, "login": "octo"},
        {"id": 1 << 63, "login": "octo"},
        {"id": 1, "login": ""},
        {"id": 1, "login": None},
        {"id": 1, "login": "\x00\x01"},
    ],
)
def test_a_200_that_is_no_account_is_the_services_error(user: object) -> None:
    found = read_identity(HttpAnswer(200, {}, json.dumps(user).encode(), 5), WEB, NOW)

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.code) == (FaultKind.SERVICE_ERROR, "github_unexpected_answer")


def test_what_it_says_of_the_account_is_cleaned() -> None:
    user = {
        "id": 1,
        "login": "oc\x00to\ud800" + "x" * 400,
        "html_url": "javascript:alert(1)",
        "avatar_url": "https://user:password@avatars.example/1",
    }
    found = read_identity(HttpAnswer(200, {}, json.dumps(user).encode(), 5), WEB, NOW)

    assert isinstance(found, Identified)
    name = ("octo" + "x" * 400)[:255]
    assert found.identity.account == ExternalAccount("1", name, f"{WEB}/{name}", None)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("2026-12-31 23:59:59 UTC", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-12-31 16:59:59 -0700", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("0001-01-01 00:00:00 +0100", None),
        ("2026-12-31", None),
        ("never", None),
    ],
)
def test_the_tokens_end_is_read_in_both_forms(header: str, expected: datetime | None) -> None:
    user = json.dumps({"id": 1, "login": "octo"}).encode()
    found = read_identity(HttpAnswer(200, {"github-authentication-token-expiration": header}, user, 5), WEB, NOW)

    assert isinstance(found, Identified)
    assert found.identity.expires_at == expected


def test_a_classic_token_without_scopes_is_not_one_that_tells_none() -> None:
    user = json.dumps({"id": 1, "login": "octo"}).encode()
    found = read_identity(HttpAnswer(200, {"x-oauth-scopes": ""}, user, 5), WEB, NOW)

    assert isinstance(found, Identified)
    assert found.identity.scopes == ()


@given(st.dictionaries(st.sampled_from(["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]), st.text()))
def test_any_quota_headers_are_read_without_an_exception(headers: Mapping[str, str]) -> None:
    quota = rate_limit(headers)
    assert quota is None or quota.limit is None or quota.limit >= 0


@pytest.mark.parametrize(
    ("granted", "required", "missing"),
    [
        (["repo"], ["public_repo", "repo:status", "security_events"], ()),
        (["admin:org"], ["read:org", "write:org"], ()),
        (["write:org"], ["read:org", "admin:org"], ("admin:org",)),
        (["user"], ["read:user", "user:email"], ()),
        (["public_repo"], ["repo"], ("repo",)),
        (["repo"], ["workflow", "repo"], ("workflow",)),
        ([], ["repo", "gist"], ("repo", "gist")),
        (["something:new"], ["gist"], ("gist",)),
    ],
)
async def test_a_scope_covers_those_it_contains(
    granted: list[str], required: list[str], missing: tuple[str, ...], github: GitHub
) -> None:
    assert github.missing_scopes(required, granted) == missing
