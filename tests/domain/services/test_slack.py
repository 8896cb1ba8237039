"""What is Slack's own: a workspace as the account, refusals with HTTP 200, and what each of them means."""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.credential_secrets import TokenSecret
from domain.entities.health import ExternalAccount, Remedy
from domain.http import HttpAnswer, HttpClient
from domain.secret import Secret
from domain.services.base import Identified
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack import Slack
from domain.services.slack.answers import classify, read_identity
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
WEB = "https://slack.example"
CREDENTIAL = {FaultKind.CREDENTIAL_REFUSED, FaultKind.CREDENTIAL_REVOKED}


@pytest.fixture
def slack(http: HttpClient, sandbox: SandboxServer) -> Slack:
    return Slack(http, sandbox.slack_api_url, sandbox.slack_url, lambda: datetime.now(UTC))


@pytest.fixture
def token() -> Secret:
    return Secret(f"canary-{secrets.token_hex(12)}")


def said(body: object, status: int = 200, **headers: str) -> HttpAnswer:
    """An answer of Slack's; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status, named, json.dumps(body).encode(), 5)


def fault(answer: HttpAnswer) -> ServiceFault:
    found = classify(answer, NOW)
    assert found is not None
    return found


async def test_the_account_is_the_workspace(slack: Slack, token: Secret, sandbox: SandboxServer) -> None:
    await sandbox.put_token(
        token.reveal(),
        service="slack",
        account={"id": "T0TEST", "login": "test", "name": "Test Inc."},
        scopes=["chat:write", "channels:read"],
    )

    found = await slack.identify(TokenSecret(token))

    assert isinstance(found, Identified)
    assert found.identity.account == ExternalAccount("T0TEST", "Test Inc.", f"{sandbox.slack_url}/test/")
    assert found.identity.webhook_key is None, "it is no grant of our app's, whose events it mustn't see"
    assert found.identity.scopes == ("chat:write", "channels:read")
    assert found.identity.expires_at is None
    assert found.rate_limit is None
    assert [(call.method, call.path) for call in await sandbox.calls(token.reveal())] == [("POST", "/auth.test")]


@pytest.mark.parametrize(
    ("behaviour", "kind", "code", "remedy"),
    [
        ("revoked", FaultKind.CREDENTIAL_REVOKED, "slack_token_revoked", Remedy.RECONNECT),
        ("account_inactive", FaultKind.CREDENTIAL_REVOKED, "slack_account_inactive", Remedy.RECONNECT),
        ("expired", FaultKind.CREDENTIAL_REFUSED, "slack_token_expired", Remedy.RECONNECT),
        ("invalid_auth", FaultKind.CREDENTIAL_REFUSED, "slack_invalid_auth", Remedy.RECONNECT),
        ("org_login_required", FaultKind.ADMIN_REQUIRED, "slack_org_login_required", Remedy.CONTACT_ADMIN),
        ("ekm_access_denied", FaultKind.ADMIN_REQUIRED, "slack_ekm_access_denied", Remedy.CONTACT_ADMIN),
        ("accesslimited", FaultKind.ADMIN_REQUIRED, "slack_accesslimited", Remedy.CONTACT_ADMIN),
        ("missing_scope", FaultKind.SCOPE_MISSING, "slack_missing_scope", Remedy.GRANT_SCOPES),
        ("rate_limited", FaultKind.RATE_LIMITED, "slack_rate_limited", Remedy.WAIT),
        ("internal_error", FaultKind.SERVICE_ERROR, "slack_error", Remedy.WAIT),
        ("server_error", FaultKind.SERVICE_ERROR, "slack_server_error", Remedy.WAIT),
        ("garbage_json", FaultKind.SERVICE_ERROR, "slack_unexpected_answer", Remedy.WAIT),
        ("empty_object", FaultKind.SERVICE_ERROR, "slack_unexpected_answer", Remedy.WAIT),
    ],
)
async def test_each_refusal_has_its_code_and_remedy(
    behaviour: str,
    kind: FaultKind,
    code: str,
    remedy: Remedy,
    slack: Slack,
    token: Secret,
    sandbox: SandboxServer,
) -> None:
    await sandbox.put_token(token.reveal(), service="slack", behaviour=behaviour, retry_after_seconds=42)

    found = await slack.identify(TokenSecret(token))

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.code, found.remedy) == (kind, code, remedy)
    if kind is FaultKind.RATE_LIMITED:
        assert found.retry_after_seconds == 42
    if kind is FaultKind.SCOPE_MISSING:
        assert found.evidence is not None
        assert set(found.evidence) == {"needed", "provided"}
        assert all(found.evidence.values())


def test_invalid_auth_names_the_other_cause_that_it_can_have_and_proves_nothing() -> None:
    found = fault(said({"ok": False, "error": "invalid_auth"}))
    assert "IP" in found.message
    assert not found.conclusive
    assert fault(said({"ok": False, "error": "token_expired"})).conclusive


def test_a_call_that_lost_its_token_on_the_way_says_nothing_about_it() -> None:
    found = fault(said({"ok": False, "error": "not_authed"}))
    assert (found.kind, found.code, found.remedy) == (FaultKind.SERVICE_ERROR, "slack_not_authed", Remedy.WAIT)


def test_a_limit_without_a_wait_waits_a_minute_and_none_is_endless() -> None:
    bare = fault(said({"ok": False, "error": "ratelimited"}))
    endless = fault(said({}, 429, retry_after="999999999"))
    dated = fault(said({}, 429, retry_after="Fri, 20 Nov 2026 10:00:30 GMT"))

    assert [each.retry_after_seconds for each in (bare, endless, dated)] == [60, 86_400, 30]
    assert {each.kind for each in (bare, endless, dated)} == {FaultKind.RATE_LIMITED}


def test_an_error_nobody_documents_is_the_services_and_shows_only_a_name() -> None:
    known = fault(said({"ok": False, "error": "fatal_error"}))
    canary = fault(said({"ok": False, "error": "xoxb" + "-1-canary"}))

    assert (known.kind, known.evidence) == (FaultKind.SERVICE_ERROR, {"error": "fatal_error"})
    assert (canary.kind, canary.evidence) == (FaultKind.SERVICE_ERROR, {"error": None})


def test_a_refusal_may_come_with_another_status() -> None:
    assert fault(said({"ok": False, "error": "invalid_auth"}, 401)).kind is FaultKind.CREDENTIAL_REFUSED
    assert fault(said({"ok": True}, 302)).kind is FaultKind.SERVICE_ERROR


@pytest.mark.parametrize(
    "body",
    [
        [],
        None,
        {"ok": "true", "team_id": "T1"},
        {"ok": 1, "team_id": "T1"},
        {"ok": True},
        {"ok": True, "team_id": None},
        {"ok": True, "team_id": 7},
        {"ok": True, "team_id": "T1", "is_enterprise_install": True},
        {"ok": False},
        {"ok": False, "error": None},
        {"error": "invalid_auth"},
    ],
)
def test_a_200_that_is_neither_identity_nor_refusal_is_the_services_error(body: object) -> None:
    found = read_identity(said(body), WEB, NOW, is_grant=True)

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.code) == (FaultKind.SERVICE_ERROR, "slack_unexpected_answer")


def test_an_app_of_a_whole_organization_belongs_to_that_organization() -> None:
    body = {
        "ok": True,
        "team_id": None,
        "enterprise_id": "E1",
        "is_enterprise_install": True,
        "url": "https://e.example/",
    }
    found = read_identity(said(body), WEB, NOW, is_grant=True)

    assert isinstance(found, Identified)
    assert found.identity.account == ExternalAccount("E1", "E1", "https://e.example/")
    assert found.identity.webhook_key == "enterprise:E1"
    assert found.identity.scopes is None


@pytest.mark.parametrize(
    ("expires_in", "expected"),
    [
        (43_200, NOW + timedelta(hours=12)),
        (0, None),
        (-1, None),
        (True, None),
        ("60", None),
        (10**30, None),
        (None, None),
    ],
)
def test_a_token_that_rotates_tells_its_end(expires_in: object, expected: datetime | None) -> None:
    found = read_identity(said({"ok": True, "team_id": "T1", "expires_in": expires_in}), WEB, NOW, is_grant=True)

    assert isinstance(found, Identified)
    assert found.identity.expires_at == expected


errors = st.sampled_from(["invalid_auth", "token_revoked", "token_expired", "account_inactive"]) | st.text(max_size=20)
bodies = st.binary(max_size=40) | errors.map(lambda error: json.dumps({"ok": False, "error": error}).encode())
any_headers = st.dictionaries(st.sampled_from(["retry-after", "x-oauth-scopes"]), st.text(max_size=20))


@given(st.just(429) | st.integers(500, 599), any_headers, bodies)
def test_no_429_and_no_5xx_speaks_against_the_credential(status: int, headers: Mapping[str, str], body: bytes) -> None:
    found = classify(HttpAnswer(status, headers, body, 5), NOW)

    assert found is not None
    assert found.kind is (FaultKind.RATE_LIMITED if status == 429 else FaultKind.SERVICE_ERROR)


@given(st.integers(200, 599), any_headers, st.binary(max_size=60))
def test_only_slacks_own_words_speak_against_the_credential(
    status: int, headers: Mapping[str, str], body: bytes
) -> None:
    found = read_identity(HttpAnswer(status, headers, body, 5), WEB, NOW, is_grant=True)

    assert isinstance(found, ServiceFault)
    assert found.kind not in CREDENTIAL
