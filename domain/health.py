"""Health checks: which probes a service has, running them, and what they add up to.

Called by ServiceConnectionManager and the scheduler, never while a transaction is open: here Tether waits for others.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain.entities.health import (
    HealthCheck,
    HealthCheckTrigger,
    HealthProbe,
    HealthStatus,
    ProbeOutcome,
    Verdict,
)
from domain.entities.identifiers import new_id
from domain.health_probes import PROBES, HealthSubject, Probe, ProbeContext
from domain.measurements import NO_MEASUREMENTS, Measurements
from domain.services.base import Identified
from domain.services.catalogue import ServiceCatalogue
from domain.services.service_fault import FaultKind, ServiceFault

__all__ = ["Diagnosis", "HealthCheckFactory", "HealthSubject"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A check, and the service's fault where it was one that decided it (its kind and `retry_after_seconds`)."""

    check: HealthCheck
    fault: ServiceFault | None


class HealthCheckFactory:
    """Makes health checks of the services in the catalogue."""

    def __init__(
        self,
        catalogue: ServiceCatalogue,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        measurements: Measurements = NO_MEASUREMENTS,
    ) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._measurements = measurements

    def probes_for(self, service_id: str) -> Sequence[Probe]:
        """The probes of a service, in the order in which they run. Raises ServiceFailure for an unknown service."""
        self._catalogue.get_connected(service_id)
        return PROBES

    async def run_health_check(
        self, subject: HealthSubject, *, organization_id: UUID, connection_id: UUID, trigger: HealthCheckTrigger
    ) -> Diagnosis:
        """Run the probes. Makes at most one call to the service, and never raises for what the service does.

        Raises ServiceFailure for a service that isn't in the catalogue.
        """
        started = time.perf_counter()
        context = ProbeContext(self._catalogue.get_connected(subject.service_id), subject, self._clock())
        probes = await _run(self.probes_for(subject.service_id), context)
        answer = context.answer
        fault = answer if isinstance(answer, ServiceFault) else None
        worst = _worst(probes)
        check = HealthCheck(
            id=new_id(),
            organization_id=organization_id,
            connection_id=connection_id,
            status=_STATUS[ProbeOutcome.PASSED if worst is None else worst.outcome],
            verdict=_verdict(probes, fault),
            message=None if worst is None else worst.message,
            started_at=context.now,
            latency_ms=(answer.latency_ms or 0) if answer is not None else 0,
            trigger=trigger,
            probes=probes,
            identity=answer.identity if isinstance(answer, Identified) else None,
            rate_limit=answer.rate_limit if answer is not None else None,
        )
        self._measurements.checked(subject.service_id, check.status.value, time.perf_counter() - started)
        return Diagnosis(check, fault)


async def _run(probes: Sequence[Probe], context: ProbeContext) -> tuple[HealthProbe, ...]:
    found: list[HealthProbe] = []
    stopped_by: str | None = None
    for probe in probes:
        if stopped_by is not None:
            message = f"Not asked, because of {stopped_by}."
            found.append(HealthProbe(probe.name, ProbeOutcome.SKIPPED, "skipped", message))
            continue
        result = await probe.run(context)
        found.append(result)
        if probe.essential and result.outcome in {ProbeOutcome.FAILED, ProbeOutcome.WARNED}:
            stopped_by = probe.name
    return tuple(found)


def _worst(probes: Sequence[HealthProbe]) -> HealthProbe | None:
    """The first that failed, else the first that warned."""
    for outcome in (ProbeOutcome.FAILED, ProbeOutcome.WARNED):
        for probe in probes:
            if probe.outcome is outcome:
                return probe
    return None


def verdict_of(fault: ServiceFault) -> Verdict:
    """What a fault means for a connection's status."""
    return _VERDICT[fault.kind] if fault.conclusive else Verdict.FAILED


def _verdict(probes: Sequence[HealthProbe], fault: ServiceFault | None) -> Verdict:
    if fault is not None:
        return verdict_of(fault)
    failed = any(probe.outcome is ProbeOutcome.FAILED for probe in probes)
    return Verdict.FAILED if failed else Verdict.PASSED


_STATUS: Final = {
    ProbeOutcome.PASSED: HealthStatus.HEALTHY,
    ProbeOutcome.WARNED: HealthStatus.DEGRADED,
    ProbeOutcome.FAILED: HealthStatus.UNHEALTHY,
}
_VERDICT: Final = {
    FaultKind.UNREACHABLE: Verdict.FAILED,
    FaultKind.NOT_ALLOWED: Verdict.FAILED,
    FaultKind.SERVICE_ERROR: Verdict.FAILED,
    FaultKind.RATE_LIMITED: Verdict.INCONCLUSIVE,
    FaultKind.CREDENTIAL_REFUSED: Verdict.EXPIRED,
    FaultKind.CREDENTIAL_REVOKED: Verdict.REVOKED,
    FaultKind.SCOPE_MISSING: Verdict.INCONCLUSIVE,  # it won't say whose the credential is, and doesn't refuse it either
    FaultKind.ADMIN_REQUIRED: Verdict.FAILED,
    FaultKind.REQUEST_REFUSED: Verdict.INCONCLUSIVE,
    FaultKind.CLIENT_REFUSED: Verdict.INCONCLUSIVE,  # the operator's fault, which says nothing of the connection
}
