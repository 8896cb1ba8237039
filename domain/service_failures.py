"""What a member is told when a service doesn't say whose a new credential is. Called by ServiceConnectionManager.

`FAILURE_CODE` also names what keeps commands from being done: see `command_failures.py`.
"""

from collections.abc import Sequence
from typing import Final

from domain.entities.health import Remedy
from domain.errors import ServiceFailure
from domain.services.base import Service
from domain.services.service_fault import FaultKind, ServiceFault

FAILURE_CODE: Final = {
    FaultKind.UNREACHABLE: "SERVICE_UNREACHABLE",
    FaultKind.NOT_ALLOWED: "SERVICE_UNREACHABLE",
    FaultKind.SERVICE_ERROR: "SERVICE_UNREACHABLE",
    FaultKind.RATE_LIMITED: "SERVICE_RATE_LIMITED",
    FaultKind.CREDENTIAL_REFUSED: "CREDENTIAL_REFUSED",
    FaultKind.CREDENTIAL_REVOKED: "CREDENTIAL_REFUSED",
    FaultKind.SCOPE_MISSING: "SERVICE_REFUSED",
    FaultKind.ADMIN_REQUIRED: "SERVICE_REFUSED",
    FaultKind.REQUEST_REFUSED: "SERVICE_REFUSED",
    FaultKind.CLIENT_REFUSED: "SERVICE_REFUSED",
}
CREDENTIAL_UNREADABLE: Final = ServiceFault(
    FaultKind.CLIENT_REFUSED,
    "credential_unreadable",
    "The stored credential can't be opened, so the service wasn't asked. Ask the operator for its encryption key.",
    Remedy.CONTACT_ADMIN,
)
"""Of what works with stored credentials: syncs and commands."""
_WAIT_SECONDS: Final = {"SERVICE_UNREACHABLE": 30, "SERVICE_RATE_LIMITED": 60}
"""How long to wait where waiting helps and the service doesn't say how long."""


def service_failure(
    service: Service, fault: ServiceFault, *, credential_field: Sequence[str] = ("input", "credential", "token")
) -> ServiceFailure:
    """The error for a fault. `credential_field`: the way to the credential that it speaks of, if it was given now."""
    code = FAILURE_CODE[fault.kind]
    waits = fault.remedy is Remedy.WAIT
    return ServiceFailure(
        code=code,
        service=service.id,
        message=fault.message,
        remedy=fault.remedy,
        retry_after_seconds=fault.retry_after_seconds or (_WAIT_SECONDS.get(code) if waits else None),
        field=credential_field if code == "CREDENTIAL_REFUSED" else (),
    )
