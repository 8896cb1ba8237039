"""Why a refresh brings nothing, in words: faults for whoever wants one, and the check that ends a connection.

Used by RefreshFlight.
"""

from datetime import datetime
from typing import Final

from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import (
    HealthCheck,
    HealthCheckTrigger,
    HealthProbe,
    HealthStatus,
    ProbeOutcome,
    Remedy,
    Verdict,
)
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.services.base import Service
from domain.services.service_fault import FaultKind, ServiceFault

ENDED: Final = {ConnectionStatus.EXPIRED, ConnectionStatus.REVOKED}
"""Only reconnecting helps: nothing is refreshed any more."""


def refusal_check(
    connection: ServiceConnection, service: Service, fault: ServiceFault, now: datetime, *, interrupted: bool
) -> HealthCheck:
    """A refused refresh as a finding, from which the connection's status follows as from any other check.

    `interrupted`: an earlier refresh never told how it ended, and the access token doesn't work any more either.
    """
    message = (
        f"An earlier refresh was cut off before its result was stored, and {service.name} takes the stored tokens no "
        "more. Connect the account again."
        if interrupted
        else f"{service.name} refuses to refresh the credential: it was revoked, or has expired. "
        "Connect the account again."
    )
    evidence = {"serviceCode": fault.code}
    probe = HealthProbe(
        "refreshes", ProbeOutcome.FAILED, "refresh_refused", message, Remedy.RECONNECT, fault.latency_ms, evidence
    )
    return HealthCheck(
        id=new_id(),
        organization_id=connection.organization_id,
        connection_id=connection.id,
        status=HealthStatus.UNHEALTHY,
        verdict=Verdict.REVOKED if fault.kind is FaultKind.CREDENTIAL_REVOKED else Verdict.EXPIRED,
        message=message,
        started_at=now,
        latency_ms=fault.latency_ms or 0,
        trigger=HealthCheckTrigger.USE,
        probes=(probe,),
    )


def reconnect_needed(connection: ServiceConnection) -> ServiceFault:
    """For a connection that has ended already."""
    reason = connection.status_reason
    message = f"The connection is {connection.status}." if reason is None else reason.message
    return ServiceFault(FaultKind.CREDENTIAL_REFUSED, "reconnect_needed", message, Remedy.RECONNECT)


def no_client(service_id: str) -> ServiceFault:
    """The operator has taken away the client that the credential was issued to."""
    return ServiceFault(
        FaultKind.CLIENT_REFUSED,
        f"{service_id}_no_client",
        "This server has no client at the service any more, so nothing can be refreshed. The operator can change that.",
        Remedy.CONTACT_ADMIN,
    )


def under_way() -> ServiceFault:
    """Another process has begun, and hasn't told in time how it ended."""
    return ServiceFault(
        FaultKind.UNREACHABLE,
        "refresh_under_way",
        "The credential is being refreshed, and the service takes long to answer. Try again in a minute.",
        Remedy.WAIT,
        retry_after_seconds=60,
    )
