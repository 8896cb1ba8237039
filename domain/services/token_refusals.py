"""What a token endpoint's refusals mean: whether the grant, our client or the service is to blame. Calls nobody.

Used by TokenEndpoint. Whatever an answer says, nothing of it is quoted but a known error code: it may hold a secret.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.entities.health import Json, Remedy
from domain.http import HttpAnswer
from domain.services.boundary import clean_text
from domain.services.refusals import rate_limited, server_error, unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault


@dataclass(frozen=True, slots=True)
class TokenRefusals:
    """One service's, by its id and its name."""

    service_id: str
    service_name: str

    def read(self, answer: HttpAnswer, now: datetime) -> ServiceFault:
        """Why this answer, which isn't a grant, isn't one."""
        if answer.status == 429:
            return rate_limited(self.service_id, self.service_name, answer, now)
        if answer.status >= 500:
            return server_error(self.service_id, self.service_name, answer)
        error = error_code(answer)
        if error is None:
            return self.unexpected(answer)
        if error in _CLIENT:
            return self._fault(answer, FaultKind.CLIENT_REFUSED, error, _CLIENT[error], Remedy.CONTACT_ADMIN)
        if error == "invalid_grant":
            text = f"{self.service_name} doesn't take the grant any more. Connect again."
            return self._fault(answer, FaultKind.CREDENTIAL_REFUSED, error, text, Remedy.RECONNECT)
        if error in _PASSING:
            text = f"{self.service_name} can't answer right now."
            return self._fault(answer, FaultKind.SERVICE_ERROR, error, text, Remedy.WAIT)
        return self.unexpected(answer)

    def unexpected(self, answer: HttpAnswer) -> ServiceFault:
        """For an answer that RFC 6749 doesn't know."""
        message = f"The token endpoint of {self.service_name} answers (HTTP {answer.status}) in no way that it may."
        return unexpected_answer(self.service_id, answer, message)

    def code_missing(self) -> ServiceFault:
        """For a browser that came back without one."""
        text = f"{self.service_name} sent the browser back without a code. Connect again."
        return ServiceFault(FaultKind.CREDENTIAL_REFUSED, f"{self.service_id}_code_missing", text, Remedy.RECONNECT)

    def refresh_token_missing(self) -> ServiceFault:
        """For a grant that was given without one."""
        text = f"{self.service_name} gave no refresh token, so this credential can't be refreshed. Connect again."
        code = f"{self.service_id}_refresh_token_missing"
        return ServiceFault(FaultKind.CREDENTIAL_REFUSED, code, text, Remedy.RECONNECT)

    def _fault(self, answer: HttpAnswer, kind: FaultKind, error: str, text: str, remedy: Remedy) -> ServiceFault:
        evidence: dict[str, Json] = {"status": answer.status, "error": error}
        fault = ServiceFault(kind, f"{self.service_id}_{error}", text, remedy, evidence=evidence)
        return replace(fault, latency_ms=answer.latency_ms)


def error_code(answer: HttpAnswer) -> str | None:
    """The `error` of RFC 6749, section 5.2, and 7009; None where the answer names none."""
    body = answer.json()
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(error, str):
        return None
    # The standard has no code for a redirect address that isn't registered.
    said = (clean_text(body.get("error_description")) or "").lower()
    return "redirect_uri_mismatch" if error == "invalid_request" and "redirect" in said else error


_REDIRECT: Final = (
    "The redirect address isn't one that is registered for the client. The operator has to register this server's."
)
_CLIENT: Final = {
    "invalid_client": "The service doesn't accept the client's id or secret, which the operator has set.",
    "unauthorized_client": "The service doesn't let this client do that. The operator has to change its registration.",
    "unsupported_grant_type": "The service doesn't give this client such grants. The operator has to change that.",
    "invalid_scope": "The service doesn't let this client ask for these scopes. The operator has to register them.",
    "redirect_uri_mismatch": _REDIRECT,
    "invalid_redirect_uri": _REDIRECT,
}
_PASSING: Final = {"temporarily_unavailable", "server_error", "slow_down"}
