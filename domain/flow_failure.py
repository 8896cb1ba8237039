"""FlowFailure: how an authorization flow ends without a credential: a stable code and words, for `returnTo` or a page.

Made by AuthorizationJourney and AuthorizationFlows, shown by `gql/http/authorization.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.errors import AccountMismatch, DomainError, Forbidden, InvalidInput, NameTaken, NotFound, ServiceFailure
from domain.services.base import Service
from domain.services.service_fault import FaultKind, ServiceFault


class FailureCode(StrEnum):
    """What `returnTo` gets as `error`."""

    UNKNOWN = "unknown"
    REPLAYED = "replayed"
    EXPIRED = "expired"
    WRONG_BROWSER = "wrong_browser"
    WRONG_ISSUER = "wrong_issuer"
    DENIED = "denied"
    SERVICE_UNREACHABLE = "service_unreachable"
    SERVICE_RATE_LIMITED = "service_rate_limited"
    SERVICE_REFUSED = "service_refused"
    OPERATOR_MISCONFIGURED = "operator_misconfigured"
    ACCOUNT_MISMATCH = "account_mismatch"
    NAME_TAKEN = "name_taken"
    NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True, slots=True)
class FlowFailure:
    """One end. `message` is for the person at the browser; nothing of it was written by whoever sent the browser."""

    code: FailureCode
    message: str


UNKNOWN: Final = FlowFailure(
    FailureCode.UNKNOWN, "This link belongs to nothing that was begun here, or to what has ended. Begin again."
)
REPLAYED: Final = FlowFailure(FailureCode.REPLAYED, "This link was used before, and works only once. Begin again.")
EXPIRED: Final = FlowFailure(FailureCode.EXPIRED, "This took too long: the link is no longer good. Begin again.")
WRONG_BROWSER: Final = FlowFailure(
    FailureCode.WRONG_BROWSER,
    "This was begun in another browser, or the browser keeps no cookies of this site. Go on where it was begun.",
)


def wrong_issuer(service_name: str) -> FlowFailure:
    return FlowFailure(
        FailureCode.WRONG_ISSUER, f"{service_name} was asked, but the answer is from somebody else. Begin again."
    )


def not_registered(service_id: str) -> FlowFailure:
    return FlowFailure(
        FailureCode.OPERATOR_MISCONFIGURED,
        f"This server no longer has a client that is registered at {service_id}. Tell its operator.",
    )


def refused(service: Service, error: str) -> FlowFailure:
    """For what a service says in the callback's `error` (RFC 6749, section 4.1.2.1, and what GitHub and Slack add)."""
    code = _CODE_OF_ERROR.get(error, FailureCode.SERVICE_REFUSED)
    return FlowFailure(code, _WORDS[code].format(service=service.name))


def fault_at_exchange(fault: ServiceFault) -> FlowFailure:
    """For an exchange that brought no credential."""
    return FlowFailure(_CODE_OF_FAULT[fault.kind], fault.message)


def fault_at_completion(error: DomainError) -> FlowFailure:
    """For a completion that brought no connection. Raises what is nobody's at the browser."""
    match error:
        case ServiceFailure():
            return FlowFailure(_CODE_OF_FAILURE[error.failure_code], error.message)
        case AccountMismatch():
            return _ACCOUNT_MISMATCH
        case NameTaken():
            return _NAME_TAKEN
        case InvalidInput():
            return EXPIRED  # it was taken, or forgotten, in the moment since it came
        case NotFound() | Forbidden():
            return _NOT_ALLOWED
    raise error


_ACCOUNT_MISMATCH: Final = FlowFailure(
    FailureCode.ACCOUNT_MISMATCH,
    "Another account has agreed than the one that the connection is of. Begin again, signed in as that one.",
)
_NAME_TAKEN: Final = FlowFailure(
    FailureCode.NAME_TAKEN, "Other connections have this name and all that are like it. Begin again with another one."
)
_NOT_ALLOWED: Final = FlowFailure(
    FailureCode.NOT_ALLOWED, "The connection is deleted meanwhile, or your role no longer reaches to make one."
)
_CODE_OF_FAILURE: Final = {
    "SERVICE_UNREACHABLE": FailureCode.SERVICE_UNREACHABLE,
    "SERVICE_RATE_LIMITED": FailureCode.SERVICE_RATE_LIMITED,
    "SERVICE_REFUSED": FailureCode.SERVICE_REFUSED,
    "CREDENTIAL_REFUSED": FailureCode.SERVICE_REFUSED,
}
_CODE_OF_ERROR: Final = {
    "access_denied": FailureCode.DENIED,
    "server_error": FailureCode.SERVICE_UNREACHABLE,
    "temporarily_unavailable": FailureCode.SERVICE_UNREACHABLE,
    "application_suspended": FailureCode.OPERATOR_MISCONFIGURED,
    "bad_client_secret": FailureCode.OPERATOR_MISCONFIGURED,
    "bad_redirect_uri": FailureCode.OPERATOR_MISCONFIGURED,
    "incorrect_client_credentials": FailureCode.OPERATOR_MISCONFIGURED,
    "invalid_client": FailureCode.OPERATOR_MISCONFIGURED,
    "invalid_client_id": FailureCode.OPERATOR_MISCONFIGURED,
    "invalid_request": FailureCode.OPERATOR_MISCONFIGURED,
    "redirect_uri_mismatch": FailureCode.OPERATOR_MISCONFIGURED,
    "unauthorized_client": FailureCode.OPERATOR_MISCONFIGURED,
    "unsupported_response_type": FailureCode.OPERATOR_MISCONFIGURED,
}
_WORDS: Final = {
    FailureCode.DENIED: "Access was denied at {service}, so nothing was connected. Begin again to allow it.",
    FailureCode.SERVICE_UNREACHABLE: "{service} has a problem of its own just now. Begin again in a few minutes.",
    FailureCode.SERVICE_REFUSED: "{service} refused, and gives no reason that a person could act on. Begin again.",
    FailureCode.OPERATOR_MISCONFIGURED: (
        "{service} doesn't accept how this server is registered there. Tell the operator of this server."
    ),
}
_CODE_OF_FAULT: Final = {
    FaultKind.UNREACHABLE: FailureCode.SERVICE_UNREACHABLE,
    FaultKind.SERVICE_ERROR: FailureCode.SERVICE_UNREACHABLE,
    FaultKind.NOT_ALLOWED: FailureCode.OPERATOR_MISCONFIGURED,
    FaultKind.RATE_LIMITED: FailureCode.SERVICE_RATE_LIMITED,
    FaultKind.CREDENTIAL_REFUSED: FailureCode.SERVICE_REFUSED,
    FaultKind.CREDENTIAL_REVOKED: FailureCode.SERVICE_REFUSED,
    FaultKind.SCOPE_MISSING: FailureCode.SERVICE_REFUSED,
    FaultKind.ADMIN_REQUIRED: FailureCode.SERVICE_REFUSED,
    FaultKind.REQUEST_REFUSED: FailureCode.SERVICE_REFUSED,
    FaultKind.CLIENT_REFUSED: FailureCode.OPERATOR_MISCONFIGURED,
}
