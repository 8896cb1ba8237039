"""Refusals that say the same at every service: too many calls, an error of its own, an answer that nobody documents.

Used by the services' reading of answers.
"""

from datetime import datetime, timedelta
from typing import Final

from domain.entities.health import Remedy, ServiceRateLimit
from domain.http import HttpAnswer, retry_after_seconds
from domain.services.boundary import LONGEST_WAIT_SECONDS
from domain.services.service_fault import FaultKind, ServiceFault

UNTOLD_WAIT_SECONDS: Final = 60
"""For a service that limits without saying how long; most count by the minute."""


def rate_limited(
    service_id: str, service_name: str, answer: HttpAnswer, now: datetime, quota: ServiceRateLimit | None = None
) -> ServiceFault:
    """For a 429, with or without `Retry-After`. `quota`: what other headers told of it."""
    known = quota or ServiceRateLimit()
    asked_seconds = retry_after_seconds(answer.headers, now)
    wait_seconds = min(max(1, UNTOLD_WAIT_SECONDS if asked_seconds is None else asked_seconds), LONGEST_WAIT_SECONDS)
    blocked_until = now + timedelta(seconds=wait_seconds)
    return ServiceFault(
        FaultKind.RATE_LIMITED,
        f"{service_id}_rate_limited",
        f"{service_name} limits how often we may call. It answers again at {blocked_until:%Y-%m-%d %H:%M:%S} UTC.",
        Remedy.WAIT,
        retry_after_seconds=wait_seconds,
        rate_limit=ServiceRateLimit(known.limit, known.remaining, known.reset_at, blocked_until),
        latency_ms=answer.latency_ms,
    )


def server_error(service_id: str, service_name: str, answer: HttpAnswer) -> ServiceFault:
    """For a 5xx."""
    message = f"{service_name} answers with an error of its own (HTTP {answer.status})."
    return _service_error(f"{service_id}_server_error", message, answer)


def unexpected_answer(service_id: str, answer: HttpAnswer, message: str) -> ServiceFault:
    """For everything that the service doesn't document; it says nothing about the credential."""
    return _service_error(f"{service_id}_unexpected_answer", message, answer)


def _service_error(code: str, message: str, answer: HttpAnswer) -> ServiceFault:
    return ServiceFault(
        FaultKind.SERVICE_ERROR,
        code,
        message,
        Remedy.WAIT,
        evidence={"status": answer.status},
        latency_ms=answer.latency_ms,
        may_have_happened=answer.status >= 500 or 200 <= answer.status < 300,
    )
