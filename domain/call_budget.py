"""Whether a connection's service may be called now, by what it has said of the quota. Asked before every call.

What it said is kept on the connection, so that all processes keep to it.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from domain.entities.health import Remedy, ServiceRateLimit
from domain.schedule import LONGEST_WAIT, takes_calls_again_at
from domain.services.service_fault import FaultKind, ServiceFault


def may_call(service_id: str, limit: ServiceRateLimit | None, now: datetime) -> ServiceFault | None:
    """None where it may; otherwise the fault that the call would end with, which then needn't be made.

    A service that says "not before next year" isn't believed.
    """
    again_at = takes_calls_again_at(limit)
    if again_at is None or not now < again_at <= now + LONGEST_WAIT:
        return None
    return limited_until(service_id, again_at, now, limit)


def limited_until(
    service_id: str, again_at: datetime, now: datetime, limit: ServiceRateLimit | None = None
) -> ServiceFault:
    """The fault of a call that isn't made, since the service takes none before that moment."""
    return ServiceFault(
        FaultKind.RATE_LIMITED,
        f"{service_id}_rate_limited",
        f"The service takes no more calls of this credential before {again_at:%H:%M:%S} UTC, so it wasn't asked.",
        Remedy.WAIT,
        retry_after_seconds=max(1, ceil((again_at - now).total_seconds())),
        rate_limit=limit,
    )


def limit_after(fault: ServiceFault, known: ServiceRateLimit | None, now: datetime) -> ServiceRateLimit | None:
    """What a fault tells of the quota, so that everybody keeps away until the service takes calls; None for nothing."""
    if fault.kind is not FaultKind.RATE_LIMITED or fault.retry_after_seconds is None:
        return fault.rate_limit
    limit = fault.rate_limit or known or ServiceRateLimit()
    if limit.blocked_until is not None and limit.blocked_until > now:
        return limit
    return replace(limit, blocked_until=now + timedelta(seconds=fault.retry_after_seconds))
