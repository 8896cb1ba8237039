"""What Slack's answers mean: an identity, or the fault they tell of. Called by service.py, calls nobody.

Slack refuses with HTTP 200 and `ok: false`; only its rate limit (429) and its own errors (5xx) speak by status.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.entities.health import ExternalAccount, Identity, Json, Remedy, ServiceRateLimit
from domain.http import HttpAnswer, retry_after_seconds
from domain.services.base import FaultKind, Identified, IdentityAnswer, ServiceFault
from domain.services.boundary import LONGEST_WAIT_SECONDS, clean_text, clean_url

RATE_LIMIT_SECONDS: Final = 60
"""Slack counts by the minute; it says how long to wait, and where it doesn't, this is it."""
LONGEST_LIFE_SECONDS: Final = 10 * 365 * 24 * 60 * 60


def read_identity(answer: HttpAnswer, web_url: str, now: datetime) -> IdentityAnswer:
    """The answer to `auth.test`."""
    fault = classify(answer, now)
    if fault is not None:
        return fault
    body = answer.json()
    account = _account(body, web_url) if isinstance(body, dict) else None
    if account is None or not isinstance(body, dict):
        return _unexpected(answer, "Slack's answer isn't the identity that its documentation describes.")
    return Identified(Identity(account, _scopes(answer), _expires_at(body, now)), None, answer.latency_ms)


def classify(answer: HttpAnswer, now: datetime) -> ServiceFault | None:
    """What keeps this answer from being used; None for a 200 that says `ok`."""
    if answer.status == 429:
        return _rate_limited(answer, now)
    if answer.status >= 500:
        return ServiceFault(
            FaultKind.SERVICE_ERROR,
            "slack_server_error",
            f"Slack answers with an error of its own (HTTP {answer.status}).",
            Remedy.WAIT,
            evidence={"status": answer.status},
            latency_ms=answer.latency_ms,
        )
    body = answer.json()
    if not isinstance(body, dict) or (body.get("ok") is not False and answer.status != 200):
        return _unexpected(answer, f"Slack's answer (HTTP {answer.status}) isn't what its documentation describes.")
    if body.get("ok") is True:
        return None
    error = body.get("error")
    if not isinstance(error, str) or body.get("ok") is not False:
        return _unexpected(answer, "Slack's answer neither says that it worked nor why it didn't.")
    return _refused(answer, error, body, now)


def _refused(answer: HttpAnswer, error: str, body: dict[str, Json], now: datetime) -> ServiceFault:
    if error in {"ratelimited", "rate_limited"}:
        return _rate_limited(answer, now)
    if error == "missing_scope":
        evidence: dict[str, Json] = {name: clean_text(body.get(name)) for name in ("needed", "provided")}
        text = "The token lacks a scope that Slack wants for this. Add it to the app and install the app again."
        return _fault(answer, FaultKind.SCOPE_MISSING, "slack_missing_scope", text, Remedy.GRANT_SCOPES, evidence)
    if error in _REFUSALS:
        kind, remedy, text = _REFUSALS[error]
        found = _fault(answer, kind, f"slack_{error}", text, remedy)
        return replace(found, conclusive=error not in _INCONCLUSIVE)
    text = "Slack reports an error that says nothing about the token."
    named = {"error": error if _ERROR.fullmatch(error) else None}
    return _fault(answer, FaultKind.SERVICE_ERROR, "slack_error", text, Remedy.WAIT, {**named})


def _rate_limited(answer: HttpAnswer, now: datetime) -> ServiceFault:
    asked_seconds = retry_after_seconds(answer.headers, now)
    wait_seconds = min(max(1, RATE_LIMIT_SECONDS if asked_seconds is None else asked_seconds), LONGEST_WAIT_SECONDS)
    blocked_until = now + timedelta(seconds=wait_seconds)
    return ServiceFault(
        FaultKind.RATE_LIMITED,
        "slack_rate_limited",
        f"Slack limits how often we may call. It answers again at {blocked_until:%Y-%m-%d %H:%M:%S} UTC.",
        Remedy.WAIT,
        retry_after_seconds=wait_seconds,
        rate_limit=ServiceRateLimit(blocked_until=blocked_until),
        latency_ms=answer.latency_ms,
    )


def _fault(
    answer: HttpAnswer,
    kind: FaultKind,
    code: str,
    message: str,
    remedy: Remedy,
    evidence: dict[str, Json] | None = None,
) -> ServiceFault:
    return ServiceFault(kind, code, message, remedy, evidence=evidence, latency_ms=answer.latency_ms)


def _unexpected(answer: HttpAnswer, message: str) -> ServiceFault:
    evidence: dict[str, Json] = {"status": answer.status}
    return _fault(answer, FaultKind.SERVICE_ERROR, "slack_unexpected_answer", message, Remedy.WAIT, evidence)


def _account(body: dict[str, Json], web_url: str) -> ExternalAccount | None:
    """The workspace, or the organization where the app is installed for all of it: what the connection reaches."""
    whole_organization = body.get("is_enterprise_install") is True
    identifier = clean_text(body.get("enterprise_id" if whole_organization else "team_id"))
    if identifier is None:
        return None
    name = clean_text(body.get("enterprise_name") if whole_organization else body.get("team"))
    return ExternalAccount(identifier, name or identifier, clean_url(body.get("url")) or clean_url(web_url))


def _scopes(answer: HttpAnswer) -> tuple[str, ...] | None:
    header = answer.headers.get("x-oauth-scopes")
    if header is None:
        return None
    return tuple(dict.fromkeys(name for part in header.split(",") if (name := clean_text(part)) is not None))


def _expires_at(body: dict[str, Json], now: datetime) -> datetime | None:
    """Tokens that rotate say how many seconds they have left; the others say nothing."""
    seconds = body.get("expires_in")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds <= LONGEST_LIFE_SECONDS:
        return None
    return (now + timedelta(seconds=seconds)).astimezone(UTC)


_ERROR: Final = re.compile(r"[a-z_]{1,64}")
_ADMIN: Final = (FaultKind.ADMIN_REQUIRED, Remedy.CONTACT_ADMIN)
_NEW_TOKEN: Final = (FaultKind.CREDENTIAL_REFUSED, Remedy.RECONNECT)
_WITHDRAWN: Final = (FaultKind.CREDENTIAL_REVOKED, Remedy.RECONNECT)
_INCONCLUSIVE: Final = {"invalid_auth"}  # Slack says it of good tokens, too, where a rule about addresses is in the way
_REFUSALS: Final[dict[str, tuple[FaultKind, Remedy, str]]] = {
    "token_expired": (*_NEW_TOKEN, "The token has expired. Connect again with a new one."),
    "invalid_auth": (
        *_NEW_TOKEN,
        "Slack doesn't accept the token. It may be mistyped, or the workspace only allows listed IP addresses "
        "and this server's isn't among them.",
    ),
    "not_authed": (
        FaultKind.SERVICE_ERROR,
        Remedy.WAIT,
        "The call reached Slack without its token. Is there a proxy in between that removes it?",
    ),
    "not_allowed_token_type": (*_NEW_TOKEN, "Slack doesn't take this kind of token here. Use a bot token."),
    "token_revoked": (*_WITHDRAWN, "The token was revoked at Slack, or the app was removed from the workspace."),
    "account_inactive": (*_WITHDRAWN, "The token's account was deactivated, or its workspace deleted."),
    "org_login_required": (*_ADMIN, "The workspace is moving to an Enterprise organization. Its administrator knows."),
    "ekm_access_denied": (*_ADMIN, "The workspace's administrators have suspended access with their encryption keys."),
    "accesslimited": (*_ADMIN, "Slack has limited access to this workspace. Its administrator can find out why."),
    "access_denied": (*_ADMIN, "Slack denies access to this. An administrator of the workspace can grant it."),
    "team_access_not_granted": (*_ADMIN, "The app has no access to this workspace. An administrator can grant it."),
    "two_factor_setup_required": (
        *_ADMIN,
        "The workspace demands two-factor sign-in, which the account hasn't set up.",
    ),
    "enterprise_is_restricted": (
        *_ADMIN,
        "Slack's Enterprise rules forbid this call. An administrator can change them.",
    ),
}
