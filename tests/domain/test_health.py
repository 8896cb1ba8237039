"""Health checks against the sandbox: which probes run, what each finds, and what they add up to."""

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from domain.credential_secrets import TokenSecret
from domain.entities.health import (
    HealthCheckTrigger,
    HealthProbe,
    HealthStatus,
    Json,
    ProbeOutcome,
    Remedy,
    Verdict,
)
from domain.entities.identifiers import new_id
from domain.errors import CredentialUnreadable, ServiceFailure
from domain.health import Diagnosis, HealthCheckFactory, HealthSubject
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.catalogue import ServiceCatalogue
from domain.services.github import GitHub
from domain.services.service_fault import FaultKind
from domain.services.slack import Slack
from tests.domain.impatient_client import impatient_client
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

NAMES = [
    "credential_opens",
    "service_reachable",
    "authenticates",
    "same_account",
    "scopes_suffice",
    "quota_left",
    "not_about_to_expire",
]
P, W, F, S = ProbeOutcome.PASSED, ProbeOutcome.WARNED, ProbeOutcome.FAILED, ProbeOutcome.SKIPPED
ORGANIZATION, CONNECTION = new_id(), new_id()
ServiceId = Literal["github", "slack"]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with impatient_client() as client:
        yield client


@pytest.fixture
def checks(http: HttpClient, sandbox: SandboxServer) -> HealthCheckFactory:
    github = GitHub(http, sandbox.github_api_url, sandbox.github_url, now)
    slack = Slack(http, sandbox.slack_api_url, sandbox.slack_url, now)
    return HealthCheckFactory(ServiceCatalogue([github, slack]), now)


@pytest.fixture
def token() -> Secret:
    return Secret(f"canary-{secrets.token_hex(12)}")


def subject(
    service_id: str, token: Secret | CredentialUnreadable, settings: Mapping[str, Json] | None = None
) -> HealthSubject:
    secret = token if isinstance(token, CredentialUnreadable) else TokenSecret(token)
    return HealthSubject(service_id, settings or {}, secret, expected_account_id=None, stored_end=None)


async def diagnose(checks: HealthCheckFactory, of: HealthSubject) -> Diagnosis:
    diagnosis = await checks.run_health_check(
        of, organization_id=ORGANIZATION, connection_id=CONNECTION, trigger=HealthCheckTrigger.MANUAL
    )
    assert [probe.name for probe in diagnosis.check.probes] == NAMES
    return diagnosis


def outcomes(diagnosis: Diagnosis) -> list[ProbeOutcome]:
    return [probe.outcome for probe in diagnosis.check.probes]


def probe(diagnosis: Diagnosis, name: str) -> HealthProbe:
    return diagnosis.check.probes[NAMES.index(name)]


async def test_each_service_has_its_probes_in_order(checks: HealthCheckFactory) -> None:
    for service_id in ("github", "slack"):
        assert [each.name for each in checks.probes_for(service_id)] == NAMES
    with pytest.raises(ServiceFailure, match="no longer knows the service 'jira'"):
        checks.probes_for("jira")


@pytest.mark.parametrize(("service_id", "account"), [("github", "583231"), ("slack", "T0ACME123")])
async def test_all_is_well(
    service_id: ServiceId, account: str, checks: HealthCheckFactory, token: Secret, sandbox: SandboxServer
) -> None:
    await sandbox.put_token(token.reveal(), service=service_id)
    before = now()

    diagnosis = await diagnose(checks, replace(subject(service_id, token), expected_account_id=account))

    check = diagnosis.check
    assert outcomes(diagnosis) == [P] * 7
    assert (check.status, check.verdict, check.message) == (HealthStatus.HEALTHY, Verdict.PASSED, None)
    assert (check.organization_id, check.connection_id, check.trigger) == (ORGANIZATION, CONNECTION, "MANUAL")
    assert before <= check.started_at <= now()
    assert check.identity is not None
    assert check.identity.account.id == account
    assert check.latency_ms == probe(diagnosis, "service_reachable").latency_ms
    assert diagnosis.fault is None
    assert {each.remedy for each in check.probes} == {Remedy.NONE}
    assert len(await sandbox.calls(token.reveal())) == 1


@pytest.mark.parametrize(
    ("service_id", "behaviour", "expected", "status", "verdict", "code"),
    [
        ("github", "revoked", [P, P, F], HealthStatus.UNHEALTHY, Verdict.EXPIRED, "github_bad_credentials"),
        ("slack", "revoked", [P, P, F], HealthStatus.UNHEALTHY, Verdict.REVOKED, "slack_token_revoked"),
        ("slack", "expired", [P, P, F], HealthStatus.UNHEALTHY, Verdict.EXPIRED, "slack_token_expired"),
        ("github", "suspended", [P, P, F], HealthStatus.UNHEALTHY, Verdict.FAILED, "github_suspended"),
        ("slack", "invalid_auth", [P, P, F], HealthStatus.UNHEALTHY, Verdict.FAILED, "slack_invalid_auth"),
        ("slack", "org_login_required", [P, P, F], HealthStatus.UNHEALTHY, Verdict.FAILED, "slack_org_login_required"),
        ("github", "server_error", [P, F, S], HealthStatus.UNHEALTHY, Verdict.FAILED, "github_server_error"),
        ("slack", "garbage_html", [P, F, S], HealthStatus.UNHEALTHY, Verdict.FAILED, "slack_unexpected_answer"),
        ("github", "slow", [P, F, S], HealthStatus.UNHEALTHY, Verdict.FAILED, "github_timeout"),
        ("github", "rate_limited", [P, P, W], HealthStatus.DEGRADED, Verdict.INCONCLUSIVE, "github_rate_limited"),
        ("slack", "rate_limited", [P, P, W], HealthStatus.DEGRADED, Verdict.INCONCLUSIVE, "slack_rate_limited"),
        ("slack", "missing_scope", [P, P, W], HealthStatus.DEGRADED, Verdict.INCONCLUSIVE, "slack_missing_scope"),
    ],
)
async def test_a_fault_decides_the_verdict_and_ends_the_questions(
    service_id: ServiceId,
    behaviour: str,
    expected: list[ProbeOutcome],
    status: HealthStatus,
    verdict: Verdict,
    code: str,
    checks: HealthCheckFactory,
    token: Secret,
    sandbox: SandboxServer,
) -> None:
    await sandbox.put_token(token.reveal(), service=service_id, behaviour=behaviour)

    diagnosis = await diagnose(checks, subject(service_id, token))

    check = diagnosis.check
    assert outcomes(diagnosis) == expected + [S] * (7 - len(expected))
    assert (check.status, check.verdict) == (status, verdict)
    culprit = next(each for each in check.probes if each.outcome in {F, W})
    assert (culprit.code, culprit.message) == (code, check.message)
    assert culprit.remedy is not Remedy.NONE
    assert {each.code for each in check.probes if each.outcome is S} == {"skipped"}
    assert diagnosis.fault is not None
    assert diagnosis.fault.code == code
    assert (diagnosis.fault.retry_after_seconds is not None) == (diagnosis.fault.kind is FaultKind.RATE_LIMITED)
    assert check.identity is None
    assert token.reveal() not in repr(diagnosis)


async def test_a_rate_limit_tells_until_when(checks: HealthCheckFactory, token: Secret, sandbox: SandboxServer) -> None:
    await sandbox.put_token(token.reveal(), service="slack", behaviour="rate_limited", retry_after_seconds=42)

    diagnosis = await diagnose(checks, subject("slack", token))

    assert diagnosis.check.rate_limit is not None
    assert diagnosis.check.rate_limit.blocked_until is not None
    assert timedelta(seconds=30) < diagnosis.check.rate_limit.blocked_until - now() <= timedelta(seconds=42)
    assert diagnosis.fault is not None
    assert diagnosis.fault.retry_after_seconds == 42


async def test_a_credential_that_does_not_open_asks_nobody(checks: HealthCheckFactory, sandbox: SandboxServer) -> None:
    before = len(await sandbox.calls())

    diagnosis = await diagnose(checks, subject("github", CredentialUnreadable("It does not open.")))

    assert outcomes(diagnosis) == [F, S, S, S, S, S, S]
    assert (diagnosis.check.status, diagnosis.check.verdict) == (HealthStatus.UNHEALTHY, Verdict.FAILED)
    assert probe(diagnosis, "credential_opens").code == "credential_unreadable"
    assert (diagnosis.check.latency_ms, diagnosis.fault) == (0, None)
    assert len(await sandbox.calls()) == before


async def test_a_malformed_token_claims_nothing_of_the_service(checks: HealthCheckFactory) -> None:
    diagnosis = await diagnose(checks, subject("github", Secret("canary\n")))

    assert outcomes(diagnosis) == [P, S, F, S, S, S, S]
    assert diagnosis.check.verdict is Verdict.EXPIRED
    assert probe(diagnosis, "authenticates").code == "malformed_token"


async def test_another_account_fails_and_names_both(
    checks: HealthCheckFactory, token: Secret, sandbox: SandboxServer
) -> None:
    await sandbox.put_token(token.reveal(), service="github", scopes=[])

    diagnosis = await diagnose(checks, replace(subject("github", token), expected_account_id="1"))

    assert outcomes(diagnosis) == [P, P, P, F, S, S, S]
    assert (diagnosis.check.status, diagnosis.check.verdict) == (HealthStatus.UNHEALTHY, Verdict.FAILED)
    found = probe(diagnosis, "same_account")
    assert (found.code, found.remedy) == ("account_mismatch", Remedy.RECONNECT)
    assert found.evidence == {"expected": "1", "actual": "583231"}


async def test_missing_scopes_degrade_and_are_listed(
    checks: HealthCheckFactory, token: Secret, sandbox: SandboxServer
) -> None:
    await sandbox.put_token(token.reveal(), service="slack", scopes=["chat:write"])

    diagnosis = await diagnose(checks, subject("slack", token))

    assert outcomes(diagnosis) == [P, P, P, P, W, P, P]
    assert (diagnosis.check.status, diagnosis.check.verdict) == (HealthStatus.DEGRADED, Verdict.PASSED)
    found = probe(diagnosis, "scopes_suffice")
    assert (found.code, found.remedy) == ("scopes_missing", Remedy.GRANT_SCOPES)
    assert found.evidence == {"missing": ["channels:read"], "granted": ["chat:write"]}
    assert diagnosis.check.message == found.message


async def test_the_settings_say_which_scopes_are_needed(
    checks: HealthCheckFactory, token: Secret, sandbox: SandboxServer
) -> None:
    await sandbox.put_token(token.reveal(), service="github", scopes=["user"])

    lacking = await diagnose(checks, subject("github", token))
    content = await diagnose(checks, subject("github", token, {"requiredScopes": ["read:user"]}))

    assert probe(lacking, "scopes_suffice").evidence == {"missing": ["repo"], "granted": ["user"]}
    assert content.check.status is HealthStatus.HEALTHY


async def test_a_token_that_tells_no_scopes_lacks_none(
    checks: HealthCheckFactory, token: Secret, sandbox: SandboxServer
) -> None:
    await sandbox.put_token(token.reveal(), service="github", scopes=None)

    diagnosis = await diagnose(checks, subject("github", token))

    assert diagnosis.check.status is HealthStatus.HEALTHY
    assert probe(diagnosis, "scopes_suffice").code == "scopes_not_told"


@pytest.mark.parametrize(("remaining", "expected"), [(501, P), (500, W), (1, W)])
async def test_less_than_a_tenth_of_the_quota_degrades(
    remaining: int, expected: ProbeOutcome, checks: HealthCheckFactory, token: Secret, sandbox: SandboxServer
) -> None:
    """The call itself takes one of those that remain."""
    await sandbox.put_token(token.reveal(), service="github", quota={"limit": 5000, "remaining": remaining})

    diagnosis = await diagnose(checks, subject("github", token))

    found = probe(diagnosis, "quota_left")
    assert found.outcome is expected
    assert diagnosis.check.verdict is Verdict.PASSED
    assert found.evidence is not None
    assert found.evidence["remaining"] == remaining - 1
    if expected is W:
        assert (found.code, found.remedy) == ("quota_low", Remedy.RAISE_LIMIT)


@pytest.mark.parametrize(
    ("days", "settings", "expected"),
    [(6, {}, W), (8, {}, P), (8, {"expiryWarningDays": 10}, W), (6, {"expiryWarningDays": 3}, P)],
)
@pytest.mark.parametrize("told_by_the_service", [True, False])
async def test_an_end_that_is_near_degrades(
    told_by_the_service: bool,
    days: int,
    settings: Mapping[str, Json],
    expected: ProbeOutcome,
    checks: HealthCheckFactory,
    token: Secret,
    sandbox: SandboxServer,
) -> None:
    ends = now() + timedelta(days=days)
    told = {"expires_at": ends.isoformat()} if told_by_the_service else {}
    await sandbox.put_token(token.reveal(), service="github", **told)
    of = replace(subject("github", token, settings), stored_end=None if told_by_the_service else ends)

    diagnosis = await diagnose(checks, of)

    found = probe(diagnosis, "not_about_to_expire")
    assert found.outcome is expected
    assert found.evidence is not None
    assert diagnosis.check.verdict is Verdict.PASSED
    if expected is W:
        assert (found.code, found.remedy) == ("credential_ends_soon", Remedy.RECONNECT)


async def test_an_end_in_the_past_that_the_service_ignores_is_a_warning(
    checks: HealthCheckFactory, token: Secret, sandbox: SandboxServer
) -> None:
    await sandbox.put_token(token.reveal(), service="github")

    diagnosis = await diagnose(checks, replace(subject("github", token), stored_end=now() - timedelta(days=1)))

    assert probe(diagnosis, "not_about_to_expire").code == "credential_end_passed"
    assert (diagnosis.check.status, diagnosis.check.verdict) == (HealthStatus.DEGRADED, Verdict.PASSED)


async def test_several_warnings_are_all_kept_and_the_first_is_the_message(
    checks: HealthCheckFactory, token: Secret, sandbox: SandboxServer
) -> None:
    ends = (now() + timedelta(hours=30)).isoformat()
    quota = {"limit": 5000, "remaining": 10}
    await sandbox.put_token(token.reveal(), service="github", scopes=[], expires_at=ends, quota=quota)

    diagnosis = await diagnose(checks, subject("github", token))

    assert outcomes(diagnosis) == [P, P, P, P, W, W, W]
    assert diagnosis.check.message == probe(diagnosis, "scopes_suffice").message
    assert diagnosis.check.verdict is Verdict.PASSED


async def test_an_unknown_service_is_refused(checks: HealthCheckFactory, token: Secret) -> None:
    with pytest.raises(ServiceFailure, match="no longer knows the service 'jira'"):
        await diagnose(checks, subject("jira", token))
