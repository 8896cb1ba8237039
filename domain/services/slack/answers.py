"""What Slack's answers mean: an identity, or the fault they tell of. Called by this folder's callers, calls nobody.

Slack refuses with HTTP 200 and `ok: false`; only its rate limit (429) and its own errors (5xx) speak by status.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.entities.health import ExternalAccount, Identity, Json, Remedy
from domain.http import HttpAnswer
from domain.services.base import Identified, IdentityAnswer
from domain.services.boundary import clean_text, clean_url
from domain.services.refusals import rate_limited, server_error, unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault

SERVICE_ID: Final = "slack"
SERVICE_NAME: Final = "Slack"
LONGEST_LIFE_SECONDS: Final = 10 * 365 * 24 * 60 * 60


def read_identity(answer: HttpAnswer, web_url: str, now: datetime, *, is_grant: bool) -> IdentityAnswer:
    """The answer to `auth.test`. `is_grant`: the token is our own app's, so that its events may be told."""
    fault = classify(answer, now)
    if fault is not None:
        return fault
    body = answer.json()
    account = _account(body, web_url) if isinstance(body, dict) else None
    if account is None or not isinstance(body, dict):
        return unexpected_answer(
            SERVICE_ID, answer, "Slack's answer isn't the identity that its documentation describes."
        )
    header = answer.headers.get("x-oauth-scopes")
    scopes = None if header is None else scopes_of(header)
    key = webhook_key(account.id, whole_organization=_is_whole_organization(body)) if is_grant else None
    identity = Identity(account, scopes, expires_at(body, now), key)
    return Identified(identity, None, answer.latency_ms)


def webhook_key(account_id: str, *, whole_organization: bool) -> str:
    """What events call the workspace, or the organization where the app is installed for all of it."""
    return f"{'enterprise' if whole_organization else 'team'}:{account_id}"


def classify(answer: HttpAnswer, now: datetime) -> ServiceFault | None:
    """What keeps this answer from being used; None for a 200 that says `ok`."""
    if answer.status == 429:
        return rate_limited(SERVICE_ID, SERVICE_NAME, answer, now)
    if answer.status >= 500:
        return server_error(SERVICE_ID, SERVICE_NAME, answer)
    body = answer.json()
    if not isinstance(body, dict) or (body.get("ok") is not False and answer.status != 200):
        return unexpected_answer(
            SERVICE_ID, answer, f"Slack's answer (HTTP {answer.status}) isn't what its documentation describes."
        )
    if body.get("ok") is True:
        return None
    error = body.get("error")
    if not isinstance(error, str) or body.get("ok") is not False:
        return unexpected_answer(SERVICE_ID, answer, "Slack's answer neither says that it worked nor why it didn't.")
    return _refused(answer, error, body, now)


def error_name(answer: HttpAnswer) -> str | None:
    """The error that a refusal names, whether or not it also says `ok: false`; None where it isn't Slack refusing."""
    if answer.status == 429 or answer.status >= 500:
        return None
    body = answer.json()
    error = body.get("error") if isinstance(body, dict) and body.get("ok") is not True else None
    return error if isinstance(error, str) else None


def scopes_of(text: str) -> tuple[str, ...]:
    """Scopes as Slack lists them, with commas."""
    return tuple(dict.fromkeys(name for part in text.split(",") if (name := clean_text(part)) is not None))


def expires_at(body: Mapping[str, Json], now: datetime) -> datetime | None:
    """Tokens that rotate say how many seconds they have left; the others say nothing."""
    seconds = body.get("expires_in")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds <= LONGEST_LIFE_SECONDS:
        return None
    return (now + timedelta(seconds=seconds)).astimezone(UTC)


def _refused(answer: HttpAnswer, error: str, body: dict[str, Json], now: datetime) -> ServiceFault:
    if error in {"ratelimited", "rate_limited"}:
        return rate_limited(SERVICE_ID, SERVICE_NAME, answer, now)
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


def _fault(
    answer: HttpAnswer,
    kind: FaultKind,
    code: str,
    message: str,
    remedy: Remedy,
    evidence: dict[str, Json] | None = None,
) -> ServiceFault:
    return ServiceFault(kind, code, message, remedy, evidence=evidence, latency_ms=answer.latency_ms)


def _is_whole_organization(body: Mapping[str, Json]) -> bool:
    return body.get("is_enterprise_install") is True


def _account(body: Mapping[str, Json], web_url: str) -> ExternalAccount | None:
    """The workspace, or the organization where the app is installed for all of it: what the connection reaches."""
    whole_organization = _is_whole_organization(body)
    identifier = clean_text(body.get("enterprise_id" if whole_organization else "team_id"))
    if identifier is None:
        return None
    name = clean_text(body.get("enterprise_name") if whole_organization else body.get("team"))
    return ExternalAccount(identifier, name or identifier, clean_url(body.get("url")) or clean_url(web_url))


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
