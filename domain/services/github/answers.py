"""What GitHub's answers mean: an identity, or the fault they tell of. Called by service.py, calls nobody."""

import re
from datetime import UTC, datetime
from typing import Final

from domain.entities.health import ExternalAccount, Identity, Json, Remedy
from domain.http import HttpAnswer
from domain.services.base import Identified, IdentityAnswer
from domain.services.boundary import clean_text, clean_url
from domain.services.github.api import SERVICE_ID, SERVICE_NAME
from domain.services.github.rate_limit import limited, rate_limit
from domain.services.refusals import server_error, unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault

BAD_CREDENTIALS: Final = "bad credentials"
"""How GitHub refuses a token, in lower case."""


def read_identity(answer: HttpAnswer, web_url: str, now: datetime) -> IdentityAnswer:
    """The answer to `GET /user`."""
    fault = classify(answer, now)
    if fault is not None:
        return fault
    user = answer.json()
    account = account_in(user, web_url) if isinstance(user, dict) else None
    if account is None:
        return unexpected_answer(
            SERVICE_ID, answer, "GitHub's answer isn't the account that its documentation describes."
        )
    identity = Identity(account, _scopes(answer), _expires_at(answer))
    return Identified(identity, rate_limit(answer.headers), answer.latency_ms)


def classify(answer: HttpAnswer, now: datetime) -> ServiceFault | None:
    """What keeps this answer from being used; None for a 200.

    Only a 401 ever speaks against the credential, and for certain only one in GitHub's own words: in others it may be a
    proxy's. One without words is no refusal, and neither is one to a call that reached GitHub without the token.
    """
    if answer.status == 200:
        return None
    words = words_of(answer)
    if answer.status == 401 and words not in {"", "requires authentication"}:
        # The quota in these headers is the anonymous one of our address: not this credential's, and left out.
        return ServiceFault(
            FaultKind.CREDENTIAL_REFUSED,
            "github_bad_credentials",
            "GitHub refuses the token: it has expired, was revoked, or was mistyped.",
            Remedy.RECONNECT,
            latency_ms=answer.latency_ms,
            conclusive=words == BAD_CREDENTIALS,
        )
    if answer.status in {403, 429}:
        return limited(answer, words, now) or _forbidden(answer, words)
    if answer.status >= 500:
        return server_error(SERVICE_ID, SERVICE_NAME, answer)
    if answer.status == 401:
        return unexpected_answer(
            SERVICE_ID, answer, "The call didn't reach GitHub with its token. Is there a proxy in between?"
        )
    return unexpected_answer(
        SERVICE_ID, answer, f"GitHub answers with HTTP {answer.status}. Is its API's address the right one?"
    )


def words_of(answer: HttpAnswer) -> str:
    """GitHub's own words, in lower case; empty where there are none."""
    body = answer.json()
    return (clean_text(body.get("message")) or "").lower() if isinstance(body, dict) else ""


def _forbidden(answer: HttpAnswer, message: str) -> ServiceFault:
    sso = _SSO_URL.fullmatch(answer.headers.get("x-github-sso", ""))
    if answer.headers.get("x-github-sso", "").startswith("required"):
        url = clean_url(sso.group(1)) if sso is not None else None
        return _refused(
            answer,
            FaultKind.ADMIN_REQUIRED,
            "github_sso_required",
            "An organization demands single sign-on: authorize the token for it at the address in the evidence.",
            Remedy.CONTACT_ADMIN,
            {"url": url},
        )
    if "suspended" in message:
        text = "The account or the installation is suspended at GitHub. An administrator there can lift that."
        return _refused(answer, FaultKind.ADMIN_REQUIRED, "github_suspended", text, Remedy.CONTACT_ADMIN)
    if "ip allow list" in message:
        text = "The organization at GitHub only allows listed addresses, and this server's isn't among them."
        return _refused(answer, FaultKind.ADMIN_REQUIRED, "github_ip_not_allowed", text, Remedy.CONTACT_ADMIN)
    accepted = _names(answer.headers.get("x-accepted-oauth-scopes", ""))
    permissions = clean_text(answer.headers.get("x-accepted-github-permissions"))
    if "not accessible by" in message or accepted or permissions:
        return _refused(
            answer,
            FaultKind.SCOPE_MISSING,
            "github_scope_missing",
            "The token may not do this. Give it one of the scopes or permissions in the evidence.",
            Remedy.GRANT_SCOPES,
            {"acceptedScopes": list[Json](accepted), "acceptedPermissions": permissions},
        )
    text = "GitHub forbids the call without saying why. An administrator at GitHub may see the reason."
    return _refused(answer, FaultKind.ADMIN_REQUIRED, "github_forbidden", text, Remedy.CONTACT_ADMIN)


def _refused(
    answer: HttpAnswer,
    kind: FaultKind,
    code: str,
    message: str,
    remedy: Remedy,
    evidence: dict[str, Json] | None = None,
) -> ServiceFault:
    limit = rate_limit(answer.headers)
    return ServiceFault(kind, code, message, remedy, evidence=evidence, rate_limit=limit, latency_ms=answer.latency_ms)


def account_in(user: dict[str, Json], web_url: str) -> ExternalAccount | None:
    number, login = user.get("id"), clean_text(user.get("login"))
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 1 << 63 or login is None:
        return None
    url = clean_url(user.get("html_url")) or clean_url(f"{web_url}/{login}")
    return ExternalAccount(str(number), login, url, clean_url(user.get("avatar_url")))


def _scopes(answer: HttpAnswer) -> tuple[str, ...] | None:
    """Classic tokens carry the header, empty where they have none; fine-grained ones don't."""
    header = answer.headers.get("x-oauth-scopes")
    return None if header is None else _names(header)


def _names(header: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in header.split(",") if (name := clean_text(part)) is not None))


def _expires_at(answer: HttpAnswer) -> datetime | None:
    """`2026-12-31 23:59:59 UTC`, or with an offset such as -0700."""
    text = answer.headers.get("github-authentication-token-expiration", "").strip().replace("UTC", "+0000")
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_SSO_URL: Final = re.compile(r"required;\s*url=(\S+)")
