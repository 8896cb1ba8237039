"""What GitHub's token endpoint answers, a grant or why there is none; and the other ways for an authorization to fail.

Called by authorization.py, calls nobody.
"""

import re
from datetime import datetime, timedelta
from typing import Final

from domain.credential_secrets import OAuthSecret
from domain.entities.health import Json, Remedy
from domain.http import HttpAnswer, NotJson
from domain.secret import Secret
from domain.services.authorization import Grant
from domain.services.boundary import malformed_token
from domain.services.github.answers import classify
from domain.services.github.api import SERVICE_ID, SERVICE_NAME
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault

APP_USER_TOKEN_PREFIX: Final = "ghu_"  # noqa: S105 - what the tokens that an app has of a user begin with


def read_grant(answer: HttpAnswer, now: datetime) -> Grant | ServiceFault:
    """Errors are in the body whatever the status."""
    body = answer.json()
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        return _refusal(answer, str(body["error"]))
    fault = classify(answer, now)
    if fault is not None:
        return fault
    access_token = token_in(body, "access_token")
    if not isinstance(body, dict) or access_token is None:
        return unexpected_answer(SERVICE_ID, answer, "GitHub's answer holds neither a token nor a reason.")
    return Grant(
        OAuthSecret(access_token, token_in(body, "refresh_token")),
        _granted_scopes(body.get("scope"), access_token),
        _moment(body.get("expires_in"), now),
        _moment(body.get("refresh_token_expires_in"), now),
    )


def _refusal(answer: HttpAnswer, error: str) -> ServiceFault:
    match error:
        case "bad_verification_code":
            return code_refused()
        case "bad_refresh_token":
            return refresh_refused()
        case "unverified_user_email":
            text = "GitHub wants the person's primary e-mail address to be verified first. Then begin again."
            return ServiceFault(
                FaultKind.CREDENTIAL_REFUSED,
                "github_unverified_email",
                text,
                Remedy.RECONNECT,
                latency_ms=answer.latency_ms,
            )
        case "incorrect_client_credentials" | "redirect_uri_mismatch" | "application_suspended":
            return client_refused(answer, error)
        case "unsupported_grant_type" | "unauthorized_client" | "invalid_client":
            return client_refused(answer, error)
        case _:
            return unexpected_answer(SERVICE_ID, answer, "GitHub gives no token, for a reason it doesn't document.")


def client_refused(answer: HttpAnswer, error: str) -> ServiceFault:
    return ServiceFault(
        FaultKind.CLIENT_REFUSED,
        "github_client_refused",
        "GitHub refuses this server's own client. Its operator has to look at the client's id, secret and callback "
        "address; nothing is wrong with the connection.",
        Remedy.CONTACT_ADMIN,
        evidence={"error": error},
        latency_ms=answer.latency_ms,
    )


def code_refused() -> ServiceFault:
    text = "GitHub no longer knows what the browser brought back: it is good once, and for ten minutes. Begin again."
    return ServiceFault(FaultKind.CREDENTIAL_REFUSED, "github_code_refused", text, Remedy.RECONNECT)


def refresh_refused() -> ServiceFault:
    text = "GitHub doesn't renew the access: it was revoked, has ended, or was renewed elsewhere. Connect again."
    return ServiceFault(FaultKind.CREDENTIAL_REFUSED, "github_refresh_refused", text, Remedy.RECONNECT)


def approval_needed() -> ServiceFault:
    return ServiceFault(
        FaultKind.ADMIN_REQUIRED,
        "github_approval_needed",
        "The app isn't installed yet: an owner of the organization at GitHub has been asked to approve it. Connect "
        "again once that is done.",
        Remedy.CONTACT_ADMIN,
    )


def no_user_code() -> ServiceFault:
    return ServiceFault(
        FaultKind.CLIENT_REFUSED,
        "github_app_asks_no_authorization",
        "The server's GitHub App doesn't ask for the person's authorization during its installation. Its operator has "
        "to switch that on in the settings of the app at GitHub.",
        Remedy.CONTACT_ADMIN,
    )


def _granted_scopes(scope: Json, access_token: Secret) -> tuple[str, ...] | None:
    """With commas between. Tokens of an app have its permissions instead, which aren't told."""
    if not isinstance(scope, str) or access_token.reveal().startswith(APP_USER_TOKEN_PREFIX):
        return None
    return tuple(dict.fromkeys(name for name in re.split(r"[,\s]+", scope) if _SCOPE.fullmatch(name)))


def token_in(body: Json | NotJson, name: str) -> Secret | None:
    text = body.get(name) if isinstance(body, dict) else None
    if not isinstance(text, str) or not text.isascii():
        return None
    token = Secret(text)
    return token if malformed_token(SERVICE_NAME, token) is None else None


def _moment(seconds: Json, now: datetime) -> datetime | None:
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds <= _LONGEST_LIFE_SECONDS:
        return None
    return now + timedelta(seconds=seconds)


_SCOPE: Final = re.compile(r"[a-z_]+(:[a-z_]+)?")
_LONGEST_LIFE_SECONDS: Final = 10 * 365 * 24 * 60 * 60
