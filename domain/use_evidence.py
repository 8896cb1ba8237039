"""What a real call says of a connection's health, as a check that costs no call of its own. Used by RepositorySync and
whatever else works with stored credentials.

A use that is refused is as good as a check that is; one that works proves that the service answers and takes the
credential, and nothing about scopes or quota.
"""

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from domain.entities.event import EventDraft
from domain.entities.health import (
    HealthCheck,
    HealthCheckTrigger,
    HealthProbe,
    HealthStatus,
    ProbeOutcome,
    ServiceRateLimit,
    Verdict,
)
from domain.entities.identifiers import new_id
from domain.entities.service_connection import ServiceConnection
from domain.health import verdict_of
from domain.health_probes import probe_from_fault
from domain.ports import UnitOfWork
from domain.schedule import next_check_at
from domain.services.service_fault import FaultKind, ServiceFault

_SPEAKS_OF_IT: Final = {
    FaultKind.UNREACHABLE,
    FaultKind.CREDENTIAL_REFUSED,
    FaultKind.CREDENTIAL_REVOKED,
    FaultKind.ADMIN_REQUIRED,
}
"""Faults that a check would have met just so. Others may be of the one thing that was asked for."""
_PROVEN: Final = {
    "credential_opens": "The stored credential opens.",
    "service_reachable": "The service answers.",
    "authenticates": "The service has taken the credential for a call.",
}


async def record_fault(
    unit: UnitOfWork, connection: ServiceConnection, fault: ServiceFault, asked_at: datetime, now: datetime
) -> Sequence[EventDraft]:
    """Have the connection take that a call with its credential was refused: the events, which are the caller's to keep.

    None where the fault says nothing of it: nobody was asked, or it was with a credential that is gone.
    """
    credential = await unit.credentials.find(connection.id)
    if fault.kind not in _SPEAKS_OF_IT or fault.latency_ms is None or not connection.checkable:
        return []
    if credential is None or credential.rotated_at > asked_at:
        return []
    unreachable = fault.kind is FaultKind.UNREACHABLE
    reached = HealthProbe("service_reachable", ProbeOutcome.PASSED, "proven_by_use", _PROVEN["service_reachable"])
    unasked = HealthProbe("authenticates", ProbeOutcome.SKIPPED, "skipped", "Not asked, since nobody answered.")
    probes = [
        HealthProbe("credential_opens", ProbeOutcome.PASSED, "proven_by_use", _PROVEN["credential_opens"]),
        probe_from_fault("service_reachable", ProbeOutcome.FAILED, fault) if unreachable else reached,
        unasked if unreachable else probe_from_fault("authenticates", ProbeOutcome.FAILED, fault),
    ]
    check = _check(connection, probes, asked_at, fault.latency_ms, verdict_of(fault), fault.message)
    return await _record(unit, connection, check, now)


async def record_success(
    unit: UnitOfWork,
    connection: ServiceConnection,
    asked_at: datetime,
    now: datetime,
    rate_limit: ServiceRateLimit | None,
) -> Sequence[EventDraft]:
    """Have the connection take that a call has worked, where what was last found wrong is disproven by that."""
    failed = {probe.name for probe in connection.health.probes if probe.outcome is ProbeOutcome.FAILED}
    if connection.health.status is not HealthStatus.UNHEALTHY or not failed or not failed <= _PROVEN.keys():
        return []
    probes = [HealthProbe(name, ProbeOutcome.PASSED, "proven_by_use", message) for name, message in _PROVEN.items()]
    check = _check(connection, probes, asked_at, 0, Verdict.PASSED, None, rate_limit)
    return await _record(unit, connection, check, now)


def _check(
    connection: ServiceConnection,
    probes: Sequence[HealthProbe],
    asked_at: datetime,
    latency_ms: int,
    verdict: Verdict,
    message: str | None,
    rate_limit: ServiceRateLimit | None = None,
) -> HealthCheck:
    unasked = [
        HealthProbe(probe.name, ProbeOutcome.SKIPPED, "skipped", "Not asked: the connection was used, not checked.")
        for probe in connection.health.probes
        if probe.name not in _PROVEN
    ]
    return HealthCheck(
        id=new_id(),
        organization_id=connection.organization_id,
        connection_id=connection.id,
        status=HealthStatus.HEALTHY if verdict is Verdict.PASSED else HealthStatus.UNHEALTHY,
        verdict=verdict,
        message=message,
        started_at=asked_at,
        latency_ms=latency_ms,
        trigger=HealthCheckTrigger.USE,
        probes=(*probes, *unasked),
        rate_limit=rate_limit,
    )


async def _record(
    unit: UnitOfWork, connection: ServiceConnection, check: HealthCheck, now: datetime
) -> Sequence[EventDraft]:
    events = connection.record_check(check, missing_scopes=connection.missing_scopes, now=now)
    connection.health.next_check_at = next_check_at(connection, now, random.random)
    await unit.health_checks.add(check)
    return events
