"""What GitLab's answers mean: a user, a token's scopes and end, or the fault they tell of. Calls nobody.

GitLab's API refuses in two forms: `{"message": "401 Unauthorized"}`, and RFC 6750's `{"error": "invalid_token", …}`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.credential_secrets import CredentialSecret, OAuthSecret
from domain.entities.health import ExternalAccount, Json, Remedy, ServiceRateLimit
from domain.http import HttpAnswer
from domain.services.boundary import clean_text, clean_url
from domain.services.refusals import rate_limited, server_error, unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault

ID: Final = "gitlab"
NAME: Final = "GitLab"
LONGEST_LIFE_SECONDS: Final = 10 * 365 * 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What GitLab says of a token itself. None: it doesn't tell."""

    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None


def read_account(answer: HttpAnswer, web_url: str, now: datetime) -> ExternalAccount | ServiceFault:
    """The answer to `GET /user`."""
    fault = classify(answer, now)
    if fault is not None:
        return fault
    user = answer.json()
    number = positive_id(user.get("id")) if isinstance(user, dict) else None
    username = clean_text(user.get("username")) if isinstance(user, dict) else None
    if not isinstance(user, dict) or number is None or username is None:
        return unexpected_answer(ID, answer, "GitLab's answer isn't the user that its documentation describes.")
    url = clean_url(user.get("web_url")) or clean_url(f"{web_url}/{username}")
    return ExternalAccount(number, username, url, clean_url(user.get("avatar_url")))


def read_token_facts(answer: HttpAnswer, now: datetime) -> TokenFacts | ServiceFault:
    """The answer to `GET /personal_access_tokens/self`, or to `GET /oauth/token/info`.

    A GitLab that has neither, or doesn't let this kind of token ask, tells nothing of it.
    """
    if answer.status in {403, 404}:
        return TokenFacts()
    fault = classify(answer, now)
    if fault is not None:
        return fault
    facts = answer.json()
    if not isinstance(facts, dict):
        return unexpected_answer(ID, answer, "GitLab's answer isn't what its documentation says of a token.")
    scopes = facts.get("scopes", facts.get("scope"))
    return TokenFacts(_names(scopes), _day(facts.get("expires_at")) or _end(facts, now))


def classify(answer: HttpAnswer, now: datetime) -> ServiceFault | None:
    """What keeps this answer from being used; None for a 200."""
    if answer.status == 200:
        return None
    if answer.status == 429:
        return rate_limited(ID, NAME, answer, now, rate_limit(answer.headers))
    if answer.status >= 500:
        return server_error(ID, NAME, answer)
    body = answer.json()
    error, said = _words(body) if isinstance(body, dict) else ("", "")
    if answer.status == 401:
        return _unauthorized(answer, error, said)
    if answer.status == 403 and (error or said):
        return _forbidden(answer, error, said, body if isinstance(body, dict) else {})
    return unexpected_answer(ID, answer, f"GitLab answers with HTTP {answer.status}. Is its address the right one?")


def of_credential(fault: ServiceFault, secret: CredentialSecret) -> ServiceFault:
    """The fault as it is for this credential.

    A refresh revokes the access token that it replaces, so only the next refresh can tell whether the grant is gone.
    """
    renewable = isinstance(secret, OAuthSecret) and secret.refresh_token is not None
    if renewable and fault.kind is FaultKind.CREDENTIAL_REVOKED:
        return replace(fault, kind=FaultKind.CREDENTIAL_REFUSED)
    return fault


def rate_limit(headers: Mapping[str, str]) -> ServiceRateLimit | None:
    """The quota in an answer's headers; None where they tell none."""
    limit, remaining = _number(headers, "ratelimit-limit"), _number(headers, "ratelimit-remaining")
    reset = _number(headers, "ratelimit-reset", digits=10)
    if limit is None and remaining is None and reset is None:
        return None
    return ServiceRateLimit(limit, remaining, None if reset is None else datetime.fromtimestamp(reset, UTC))


def positive_id(value: Json) -> str | None:
    """GitLab's ids are whole numbers from one."""
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63
    return str(value) if good else None


def _words(body: Mapping[str, Json]) -> tuple[str, str]:
    """The error's code, and what is said of it in lower case; empty where there is none."""
    error = clean_text(body.get("error")) or ""
    said = clean_text(body.get("error_description")) or clean_text(body.get("message")) or ""
    return error, said.lower()


def _unauthorized(answer: HttpAnswer, error: str, said: str) -> ServiceFault:
    if error == "invalid_token" and "impersonation" in said:
        text = "The token impersonates a user, which this GitLab doesn't allow any more. Its administrator knows."
        return _fault(answer, FaultKind.ADMIN_REQUIRED, "impersonation_disabled", text, Remedy.CONTACT_ADMIN)
    if error == "invalid_token" and "revoked" in said:
        text = "The token was revoked at GitLab. Connect again."
        return _fault(answer, FaultKind.CREDENTIAL_REVOKED, "token_revoked", text, Remedy.RECONNECT)
    if error == "invalid_token":
        expired = "expired" in said
        text = f"The token {'has expired' if expired else 'is unknown to GitLab'}. Connect again."
        code = "token_expired" if expired else "token_unknown"
        return _fault(answer, FaultKind.CREDENTIAL_REFUSED, code, text, Remedy.RECONNECT)
    if said == "401 unauthorized":
        text = (
            "GitLab doesn't know the token: it may be mistyped or deleted. It says the same of a call that lost its "
            "token on the way, at a proxy for one."
        )
        fault = _fault(answer, FaultKind.CREDENTIAL_REFUSED, "unauthorized", text, Remedy.RECONNECT)
        return replace(fault, conclusive=False)
    return unexpected_answer(ID, answer, "The call didn't reach GitLab with its token. Is there a proxy in between?")


def _forbidden(answer: HttpAnswer, error: str, said: str, body: Mapping[str, Json]) -> ServiceFault:
    if error == "insufficient_scope":
        text = "The token may not do this. Give it one of the scopes in the evidence."
        fault = _fault(answer, FaultKind.SCOPE_MISSING, "scope_missing", text, Remedy.GRANT_SCOPES)
        return replace(fault, evidence={"scopes": list[Json](_names(body.get("scope")) or ())})
    for sign, code, text in _FORBIDDEN:
        if sign in said:
            return _fault(answer, FaultKind.ADMIN_REQUIRED, code, text, Remedy.CONTACT_ADMIN)
    text = "GitLab forbids the call without saying why. An administrator of GitLab may see the reason."
    return _fault(answer, FaultKind.ADMIN_REQUIRED, "forbidden", text, Remedy.CONTACT_ADMIN)


def _fault(answer: HttpAnswer, kind: FaultKind, code: str, text: str, remedy: Remedy) -> ServiceFault:
    quota = rate_limit(answer.headers)
    return ServiceFault(kind, f"{ID}_{code}", text, remedy, rate_limit=quota, latency_ms=answer.latency_ms)


def _names(value: Json) -> tuple[str, ...] | None:
    """Scopes, as a list or with spaces between."""
    parts = value.split() if isinstance(value, str) else value
    if not isinstance(parts, list):
        return None
    return tuple(dict.fromkeys(name for part in parts if (name := clean_text(part)) is not None))


def _day(value: Json) -> datetime | None:
    """A personal access token ends at midnight UTC, as the day begins that GitLab calls its `expires_at`."""
    try:
        return datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC) if isinstance(value, str) else None
    except ValueError:
        return None


def _end(facts: Mapping[str, Json], now: datetime) -> datetime | None:
    seconds = facts.get("expires_in", facts.get("expires_in_seconds"))
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds <= LONGEST_LIFE_SECONDS:
        return None
    return (now + timedelta(seconds=seconds)).astimezone(UTC)


def _number(headers: Mapping[str, str], name: str, *, digits: int = 9) -> int | None:
    text = headers.get(name, "").strip()
    return int(text) if re.fullmatch(rf"[0-9]{{1,{digits}}}", text) else None


_FORBIDDEN: Final = (
    ("blocked", "account_blocked", "The account is blocked at GitLab. An administrator there can lift that."),
    ("deactivated", "account_deactivated", "The account is deactivated at GitLab. Signing in there activates it."),
    ("terms of service", "terms_not_accepted", "The account has to accept GitLab's terms of service, in the browser."),
    ("two-factor", "two_factor_required", "GitLab demands two-factor sign-in, which the account hasn't set up."),
    ("ip address", "ip_not_allowed", "GitLab only allows listed addresses, and this server's isn't among them."),
)
