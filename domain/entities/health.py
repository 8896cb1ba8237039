"""Health: what a check found, probe by probe, and what it means for the connection.

Made by `domain/health.py`, kept by the repositories, judged by `ServiceConnection.record_check`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Final
from uuid import UUID

USUAL_INTERVAL: Final = timedelta(minutes=5)
"""How often a healthy connection is checked, unless its organization wants it otherwise."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class HealthStatus(StrEnum):
    """How a connection is, as the latest check saw it."""

    UNKNOWN = "UNKNOWN"
    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    UNHEALTHY = "UNHEALTHY"


class HealthCheckTrigger(StrEnum):
    """Why a check ran."""

    SCHEDULE = "SCHEDULE"
    MANUAL = "MANUAL"
    WEBHOOK = "WEBHOOK"
    USE = "USE"
    CONNECT = "CONNECT"


class ProbeOutcome(StrEnum):
    """What one probe found. SKIPPED: an earlier failure left nothing to ask."""

    PASSED = "PASSED"
    WARNED = "WARNED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class Remedy(StrEnum):
    """What a person can do about it."""

    WAIT = "WAIT"
    RECONNECT = "RECONNECT"
    GRANT_SCOPES = "GRANT_SCOPES"
    RAISE_LIMIT = "RAISE_LIMIT"
    CONTACT_ADMIN = "CONTACT_ADMIN"
    FIX_SETTINGS = "FIX_SETTINGS"
    NONE = "NONE"


class Verdict(StrEnum):
    """What a check means for the connection's status.

    INCONCLUSIVE: the service wouldn't say (it limits our rate), which is evidence neither for nor against.
    EXPIRED: it refuses the credential. REVOKED: it says that the grant was withdrawn.
    """

    PASSED = "PASSED"
    INCONCLUSIVE = "INCONCLUSIVE"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True)
class HealthProbe:
    """One question and its answer. `code` is stable, `message` is for people, `evidence` is free of secrets."""

    name: str
    outcome: ProbeOutcome
    code: str
    message: str
    remedy: Remedy = Remedy.NONE
    latency_ms: int | None = None
    evidence: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class ExternalAccount:
    """Who a credential is at the service: `id` is the service's own and never changes, names do."""

    id: str
    name: str
    url: str | None = None
    avatar_url: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceRateLimit:
    """What the service last said about our quota. `blocked_until`: it told us to keep away until then."""

    limit: int | None = None
    remaining: int | None = None
    reset_at: datetime | None = None
    blocked_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """What a service says of a credential: whose it is, what it may do (None: it doesn't tell) and when it ends.

    `webhook_key` is what the service's webhooks call the same grant, such as `installation:123`.
    """

    account: ExternalAccount
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    webhook_key: str | None = None


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One run of a service's probes on one connection, in the order in which they ran."""

    id: UUID
    organization_id: UUID
    connection_id: UUID
    status: HealthStatus
    verdict: Verdict
    message: str | None
    started_at: datetime
    latency_ms: int
    trigger: HealthCheckTrigger
    probes: tuple[HealthProbe, ...]
    identity: Identity | None = None
    rate_limit: ServiceRateLimit | None = None

    @property
    def gist(self) -> tuple[HealthStatus, Sequence[tuple[str, ProbeOutcome, str]]]:
        """What is told as news where it is another one: the health, and the outcome and code of each probe."""
        return self.status, gist_of(self.probes)

    @property
    def finding(self) -> str | None:
        """What it found, in a word that is the same each time all is well in the same way; None where it isn't.

        Times, latencies and figures of the quota are no part of it.
        """
        if self.status is not HealthStatus.HEALTHY or self.verdict is not Verdict.PASSED:
            return None
        return blake2b(repr((gist_of(self.probes), self.identity)).encode(), digest_size=16).hexdigest()


def gist_of(probes: Sequence[HealthProbe]) -> Sequence[tuple[str, ProbeOutcome, str]]:
    """Their outcomes, and the codes of what didn't pass; without latencies, figures and words."""
    return [(probe.name, probe.outcome, "" if probe.outcome is ProbeOutcome.PASSED else probe.code) for probe in probes]


def rate_limit_after(check: HealthCheck, known: ServiceRateLimit | None) -> ServiceRateLimit | None:
    """What is known of the quota after a check. Who was told whose the credential is, isn't kept away any more."""
    if check.rate_limit is not None or known is None or check.identity is None:
        return check.rate_limit or known
    unblocked = replace(known, blocked_until=None)
    return None if unblocked == ServiceRateLimit() else unblocked


@dataclass(slots=True)
class ConnectionHealth:
    """The latest health of a connection, carried beside it so that a list needs no history.

    `finding` is what a check has to find for there to be no news, None where any finding is news; `diagnosis_id` and
    `diagnosed_at` are of the check that found it, probe by probe. `interval` is the organization's wish.
    `next_trigger` says why the next check is when it is.
    """

    status: HealthStatus = HealthStatus.UNKNOWN
    message: str | None = None
    checked_at: datetime | None = None
    next_check_at: datetime | None = None
    latency_ms: int | None = None
    consecutive_failures: int = 0
    probes: tuple[HealthProbe, ...] = field(default=())
    finding: str | None = None
    diagnosis_id: UUID | None = None
    diagnosed_at: datetime | None = None
    interval: timedelta = USUAL_INTERVAL
    next_trigger: HealthCheckTrigger = HealthCheckTrigger.SCHEDULE
