"""What a member is told when a service doesn't say whose a new credential is. Called by ServiceConnectionManager."""

from typing import Final

from domain.entities.health import Remedy
from domain.errors import ServiceFailure
from domain.services.base import FaultKind, Service, ServiceFault

_CODE: Final = {
    FaultKind.UNREACHABLE: "SERVICE_UNREACHABLE",
    FaultKind.NOT_ALLOWED: "SERVICE_UNREACHABLE",
    FaultKind.SERVICE_ERROR: "SERVICE_UNREACHABLE",
    FaultKind.RATE_LIMITED: "SERVICE_RATE_LIMITED",
    FaultKind.CREDENTIAL_REFUSED: "CREDENTIAL_REFUSED",
    FaultKind.CREDENTIAL_REVOKED: "CREDENTIAL_REFUSED",
    FaultKind.SCOPE_MISSING: "SERVICE_REFUSED",
    FaultKind.ADMIN_REQUIRED: "SERVICE_REFUSED",
}
_WAIT_SECONDS: Final = {"SERVICE_UNREACHABLE": 30, "SERVICE_RATE_LIMITED": 60}
"""How long to wait where waiting helps and the service doesn't say how long."""


def service_failure(service: Service, fault: ServiceFault) -> ServiceFailure:
    """The error for a fault that kept a credential from being taken."""
    code = _CODE[fault.kind]
    waits = fault.remedy is Remedy.WAIT
    return ServiceFailure(
        code=code,
        service=service.id,
        message=fault.message,
        remedy=fault.remedy,
        retry_after_seconds=fault.retry_after_seconds or (_WAIT_SECONDS.get(code) if waits else None),
        field=("input", "credential", "token") if code == "CREDENTIAL_REFUSED" else (),
    )
