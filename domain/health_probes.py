"""The probes of a health check, in the order in which they run, and what they share. Run by `domain/health.py`.

The service is asked once, by the first probe that needs its answer; the others read it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import HealthProbe, Json, ProbeOutcome, Remedy
from domain.errors import CredentialUnreadable
from domain.services.base import Identified, IdentityAnswer, Service
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.settings import EXPIRY_WARNING_DAYS

LOW_QUOTA: Final = 0.1
"""Below this share of its quota a connection is shown as degraded."""


Identify = Callable[[CredentialSecret], Awaitable[IdentityAnswer]]
"""Asks a service whose a credential is."""


@dataclass(frozen=True, slots=True)
class HealthSubject:
    """What is checked: a credential of a service and what is known of it so far (None: nothing).

    `stored_end` is when the credential ends for good: of one that can be refreshed, when that is no longer so.
    `identify` asks the service in another way than by the secret as it is: one that refreshes it where it must.
    """

    service_id: str
    settings: Mapping[str, Json]
    secret: CredentialSecret | CredentialUnreadable
    expected_account_id: str | None
    stored_end: datetime | None
    identify: Identify | None = None


@dataclass(slots=True)
class ProbeContext:
    """What the probes of one check share. `answer` is None until the service was asked."""

    service: Service
    subject: HealthSubject
    now: datetime
    answer: IdentityAnswer | None = field(default=None)

    async def ask(self, secret: CredentialSecret) -> IdentityAnswer:
        """The service's answer, asked for once."""
        if self.answer is None:
            identify = self.subject.identify or self.service.identify
            self.answer = await identify(secret)
        return self.answer

    def identified(self) -> Identified:
        """Who the service says it is, for the probes that run only after that is known."""
        if not isinstance(self.answer, Identified):
            raise AssertionError("runs only after `authenticates` passed")
        return self.answer


@dataclass(frozen=True, slots=True)
class Probe:
    """One question. `essential`: unless it passes, the later ones make no sense and are skipped."""

    name: str
    run: Callable[[ProbeContext], Awaitable[HealthProbe]]
    essential: bool = False


async def credential_opens(context: ProbeContext) -> HealthProbe:
    """Whether the sealed credential could be opened."""
    if isinstance(context.subject.secret, CredentialUnreadable):
        return HealthProbe(
            "credential_opens",
            ProbeOutcome.FAILED,
            "credential_unreadable",
            "The stored credential can't be opened: its encryption key isn't here, or it was tampered with. "
            "Ask the operator for the key, or connect again.",
            Remedy.CONTACT_ADMIN,
        )
    return _passed("credential_opens", "credential_opened", "The stored credential opens.")


async def service_reachable(context: ProbeContext) -> HealthProbe:
    """Whether the service answers in a way that can be understood."""
    if isinstance(context.subject.secret, CredentialUnreadable):
        raise AssertionError("runs only after `credential_opens` passed")
    answer = await context.ask(context.subject.secret)
    if isinstance(answer, ServiceFault):
        if answer.latency_ms is None:
            why = (
                f"{context.service.name} has said that it takes no calls yet"
                if answer.kind is FaultKind.RATE_LIMITED
                else "The credential can't be sent"
            )
            return HealthProbe("service_reachable", ProbeOutcome.SKIPPED, "skipped", f"{why}, so nobody was asked.")
        if answer.kind in {FaultKind.UNREACHABLE, FaultKind.NOT_ALLOWED, FaultKind.SERVICE_ERROR}:
            return probe_from_fault("service_reachable", ProbeOutcome.FAILED, answer)
    message = f"{context.service.name} answers."
    return _passed("service_reachable", "reachable", message, latency_ms=answer.latency_ms)


async def authenticates(context: ProbeContext) -> HealthProbe:
    """Whether the service accepts the credential. Where it wouldn't say who it is, that is a warning, not a failure."""
    answer = context.answer
    if isinstance(answer, ServiceFault):
        wont_say = answer.kind in {FaultKind.RATE_LIMITED, FaultKind.SCOPE_MISSING}
        return probe_from_fault("authenticates", ProbeOutcome.WARNED if wont_say else ProbeOutcome.FAILED, answer)
    account = context.identified().identity.account
    return _passed("authenticates", "authenticated", f"{context.service.name} knows the credential as {account.name}.")


async def same_account(context: ProbeContext) -> HealthProbe:
    """Whether it is still the account that was connected."""
    account, expected = context.identified().identity.account, context.subject.expected_account_id
    if expected is None:
        return _passed("same_account", "first_account", f"The connection takes {account.name} as its account.")
    if account.id == expected:
        return _passed("same_account", "same_account", f"It is still {account.name}.")
    return HealthProbe(
        "same_account",
        ProbeOutcome.FAILED,
        "account_mismatch",
        f"The credential belongs to {account.name} ({account.id}), but this connection is of the account {expected}. "
        "Connect again with a credential of that account.",
        Remedy.RECONNECT,
        evidence={"expected": expected, "actual": account.id},
    )


async def scopes_suffice(context: ProbeContext) -> HealthProbe:
    """Whether the credential may do what the connection needs."""
    service, granted = context.service, context.identified().identity.scopes
    if granted is None:
        return _passed("scopes_suffice", "scopes_not_told", f"{service.name} doesn't tell what this credential may do.")
    required = service.required_scopes(context.subject.settings)
    missing = service.missing_scopes(required, granted)
    if not missing:
        return _passed("scopes_suffice", "scopes_suffice", "The credential has the scopes that are needed.")
    return HealthProbe(
        "scopes_suffice",
        ProbeOutcome.WARNED,
        "scopes_missing",
        f"The credential lacks {', '.join(missing)}. Grant it at {service.name}, or change the setting requiredScopes.",
        Remedy.GRANT_SCOPES,
        evidence={"missing": list[Json](missing), "granted": list[Json](granted)},
    )


async def quota_left(context: ProbeContext) -> HealthProbe:
    """Whether the service will go on answering for a while."""
    quota = context.identified().rate_limit
    if quota is None or quota.limit is None or quota.remaining is None:
        return _passed("quota_left", "quota_not_told", f"{context.service.name} tells no quota.")
    evidence: dict[str, Json] = {
        "limit": quota.limit,
        "remaining": quota.remaining,
        "resetAt": None if quota.reset_at is None else quota.reset_at.isoformat(),
    }
    left = f"{quota.remaining} of {quota.limit} calls are left"
    if quota.remaining >= LOW_QUOTA * quota.limit:
        return _passed("quota_left", "quota_left", f"{left}.", evidence=evidence)
    until = "" if quota.reset_at is None else f" until {quota.reset_at:%Y-%m-%d %H:%M} UTC"
    return HealthProbe(
        "quota_left",
        ProbeOutcome.WARNED,
        "quota_low",
        f"Only {left}{until}. Call less often, or ask {context.service.name} for a higher limit.",
        Remedy.RAISE_LIMIT,
        evidence=evidence,
    )


async def not_about_to_expire(context: ProbeContext) -> HealthProbe:
    """Whether the credential has more than the days that the connection's settings ask to be warned ahead."""
    stored, told = context.subject.stored_end, context.identified().identity.expires_at
    ends = stored if _refreshable(context.subject.secret) else told or stored
    if ends is None:
        return _passed("not_about_to_expire", "no_end_known", "The credential has no known end.")
    left, evidence = ends - context.now, {"expiresAt": ends.isoformat()}
    if left > timedelta(days=EXPIRY_WARNING_DAYS.read(context.subject.settings)):
        message = f"The credential is good until {ends:%Y-%m-%d %H:%M} UTC."
        return _passed("not_about_to_expire", "far_from_end", message, evidence=evidence)
    if left <= timedelta(0):
        code = "credential_end_passed"
        message = f"The credential was to end at {ends:%Y-%m-%d %H:%M} UTC and still works. Replace it soon."
    else:
        hours = ceil(left / timedelta(hours=1))
        code = "credential_ends_soon"
        ahead = f"{hours // 24} days" if hours >= 48 else f"{hours} h"
        message = f"The credential ends in {ahead}, at {ends:%Y-%m-%d %H:%M} UTC. Connect again with a new one before."
    return HealthProbe("not_about_to_expire", ProbeOutcome.WARNED, code, message, Remedy.RECONNECT, evidence=evidence)


def _refreshable(secret: CredentialSecret | CredentialUnreadable) -> bool:
    """Whether a new access token can be had without anybody: then the end of the present one is no matter."""
    return not isinstance(secret, CredentialUnreadable) and secret.refreshable


def _passed(
    name: str, code: str, message: str, *, latency_ms: int | None = None, evidence: Mapping[str, Json] | None = None
) -> HealthProbe:
    return HealthProbe(name, ProbeOutcome.PASSED, code, message, latency_ms=latency_ms, evidence=evidence)


def probe_from_fault(name: str, outcome: ProbeOutcome, fault: ServiceFault) -> HealthProbe:
    """A fault as the finding of a probe."""
    return HealthProbe(
        name, outcome, fault.code, fault.message, fault.remedy, latency_ms=fault.latency_ms, evidence=fault.evidence
    )


PROBES: Final[Sequence[Probe]] = (
    Probe("credential_opens", credential_opens, essential=True),
    Probe("service_reachable", service_reachable, essential=True),
    Probe("authenticates", authenticates, essential=True),
    Probe("same_account", same_account, essential=True),
    Probe("scopes_suffice", scopes_suffice),
    Probe("quota_left", quota_left),
    Probe("not_about_to_expire", not_about_to_expire),
)
"""Every service's, in this order."""
