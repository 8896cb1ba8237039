"""What GitHub answers to an app that calls as itself: an installation, a token for one, or the fault they tell of.

Called by service.py and installation_tokens.py, calls nobody.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from domain.entities.health import Identity, Json, Remedy
from domain.http import HttpAnswer
from domain.secret import Secret
from domain.services.base import Identified, IdentityAnswer
from domain.services.boundary import clean_text, malformed_token
from domain.services.github.answers import BAD_CREDENTIALS, account_in, classify, words_of
from domain.services.github.api import SERVICE_ID, SERVICE_NAME
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault

PERMISSION_LEVELS: Final = ("read", "write", "admin")

_KEY_REFUSED: Final = {BAD_CREDENTIALS, "a json web token could not be decoded"}
"""GitHub's words; in others a 401 may be a proxy's."""


@dataclass(frozen=True, slots=True)
class InstallationToken:
    token: Secret
    issued_at: datetime
    expires_at: datetime


def installation_key(installation_id: int | str) -> str:
    """What webhooks call it: the `Identity.webhook_key`."""
    return f"installation:{installation_id}"


def read_installation(
    answer: HttpAnswer, web_url: str, now: datetime, *, installation_id: str, operators: bool
) -> IdentityAnswer:
    """The answer to `GET /app/installations/{id}`. The scopes are the permissions, as `contents:read`."""
    fault = _classify(answer, now, operators=operators)
    if fault is not None:
        return fault
    body = answer.json()
    number = int(installation_id)
    if not isinstance(body, dict) or body.get("id") != number:
        return _not_documented(answer)
    if body.get("suspended_at") is not None:
        return suspended(answer)
    owner = body.get("account")
    account = account_in(owner, web_url) if isinstance(owner, dict) else None
    if account is None:
        return _not_documented(answer)
    identity = Identity(account, _permissions(body.get("permissions")), webhook_key=installation_key(number))
    return Identified(identity, None, answer.latency_ms)  # their quota is the app's, not its own


def read_token(answer: HttpAnswer, now: datetime, *, operators: bool) -> InstallationToken | ServiceFault:
    """The answer to `POST /app/installations/{id}/access_tokens`."""
    if answer.status != 201:
        return _classify(answer, now, operators=operators) or _not_documented(answer)
    body = answer.json()
    text, ends = (body.get("token"), _moment(body.get("expires_at"))) if isinstance(body, dict) else (None, None)
    if not isinstance(text, str) or not text.isascii() or ends is None:
        return _not_documented(answer)
    token = Secret(text)
    if malformed_token(SERVICE_NAME, token) is not None:
        return _not_documented(answer)
    return InstallationToken(token, now, ends)


def suspended(answer: HttpAnswer) -> ServiceFault:
    return ServiceFault(
        FaultKind.ADMIN_REQUIRED,
        "github_suspended",
        "The installation is suspended at GitHub. An administrator there can lift that.",
        Remedy.CONTACT_ADMIN,
        latency_ms=answer.latency_ms,
    )


def _classify(answer: HttpAnswer, now: datetime, *, operators: bool) -> ServiceFault | None:
    """As `classify`, for calls that an app's key has signed: the key is what a 401 is about, and a 404 the grant."""
    words = words_of(answer)
    if answer.status == 404 and words == "not found":
        return ServiceFault(
            FaultKind.CREDENTIAL_REVOKED,
            "github_app_uninstalled",
            "GitHub knows no such installation of the app: it was uninstalled, or its id is wrong.",
            Remedy.RECONNECT,
            latency_ms=answer.latency_ms,
        )
    if answer.status == 401 and ("('exp')" in words or "('iat')" in words):
        return _refused(
            answer,
            FaultKind.CLIENT_REFUSED,
            "github_clock_wrong",
            "GitHub's clock and this server's are too far apart. Its operator has to set the time.",
        )
    if (answer.status, "integration" in words) == (404, True) or (answer.status == 401 and words):
        if operators:
            text = "GitHub refuses the private key of this server's GitHub App. Its operator has to set it anew."
            return _refused(answer, FaultKind.CLIENT_REFUSED, "github_app_key_refused", text)
        text = "GitHub refuses the private key: it was deleted there, or belongs to another app than the id says."
        refused = _refused(answer, FaultKind.CREDENTIAL_REFUSED, "github_app_key_refused", text)
        return replace(refused, conclusive=answer.status == 404 or words in _KEY_REFUSED)
    return classify(answer, now)


def _refused(answer: HttpAnswer, kind: FaultKind, code: str, text: str) -> ServiceFault:
    remedy = Remedy.CONTACT_ADMIN if kind is FaultKind.CLIENT_REFUSED else Remedy.RECONNECT
    return ServiceFault(kind, code, text, remedy, latency_ms=answer.latency_ms)


def _not_documented(answer: HttpAnswer) -> ServiceFault:
    return unexpected_answer(SERVICE_ID, answer, "GitHub's answer isn't what its documentation says of installations.")


def _permissions(permissions: Json) -> tuple[str, ...] | None:
    if not isinstance(permissions, dict):
        return None
    named = ((clean_text(name), level) for name, level in permissions.items())
    return tuple(sorted(f"{name}:{level}" for name, level in named if name is not None and level in PERMISSION_LEVELS))


def _moment(text: Json) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)
