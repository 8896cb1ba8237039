"""ServiceFault: a call to a service that brought no answer to use, and why. Made by the services, read by everybody."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.entities.health import Json, Remedy, ServiceRateLimit


class FaultKind(StrEnum):
    """Why a service gave no usable answer; each kind has its own consequence for health and status."""

    UNREACHABLE = "UNREACHABLE"  # no connection, no answer in time, broken transfer, TLS
    NOT_ALLOWED = "NOT_ALLOWED"  # our own address guard refused to dial
    SERVICE_ERROR = "SERVICE_ERROR"  # 5xx, or an answer that isn't what the service documents
    RATE_LIMITED = "RATE_LIMITED"
    CREDENTIAL_REFUSED = "CREDENTIAL_REFUSED"  # expired, mistyped or replaced
    CREDENTIAL_REVOKED = "CREDENTIAL_REVOKED"  # the service says that the grant was withdrawn
    SCOPE_MISSING = "SCOPE_MISSING"
    ADMIN_REQUIRED = "ADMIN_REQUIRED"  # single sign-on, suspension, a policy: an administrator's matter
    REQUEST_REFUSED = "REQUEST_REFUSED"  # this very request: not found, invalid, in conflict; the connection is well
    CLIENT_REFUSED = "CLIENT_REFUSED"  # our own client id, secret, key or address: the operator's matter, nobody else's


@dataclass(frozen=True, slots=True)
class ServiceFault:
    """A call that brought no answer to use. `code` is stable (`github_bad_credentials`); `evidence` holds no secret.

    `conclusive`: a refusal of the credential has no other cause that the service would name in the same way. One that
    isn't keeps a new credential out, but doesn't end a connection that has worked.

    `argument`: the key of a command's argument that the service objects to, where it tells. `may_have_happened`: what
    was asked for may have been done all the same, so that asking once more could do it twice.
    """

    kind: FaultKind
    code: str
    message: str
    remedy: Remedy
    retry_after_seconds: int | None = None
    evidence: Mapping[str, Json] | None = None
    rate_limit: ServiceRateLimit | None = None
    latency_ms: int | None = None
    conclusive: bool = True
    argument: str | None = None
    may_have_happened: bool = False
