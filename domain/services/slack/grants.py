"""What `oauth.v2.access` answers: the bot's tokens, or whose fault it is that there are none.

Called by authorization.py, calls nobody. A refusal of our own client never speaks against anybody's connection.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.credential_secrets import OAuthSecret
from domain.entities.health import Json, Remedy
from domain.http import HttpAnswer
from domain.secret import Secret
from domain.services.authorization import Grant
from domain.services.boundary import clean_text
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack.answers import SERVICE_ID, classify, error_name, expires_at, scopes_of, webhook_key


def read_exchanged(answer: HttpAnswer, now: datetime) -> Grant | ServiceFault:
    """The answer to a code."""
    return _grant(answer, None, {"invalid_code": _CODE, "invalid_grant": _CODE, **_CLIENT}, now)


def read_refreshed(answer: HttpAnswer, used: Secret, now: datetime) -> Grant | ServiceFault:
    """The answer to the refresh token `used`, which stays where Slack sends no other."""
    return _grant(answer, used, {**dict.fromkeys(_DEAD_REFRESH_TOKEN, _REFRESH), **_CLIENT}, now)


def _grant(
    answer: HttpAnswer, used: Secret | None, refusals: Mapping[str, ServiceFault], now: datetime
) -> Grant | ServiceFault:
    name = error_name(answer)
    if name is not None and name in refusals:
        return _told(refusals[name], name, answer)
    fault = classify(answer, now)
    if fault is not None:
        return fault
    body = answer.json()
    body = body if isinstance(body, dict) else {}
    access_token = _token(body, "access_token")
    if access_token is None:
        return unexpected_answer(SERVICE_ID, answer, "Slack's answer holds no token of a bot.")
    secret = OAuthSecret(access_token, _token(body, "refresh_token") or used)
    scope = body.get("scope")
    scopes = scopes_of(scope) if isinstance(scope, str) else None
    return Grant(secret, scopes, expires_at(body, now), webhook_key=_webhook_key(body))


def _webhook_key(body: Mapping[str, Json]) -> str | None:
    whole_organization = body.get("is_enterprise_install") is True
    installed = body.get("enterprise" if whole_organization else "team")
    account_id = clean_text(installed.get("id")) if isinstance(installed, dict) else None
    return None if account_id is None else webhook_key(account_id, whole_organization=whole_organization)


def _told(fault: ServiceFault, name: str, answer: HttpAnswer) -> ServiceFault:
    return replace(fault, evidence={"error": name}, latency_ms=answer.latency_ms)


def _token(body: Mapping[str, Json], key: str) -> Secret | None:
    value = body.get(key)
    return Secret(value) if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def _client(code: str, message: str) -> ServiceFault:
    return ServiceFault(FaultKind.CLIENT_REFUSED, code, message, Remedy.CONTACT_ADMIN)


_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_CODE: Final = ServiceFault(
    FaultKind.CREDENTIAL_REFUSED,
    "slack_invalid_code",
    "Slack doesn't accept the code that the browser brought: it was used before, or is older than ten minutes. "
    "Begin again.",
    Remedy.RECONNECT,
)
_REFRESH: Final = ServiceFault(
    FaultKind.CREDENTIAL_REFUSED,
    "slack_refresh_refused",
    "Slack gives no new token for this one: it was used elsewhere or revoked, or the app was removed. Connect again.",
    Remedy.RECONNECT,
)
_DEAD_REFRESH_TOKEN: Final = ("invalid_refresh_token", "invalid_grant", "token_revoked", "token_expired")
_ID: Final = _client("slack_invalid_client_id", "Slack doesn't know the client id that the operator has set.")
_SECRET: Final = _client("slack_bad_client_secret", "Slack doesn't accept the client secret that the operator has set.")
_CLIENT: Final[Mapping[str, ServiceFault]] = {
    "invalid_client_id": _ID,
    "bad_client_secret": _SECRET,
    "invalid_client": _SECRET,
    "invalid_auth": _SECRET,
    "bad_redirect_uri": _client(
        "slack_bad_redirect_uri", "The app at Slack doesn't list Tether's callback among its redirect addresses."
    ),
}
