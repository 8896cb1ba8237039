"""ServiceConnection: a team's link to one account at one outside service, and the status machine that it moves through.

ServiceConnectionManager loads one, asks it to decide, and saves it with the events that it returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from domain.entities.connection_status import TRANSITIONS, Cause, ConnectionStatus, allowed_for_members, refusal
from domain.entities.event import ConnectionEventType, EventDraft, StatusChange, StatusReason
from domain.entities.health import (
    ConnectionHealth,
    ExternalAccount,
    HealthCheck,
    HealthCheckTrigger,
    Json,
    ProbeOutcome,
    Remedy,
    ServiceRateLimit,
    Verdict,
    gist_of,
    rate_limit_after,
)
from domain.errors import InvalidTransition, VersionConflict

FAILURES_BEFORE_ERROR = 3
"""How many failed checks in a row make an ERROR of what one of them might just be a hiccup."""

PAUSED = "PAUSED"
"""The code of an INACTIVE that a member asked for; with any other, it is the service that suspends the connection."""

_PAUSED_BY_A_MEMBER = "Paused by a member."
_S = ConnectionStatus


@dataclass(slots=True)
class ServiceConnection:
    """One connection. Methods that change it return the drafts of what happened; none means nothing changed.

    `webhook_key` is what the service's webhooks call its account, None where they can't mean it.
    """

    id: UUID
    organization_id: UUID
    service: str
    name: str
    status: ConnectionStatus
    status_changed_at: datetime
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    status_reason: StatusReason | None = None
    external_account: ExternalAccount | None = None
    required_scopes: tuple[str, ...] = ()
    granted_scopes: tuple[str, ...] = ()
    missing_scopes: tuple[str, ...] = ()
    health: ConnectionHealth = field(default_factory=ConnectionHealth)
    rate_limit: ServiceRateLimit | None = None
    labels: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Json] = field(default_factory=dict)
    grant_told_at: datetime | None = None  # the latest moment of which the service has reported on the grant
    version: int = 1
    deleted_at: datetime | None = None
    webhook_key: str | None = None

    @classmethod
    def create(
        cls,
        *,
        id: UUID,
        organization_id: UUID,
        service: str,
        name: str,
        labels: dict[str, str],
        settings: dict[str, Json],
        required_scopes: tuple[str, ...],
        created_by: UUID | None,
        now: datetime,
    ) -> "ServiceConnection":
        """A new connection, PENDING until a check passes."""
        return cls(
            id=id,
            organization_id=organization_id,
            service=service,
            name=name,
            status=ConnectionStatus.PENDING,
            status_changed_at=now,
            created_by=created_by,
            created_at=now,
            updated_at=now,
            required_scopes=required_scopes,
            labels=labels,
            settings=settings,
        )

    @property
    def suspended(self) -> bool:
        """Whether it is the service that pauses it, rather than a member."""
        return self.status is _S.INACTIVE and self.status_reason is not None and self.status_reason.code != PAUSED

    @property
    def checkable(self) -> bool:
        """Whether a check could find something new: not where a member pauses it, or only a new credential helps."""
        return self.suspended or self.status not in {_S.INACTIVE, _S.EXPIRED, _S.REVOKED}

    def expect(self, version: int | None) -> None:
        """Raise VersionConflict unless the caller decided on what is stored now (None: they don't mind)."""
        if version is not None and version != self.version:
            raise VersionConflict(self.version)

    def created(self) -> EventDraft:
        """That this connection now exists."""
        return self._draft(
            ConnectionEventType.CREATED, self.created_at, data={"name": self.name, "service": self.service}
        )

    def update(
        self,
        *,
        name: str,
        labels: dict[str, str],
        settings: dict[str, Json],
        required_scopes: tuple[str, ...],
        missing_scopes: tuple[str, ...],
        now: datetime,
    ) -> list[EventDraft]:
        """Take what a member edits."""
        wanted = {"name": name, "labels": labels, "settings": settings}
        changed: list[Json] = [what for what, value in wanted.items() if getattr(self, what) != value]
        if not changed:
            return []
        self.name, self.labels, self.settings = name, labels, settings
        self.required_scopes, self.missing_scopes = required_scopes, missing_scopes
        if "settings" in changed:
            self.health.finding = None  # what the latest check found was judged by other settings
            if self.health.next_check_at is not None:
                self.health.next_check_at = now
        self.updated_at = now
        return [self._draft(ConnectionEventType.UPDATED, now, data={"changed": changed})]

    def set_status(self, to: ConnectionStatus, *, reason: str | None, now: datetime) -> list[EventDraft]:
        """A member's wish. Raises InvalidTransition where the machine has no such step for members."""
        if to is _S.INACTIVE and self.suspended:
            return self._pause_besides(reason, now)
        if to is self.status:
            return []
        allowed = allowed_for_members(self.status)
        if to not in allowed:
            raise InvalidTransition(self.status, to, allowed, refusal(self.status, to, allowed))
        code, message = (PAUSED, _PAUSED_BY_A_MEMBER) if to is _S.INACTIVE else ("RESUMED", "Resumed by a member.")
        if to is _S.ACTIVE:
            self.health.consecutive_failures = 0
        self.health.next_check_at = now if to is _S.ACTIVE else None
        return self._move(to, StatusReason(code, reason or message, Remedy.NONE), now)

    def record_check(
        self, check: HealthCheck, *, missing_scopes: tuple[str, ...], now: datetime, reconnect: bool = False
    ) -> list[EventDraft]:
        """Take what a check found: health, account, scopes, quota, and the status step that follows from its verdict.

        `missing_scopes`: of those required, what the identity in this check lacks. `reconnect`: the check was of a
        new credential, and so may end EXPIRED and REVOKED. When to check next is the caller's to say.
        """
        checked = [self._draft(ConnectionEventType.HEALTH_CHECKED, now, health_check_id=check.id)]
        known = (self.health.status, gist_of(self.health.probes))
        if check.trigger is HealthCheckTrigger.SCHEDULE and check.gist == known:
            checked = []  # one that nobody asked for, and that found what was known, is in the history only
        if not reconnect and self._knows_later_than(check, now):
            return checked
        previous = self.health.status
        self.health = ConnectionHealth(
            status=check.status,
            message=check.message,
            checked_at=check.started_at,
            latency_ms=check.latency_ms,
            consecutive_failures=self._failures_with(check.verdict),
            probes=check.probes,
            diagnosis_id=check.id,
            diagnosed_at=check.started_at,
            interval=self.health.interval,
        )
        self.rate_limit = rate_limit_after(check, self.rate_limit)
        if check.identity is not None and self.accepts_account(check.identity.account):
            self.external_account = check.identity.account
            self.webhook_key = check.identity.webhook_key
            self.granted_scopes = check.identity.scopes or ()
            self.missing_scopes = missing_scopes
        self.updated_at = now
        drafts = checked
        if check.status is not previous:
            data: dict[str, Json] = {"from": previous.value, "to": check.status.value}
            drafts.append(self._draft(ConnectionEventType.HEALTH_CHANGED, now, health_check_id=check.id, data=data))
        drafts += self._follow(check, Cause.RECONNECT if reconnect else Cause.CHECK, now)
        self.health.finding = check.finding if self.status is _S.ACTIVE else None
        return drafts

    def webhook_received(self, event_id: UUID, data: Mapping[str, Json], now: datetime) -> EventDraft:
        """That the service has reported something. `event_id`: the same each time this delivery is processed."""
        return replace(self._draft(ConnectionEventType.WEBHOOK_RECEIVED, now, data=data), id=event_id)

    def check_soon(self, now: datetime, trigger: HealthCheckTrigger) -> None:
        """Have it checked next, for that reason, if a check could find something new."""
        self.health.next_check_at, self.health.next_trigger = now if self.checkable else None, trigger

    def withdraw(self, reason: StatusReason, *, told_at: datetime, now: datetime) -> list[EventDraft]:
        """The service reports that the grant is gone, as of `told_at`."""
        return self._take_report(_S.REVOKED, reason, told_at, now)

    def suspend(self, reason: StatusReason, *, told_at: datetime, now: datetime) -> list[EventDraft]:
        """The service reports that it pauses the grant, as of `told_at`."""
        return self._take_report(_S.INACTIVE, reason, told_at, now)

    def unsuspend(self, reason: StatusReason, *, told_at: datetime, now: datetime) -> list[EventDraft]:
        """The service reports that the grant works again, as of `told_at`. What a member has paused stays so."""
        return self._take_report(_S.ACTIVE, reason, told_at, now)

    def accepts_account(self, account: ExternalAccount) -> bool:
        """Whether a credential of that account may serve: once a connection is somebody's, it stays theirs."""
        return self.external_account is None or self.external_account.id == account.id

    def release_account(self) -> None:
        """Let it become somebody else's: whose, the next check says."""
        self.external_account = None

    def authorized(self, method: str, account: ExternalAccount, now: datetime) -> EventDraft:
        """That somebody has gone to the service and allowed it, as this account. Told before the account is taken."""
        self.updated_at = now
        before = self.external_account
        data: dict[str, Json] = {
            "method": method,
            "account": account.name,
            "previousAccount": None if before is None else before.name,
        }
        return self._draft(ConnectionEventType.AUTHORIZED, now, data=data)

    def credentials_rotated(self, generation: int, fingerprint: str, now: datetime) -> EventDraft:
        """That the credential is a new one."""
        self.updated_at = now
        return self._draft(
            ConnectionEventType.CREDENTIALS_ROTATED, now, data={"generation": generation, "fingerprint": fingerprint}
        )

    def learn_rate_limit(self, limit: ServiceRateLimit | None, now: datetime) -> None:
        """Take what an answer said of the quota, if it did. It doesn't end a wait that another call was told of."""
        if limit is None:
            return
        blocked_until = None if self.rate_limit is None else self.rate_limit.blocked_until
        if limit.blocked_until is None and blocked_until is not None and blocked_until > now:
            limit = replace(limit, blocked_until=blocked_until)
        self.rate_limit = limit

    def repositories_synced(
        self, *, added: int, updated: int, removed: int, unchanged: int, now: datetime
    ) -> EventDraft:
        """That its repositories are as they are at the service."""
        data: dict[str, Json] = {"added": added, "updated": updated, "removed": removed, "unchanged": unchanged}
        return self._draft(ConnectionEventType.REPOSITORIES_SYNCED, now, data=data)

    def repository_selected(self, full_name: str, selected: bool, now: datetime) -> EventDraft:
        """That the team has chosen a repository to be used, or not to be."""
        self.updated_at = now
        data: dict[str, Json] = {"changed": ["repositories"], "repository": full_name, "selected": selected}
        return self._draft(ConnectionEventType.UPDATED, now, data=data)

    def credentials_expiring(self, expires_at: datetime, days_left: int, now: datetime) -> EventDraft:
        """That the credential ends soon, and only a new one helps. `days_left` is rounded up."""
        data: dict[str, Json] = {"expiresAt": expires_at.isoformat(), "days": days_left}
        return self._draft(ConnectionEventType.CREDENTIALS_EXPIRING, now, data=data)

    def delete(self, now: datetime) -> list[EventDraft]:
        """End it. Its history stays; its name is free again."""
        self.deleted_at = self.updated_at = now
        self.health.next_check_at = None
        return [self._draft(ConnectionEventType.DELETED, now, data={"name": self.name, "service": self.service})]

    def _pause_besides(self, reason: str | None, now: datetime) -> list[EventDraft]:
        """What the service suspends is paused by a member too. No step: but it is their pause now, and outlasts it."""
        self.status_reason = StatusReason(PAUSED, reason or _PAUSED_BY_A_MEMBER, Remedy.NONE)
        self.health.next_check_at, self.updated_at = None, now
        return [self._draft(ConnectionEventType.UPDATED, now, data={"changed": ["statusReason"]})]

    def _knows_later_than(self, check: HealthCheck, now: datetime) -> bool:
        """Whether a check that began after this one has been recorded: then this one is history, not news.

        One that began in the future did so by a clock that has been set back since, and tells nothing of the order.
        """
        return self.health.checked_at is not None and check.started_at < self.health.checked_at <= now

    def _take_report(
        self, to: ConnectionStatus, reason: StatusReason, told_at: datetime, now: datetime
    ) -> list[EventDraft]:
        """The step that the service asks for, unless later news of the grant is known. Either way a check follows."""
        late = self._knows_of_grant_after(told_at, now)
        self.grant_told_at = told_at if self.grant_told_at is None else max(told_at, self.grant_told_at)
        drafts = []
        if not late and self._has_step(to, Cause.SERVICE) and (to is not _S.ACTIVE or self.suspended):
            if to is _S.ACTIVE:
                self.health.consecutive_failures = 0
            drafts = self._move(to, reason, now)
        self.check_soon(now, HealthCheckTrigger.WEBHOOK)
        return drafts

    def _knows_of_grant_after(self, moment: datetime, now: datetime) -> bool:
        """Whether a later report is known, or a later check in which the service accepted the credential."""
        known = [self.grant_told_at]
        if any(probe.name == "authenticates" and probe.outcome is ProbeOutcome.PASSED for probe in self.health.probes):
            known.append(self.health.checked_at)
        return any(at is not None and moment < at <= now for at in known)

    def _failures_with(self, verdict: Verdict) -> int:
        if verdict is Verdict.PASSED:
            return 0
        return self.health.consecutive_failures + (verdict is not Verdict.INCONCLUSIVE)

    def _follow(self, check: HealthCheck, cause: Cause, now: datetime) -> list[EventDraft]:
        """The step that a check's verdict asks for, if the machine has it."""
        to = self._consequence(check.verdict)
        if self.suspended and check.started_at >= self.status_changed_at:
            cause = Cause.SERVICE  # its answer to this check is later than its report, which may have an end untold
        if to is None or not self._has_step(to, cause):
            return []
        if to is _S.ACTIVE:
            code = "RECONNECTED" if cause is Cause.RECONNECT else "CHECK_PASSED"
            return self._move(to, StatusReason(code, "The health check passed.", Remedy.NONE), now, check.id)
        failed = next(probe for probe in check.probes if probe.outcome is ProbeOutcome.FAILED)
        return self._move(to, StatusReason(failed.code.upper(), failed.message, failed.remedy), now, check.id)

    def _consequence(self, verdict: Verdict) -> ConnectionStatus | None:
        if verdict is Verdict.PASSED:
            return _S.ACTIVE
        if verdict is Verdict.EXPIRED:
            return _S.EXPIRED
        if verdict is Verdict.REVOKED:
            return _S.REVOKED
        if verdict is Verdict.FAILED and self.health.consecutive_failures >= FAILURES_BEFORE_ERROR:
            return _S.ERROR
        return None

    def _has_step(self, to: ConnectionStatus, cause: Cause) -> bool:
        return cause in TRANSITIONS.get((self.status, to), Cause(0))

    def _move(
        self, to: ConnectionStatus, reason: StatusReason, now: datetime, health_check_id: UUID | None = None
    ) -> list[EventDraft]:
        change = StatusChange(self.status, to, reason)
        self.status, self.status_reason, self.status_changed_at, self.updated_at = to, reason, now, now
        self.health.finding = None
        changed = ConnectionEventType.STATUS_CHANGED
        return [self._draft(changed, now, status_change=change, health_check_id=health_check_id)]

    def _draft(
        self,
        type_: ConnectionEventType,
        now: datetime,
        *,
        status_change: StatusChange | None = None,
        health_check_id: UUID | None = None,
        data: Mapping[str, Json] | None = None,
    ) -> EventDraft:
        return EventDraft(type_, self.organization_id, self.id, now, status_change, health_check_id, data or {})
