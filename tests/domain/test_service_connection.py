"""The status machine: each step against the table, any sequence of them against the rules; what checks overwrite."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.entities.connection_status import TRANSITIONS, Cause, ConnectionStatus, allowed_for_members
from domain.entities.event import ConnectionEventType, EventDraft, StatusReason
from domain.entities.health import (
    ExternalAccount,
    HealthCheck,
    HealthCheckTrigger,
    HealthProbe,
    HealthStatus,
    Identity,
    Json,
    ProbeOutcome,
    Remedy,
    ServiceRateLimit,
    Verdict,
)
from domain.entities.identifiers import new_id
from domain.entities.service_connection import FAILURES_BEFORE_ERROR, ServiceConnection
from domain.errors import InvalidTransition, VersionConflict

Status = ConnectionStatus
Type = ConnectionEventType
START = datetime(2026, 1, 1, tzinfo=UTC)
ACME = ExternalAccount("583231", "acme-bot")
GLOBEX = ExternalAccount("583232", "globex-bot")


def a_connection(status: Status = Status.PENDING) -> ServiceConnection:
    connection = ServiceConnection.create(
        id=UUID(int=2),
        organization_id=UUID(int=1),
        service="github",
        name="Code",
        labels={},
        settings={},
        required_scopes=("repo",),
        created_by=None,
        now=START,
    )
    connection.status = status
    return connection


def a_check(
    verdict: Verdict,
    *,
    at: datetime = START,
    account: ExternalAccount | None = None,
    scopes: tuple[str, ...] | None = ("repo",),
    rate_limit: ServiceRateLimit | None = None,
    trigger: HealthCheckTrigger = HealthCheckTrigger.SCHEDULE,
) -> HealthCheck:
    outcome = {Verdict.PASSED: ProbeOutcome.PASSED, Verdict.INCONCLUSIVE: ProbeOutcome.WARNED}.get(
        verdict, ProbeOutcome.FAILED
    )
    status = {ProbeOutcome.PASSED: HealthStatus.HEALTHY, ProbeOutcome.WARNED: HealthStatus.DEGRADED}.get(
        outcome, HealthStatus.UNHEALTHY
    )
    probes = (
        HealthProbe("service_reachable", ProbeOutcome.PASSED, "reachable", "It answers."),
        HealthProbe("authenticates", outcome, f"came_out_{verdict.lower()}", f"It is {verdict}.", Remedy.RECONNECT),
        HealthProbe("same_account", ProbeOutcome.SKIPPED, "skipped", "Not asked."),
    )
    identity = None if account is None else Identity(account, scopes)
    return HealthCheck(
        id=new_id(),
        organization_id=UUID(int=1),
        connection_id=UUID(int=2),
        status=status,
        verdict=verdict,
        message=None,
        started_at=at,
        latency_ms=5,
        trigger=trigger,
        probes=probes,
        identity=identity,
        rate_limit=rate_limit,
    )


def record(
    connection: ServiceConnection, check: HealthCheck, *, now: datetime | None = None, reconnect: bool = False
) -> list[EventDraft]:
    """`now`: a second after the check began, unless told otherwise."""
    recorded_at = now or check.started_at + timedelta(seconds=1)
    return connection.record_check(check, missing_scopes=(), now=recorded_at, reconnect=reconnect)


WANTED_BY: Mapping[Verdict, Status] = {
    Verdict.PASSED: Status.ACTIVE,
    Verdict.EXPIRED: Status.EXPIRED,
    Verdict.REVOKED: Status.REVOKED,
    Verdict.FAILED: Status.ERROR,
}


REPORTS: Mapping[Status, StatusReason] = {
    Status.REVOKED: StatusReason("APP_UNINSTALLED", "The app was uninstalled.", Remedy.RECONNECT),
    Status.INACTIVE: StatusReason("APP_SUSPENDED", "The app is suspended.", Remedy.CONTACT_ADMIN),
    Status.ACTIVE: StatusReason("UNSUSPENDED", "The suspension has ended.", Remedy.NONE),
}


def report(
    connection: ServiceConnection, after: Status, *, told_at: datetime, now: datetime | None = None
) -> list[EventDraft]:
    """What the service reports by a webhook, named for the status that it asks for."""
    take = {
        Status.REVOKED: connection.withdraw,
        Status.INACTIVE: connection.suspend,
        Status.ACTIVE: connection.unsuspend,
    }[after]
    return take(REPORTS[after], told_at=told_at, now=now or told_at)


# The table


def test_the_table_is_the_contracts() -> None:
    written = {f"{before}>{after}": str(cause).removeprefix("Cause.") for (before, after), cause in TRANSITIONS.items()}
    assert written == {
        "PENDING>ACTIVE": "CHECK|RECONNECT",
        "PENDING>INACTIVE": "MEMBER|SERVICE",
        "PENDING>EXPIRED": "CHECK",
        "PENDING>REVOKED": "CHECK|SERVICE",
        "PENDING>ERROR": "CHECK",
        "ACTIVE>INACTIVE": "MEMBER|SERVICE",
        "ACTIVE>EXPIRED": "CHECK",
        "ACTIVE>REVOKED": "CHECK|SERVICE",
        "ACTIVE>ERROR": "CHECK",
        "INACTIVE>ACTIVE": "MEMBER|SERVICE",
        "INACTIVE>REVOKED": "SERVICE",
        "ERROR>ACTIVE": "CHECK|RECONNECT",
        "ERROR>INACTIVE": "MEMBER|SERVICE",
        "ERROR>EXPIRED": "CHECK",
        "ERROR>REVOKED": "CHECK|SERVICE",
        "EXPIRED>ACTIVE": "RECONNECT",
        "EXPIRED>REVOKED": "SERVICE",
        "REVOKED>ACTIVE": "RECONNECT",
    }


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Status, Status)))
def test_a_member_takes_the_steps_of_the_table_and_no_others(before: Status, after: Status) -> None:
    connection = a_connection(before)

    if before is after:
        assert connection.set_status(after, reason=None, now=START) == []
    elif Cause.MEMBER in TRANSITIONS.get((before, after), Cause(0)):
        [draft] = connection.set_status(after, reason="Because.", now=START)
        assert draft.status_change is not None
        assert (draft.type, draft.status_change.previous, draft.status_change.current) == (
            Type.STATUS_CHANGED,
            before,
            after,
        )
        assert connection.status is after
        assert connection.status_reason is not None
        assert connection.status_reason.message == "Because."
        assert connection.health.next_check_at == (START if after is Status.ACTIVE else None)
    else:
        with pytest.raises(InvalidTransition) as refusal:
            connection.set_status(after, reason=None, now=START)
        assert (refusal.value.current, refusal.value.wanted) == (before, after)
        assert refusal.value.allowed == allowed_for_members(before)
        assert connection.status is before


@pytest.mark.parametrize(("before", "verdict", "reconnect"), list(itertools.product(Status, Verdict, (False, True))))
def test_a_check_takes_the_steps_of_the_table_and_no_others(before: Status, verdict: Verdict, reconnect: bool) -> None:
    connection = a_connection(before)
    connection.health.consecutive_failures = FAILURES_BEFORE_ERROR - 1

    drafts = record(connection, a_check(verdict), reconnect=reconnect)

    after = WANTED_BY.get(verdict)
    cause = Cause.RECONNECT if reconnect else Cause.CHECK
    steps = [draft.status_change for draft in drafts if draft.status_change is not None]
    if after is not None and cause in TRANSITIONS.get((before, after), Cause(0)):
        assert [(step.previous, step.current) for step in steps] == [(before, after)]
        assert connection.status is after
        assert connection.status_reason == steps[0].reason
    else:
        assert steps == []
        assert connection.status is before


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Status, REPORTS)))
def test_the_service_takes_the_steps_of_the_table_and_no_others(before: Status, after: Status) -> None:
    connection = a_connection(before)

    drafts = report(connection, after, told_at=START)

    resumes_a_members_pause = (before, after) == (Status.INACTIVE, Status.ACTIVE)
    if Cause.SERVICE in TRANSITIONS.get((before, after), Cause(0)) and not resumes_a_members_pause:
        [draft] = drafts
        assert draft.status_change is not None
        assert (draft.status_change.previous, draft.status_change.current) == (before, after)
        assert connection.status_reason == draft.status_change.reason == REPORTS[after]
    else:
        assert (drafts, connection.status) == ([], before)
    assert connection.health.next_check_at == (START if connection.checkable else None)


def test_the_end_of_a_suspension_is_not_the_end_of_a_members_pause() -> None:
    connection = a_connection(Status.ACTIVE)
    connection.set_status(Status.INACTIVE, reason="Holidays.", now=START)

    for after in (Status.INACTIVE, Status.ACTIVE):
        assert report(connection, after, told_at=START) == []

    assert (connection.status, connection.suspended) == (Status.INACTIVE, False)
    assert connection.health.next_check_at is None


def test_a_members_pause_outlasts_the_suspension_during_which_it_was_asked_for() -> None:
    connection = a_connection(Status.ACTIVE)
    report(connection, Status.INACTIVE, told_at=START)

    [draft] = connection.set_status(Status.INACTIVE, reason="Holidays.", now=START)
    assert (draft.type, draft.data, draft.status_change) == (Type.UPDATED, {"changed": ["statusReason"]}, None)
    assert connection.status_reason == StatusReason("PAUSED", "Holidays.", Remedy.NONE)
    assert connection.set_status(Status.INACTIVE, reason=None, now=START) == []

    assert report(connection, Status.ACTIVE, told_at=START + timedelta(minutes=1)) == []
    check = a_check(Verdict.PASSED, at=START + timedelta(minutes=2))
    assert [draft.status_change for draft in record(connection, check)] == [None, None]
    assert (connection.status, connection.checkable) == (Status.INACTIVE, False)

    connection.set_status(Status.ACTIVE, reason=None, now=START + timedelta(minutes=3))
    assert connection.status is Status.ACTIVE


def test_a_report_that_another_has_overtaken_changes_nothing() -> None:
    connection = a_connection(Status.ACTIVE)
    report(connection, Status.ACTIVE, told_at=START + timedelta(seconds=1))

    assert report(connection, Status.INACTIVE, told_at=START, now=START + timedelta(seconds=2)) == []

    assert connection.status is Status.ACTIVE
    assert connection.health.next_check_at == START + timedelta(seconds=2)  # whoever is right will be seen then


def test_a_report_of_a_time_before_the_service_accepted_the_credential_changes_nothing() -> None:
    connection = a_connection(Status.REVOKED)
    record(connection, a_check(Verdict.PASSED, at=START, account=ACME), reconnect=True)

    before = START - timedelta(minutes=1)
    assert report(connection, Status.REVOKED, told_at=before, now=START + timedelta(minutes=1)) == []
    assert report(connection, Status.REVOKED, told_at=START, now=START + timedelta(minutes=1)) != []
    assert connection.status is Status.REVOKED


def test_a_check_that_the_service_refused_doesnt_outdate_a_report() -> None:
    connection = a_connection(Status.ACTIVE)
    record(connection, a_check(Verdict.FAILED, at=START + timedelta(seconds=1)))

    assert report(connection, Status.REVOKED, told_at=START, now=START + timedelta(seconds=2)) != []


def test_what_was_known_by_a_clock_that_was_ahead_outdates_no_report() -> None:
    connection = a_connection(Status.ACTIVE)
    report(connection, Status.ACTIVE, told_at=START + timedelta(hours=1))

    assert report(connection, Status.REVOKED, told_at=START) != []


@pytest.mark.parametrize(("verdict", "after"), [(Verdict.PASSED, Status.ACTIVE), (Verdict.REVOKED, Status.REVOKED)])
def test_what_the_service_says_to_a_later_check_ends_a_suspension_whose_end_it_never_reported(
    verdict: Verdict, after: Status
) -> None:
    connection = a_connection(Status.ACTIVE)
    report(connection, Status.INACTIVE, told_at=START)

    record(connection, a_check(verdict, at=START - timedelta(seconds=1), account=ACME))
    assert connection.status is Status.INACTIVE  # that check had begun before

    record(connection, a_check(verdict, at=START + timedelta(minutes=5), account=ACME))
    assert connection.status is after


@given(
    told=st.lists(st.sampled_from([Status.INACTIVE, Status.ACTIVE]), min_size=1, max_size=6).flatmap(
        lambda reports: st.lists(
            st.sampled_from(list(enumerate(reports))), min_size=len(reports), max_size=3 * len(reports)
        )
    )
)
def test_of_suspensions_and_their_ends_in_any_order_and_again_the_latest_counts(told: list[tuple[int, Status]]) -> None:
    connection = a_connection(Status.ACTIVE)
    for moment, after in told:
        report(connection, after, told_at=START + timedelta(seconds=moment), now=START + timedelta(minutes=1))
    assert connection.status is max(told)[1]


def test_the_reason_is_the_probe_that_failed() -> None:
    connection = a_connection(Status.ACTIVE)

    record(connection, a_check(Verdict.EXPIRED))

    assert connection.status_reason == StatusReason("CAME_OUT_EXPIRED", "It is EXPIRED.", Remedy.RECONNECT)


# What a check may overwrite


def test_a_check_brings_account_scopes_and_quota() -> None:
    connection = a_connection()
    quota = ServiceRateLimit(limit=5000, remaining=4999)

    drafts = connection.record_check(
        a_check(Verdict.PASSED, account=ACME, rate_limit=quota),
        missing_scopes=("workflow",),
        now=START + timedelta(seconds=9),
    )

    assert (connection.external_account, connection.rate_limit) == (ACME, quota)
    assert (connection.granted_scopes, connection.missing_scopes) == (("repo",), ("workflow",))
    assert (connection.health.checked_at, connection.updated_at) == (START, START + timedelta(seconds=9))
    assert [draft.type for draft in drafts] == [Type.HEALTH_CHECKED, Type.HEALTH_CHANGED, Type.STATUS_CHANGED]
    assert drafts[1].data == {"from": "UNKNOWN", "to": "HEALTHY"}


@pytest.mark.parametrize("reconnect", [False, True])
def test_another_accounts_credential_never_becomes_the_connections_account(reconnect: bool) -> None:
    connection = a_connection()
    record(connection, a_check(Verdict.PASSED, account=ACME))

    check = a_check(Verdict.FAILED, account=GLOBEX, scopes=("everything",), at=START + timedelta(minutes=1))
    record(connection, check, reconnect=reconnect)

    assert (connection.external_account, connection.granted_scopes) == (ACME, ("repo",))
    assert connection.health.status is HealthStatus.UNHEALTHY


def test_webhooks_mean_a_connection_by_the_key_of_the_account_that_it_is_of() -> None:
    connection = a_connection()
    theirs, ours = Identity(GLOBEX, webhook_key="installation:2"), Identity(ACME, webhook_key="installation:1")
    record(connection, replace(a_check(Verdict.PASSED), identity=ours))
    record(connection, replace(a_check(Verdict.FAILED, at=START + timedelta(minutes=1)), identity=theirs))
    record(connection, a_check(Verdict.PASSED, at=START + timedelta(minutes=2)))
    assert connection.webhook_key == "installation:1"


def test_an_account_may_take_another_name() -> None:
    connection = a_connection()
    record(connection, a_check(Verdict.PASSED, account=ACME))

    renamed = ExternalAccount(ACME.id, "acme-inc")
    record(connection, a_check(Verdict.PASSED, account=renamed, scopes=None, at=START + timedelta(minutes=1)))

    assert (connection.external_account, connection.granted_scopes) == (renamed, ())


def test_a_check_that_a_later_one_has_overtaken_is_history_only() -> None:
    connection = a_connection()
    record(connection, a_check(Verdict.PASSED, at=START + timedelta(seconds=5)))
    seen = (connection.status, connection.health)

    drafts = record(connection, a_check(Verdict.REVOKED, at=START), now=START + timedelta(seconds=6))

    assert [draft.type for draft in drafts] == [Type.HEALTH_CHECKED]
    assert (connection.status, connection.health) == seen


def test_a_check_recorded_by_a_clock_that_was_ahead_overtakes_none() -> None:
    connection = a_connection(Status.ACTIVE)
    record(connection, a_check(Verdict.PASSED, at=START + timedelta(hours=1)))

    record(connection, a_check(Verdict.REVOKED, at=START))

    assert (connection.status, connection.health.checked_at) == (Status.REVOKED, START)


def test_who_is_answered_again_is_no_longer_kept_away() -> None:
    blocked_until = START + timedelta(hours=1)
    for known, left in (
        (ServiceRateLimit(blocked_until=blocked_until), None),
        (ServiceRateLimit(60, 0, START, blocked_until), ServiceRateLimit(60, 0, START)),
    ):
        connection = a_connection(Status.ACTIVE)
        record(connection, a_check(Verdict.INCONCLUSIVE, rate_limit=known))
        record(connection, a_check(Verdict.FAILED, at=START + timedelta(seconds=1)))
        assert connection.rate_limit == known
        record(connection, a_check(Verdict.PASSED, at=START + timedelta(seconds=2), account=ACME))
        assert connection.rate_limit == left


def test_the_check_of_a_new_credential_counts_though_the_old_one_was_checked_later() -> None:
    connection = a_connection(Status.ACTIVE)
    record(connection, a_check(Verdict.EXPIRED, at=START + timedelta(seconds=5)))

    record(connection, a_check(Verdict.PASSED, at=START), reconnect=True)

    assert (connection.status, connection.health.consecutive_failures) == (Status.ACTIVE, 0)


def test_a_version_is_expected_or_not() -> None:
    connection = a_connection()
    connection.expect(None)
    connection.expect(1)
    with pytest.raises(VersionConflict, match="now at version 1"):
        connection.expect(2)


def test_a_deleted_connection_is_never_due() -> None:
    connection = a_connection(Status.ACTIVE)
    connection.health.next_check_at = START

    [draft] = connection.delete(START)

    assert (draft.type, connection.deleted_at) == (Type.DELETED, START)
    assert connection.health.next_check_at is None


# Any sequence


class StatusMachine(RuleBasedStateMachine):
    """Drives one connection at random, and after each step holds what it did against the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = a_connection()
        self.now = START
        self.failures_in_a_row = 0
        self.paused = False  # by a member, whatever the service does
        self.found: Verdict | None = None  # by the latest check that counts; each verdict is another finding here
        self.health = HealthStatus.UNKNOWN
        self.next_trigger = HealthCheckTrigger.SCHEDULE

    @rule(
        verdict=st.sampled_from(Verdict),
        account=st.sampled_from([ACME, GLOBEX, None]),
        trigger=st.sampled_from([each for each in HealthCheckTrigger if each is not HealthCheckTrigger.CONNECT]),
    )
    def check(self, verdict: Verdict, account: ExternalAccount | None, trigger: HealthCheckTrigger) -> None:
        before, known = self.connection.status, self.connection.external_account
        suspended, found = self.connection.suspended, self.found
        check = a_check(verdict, at=self.now, account=account, trigger=trigger)
        drafts = record(self.connection, check)
        self.took(before, drafts, Cause.SERVICE if suspended else Cause.CHECK)
        self.told(drafts, check, news=trigger is not HealthCheckTrigger.SCHEDULE or verdict is not found)
        if verdict is Verdict.PASSED:
            self.failures_in_a_row = 0
        elif verdict is not Verdict.INCONCLUSIVE:
            self.failures_in_a_row += 1
        if suspended:
            ends = {Verdict.PASSED: Status.ACTIVE, Verdict.REVOKED: Status.REVOKED}
            assert self.connection.status is ends.get(verdict, before)
        elif verdict is Verdict.INCONCLUSIVE or before in {Status.INACTIVE, Status.EXPIRED, Status.REVOKED}:
            assert self.connection.status is before
        elif verdict is Verdict.FAILED:
            failing = self.failures_in_a_row >= FAILURES_BEFORE_ERROR
            assert self.connection.status is (Status.ERROR if failing else before)
        else:
            assert self.connection.status is WANTED_BY[verdict]
        if known is not None:
            assert self.connection.external_account == known

    @rule()
    def reconnect(self) -> None:
        before, suspended = self.connection.status, self.connection.suspended
        account = self.connection.external_account or ACME
        check = a_check(Verdict.PASSED, at=self.now, account=account, trigger=HealthCheckTrigger.CONNECT)
        drafts = record(self.connection, check, reconnect=True)
        self.took(before, drafts, Cause.SERVICE if suspended else Cause.RECONNECT)
        self.told(drafts, check, news=True)
        self.failures_in_a_row = 0
        paused = before is Status.INACTIVE and not suspended
        assert self.connection.status is (Status.INACTIVE if paused else Status.ACTIVE)

    @rule(after=st.sampled_from(list(REPORTS)), minutes_ago=st.integers(0, 5))
    def hear(self, after: Status, minutes_ago: int) -> None:
        before, suspended = self.connection.status, self.connection.suspended
        told_at = self.now - timedelta(minutes=minutes_ago)
        drafts = report(self.connection, after, told_at=told_at, now=self.now)
        self.took(before, drafts, Cause.SERVICE)
        assert self.connection.health.next_check_at == (self.now if self.connection.checkable else None)
        self.next_trigger = HealthCheckTrigger.WEBHOOK
        if self.connection.status is not before:
            assert self.connection.status is after
            assert after is not Status.ACTIVE or suspended
            if after is Status.ACTIVE:
                self.failures_in_a_row = 0

    @rule(to=st.sampled_from(Status))
    def wish(self, to: Status) -> None:
        before = self.connection.status
        if to is before or to in allowed_for_members(before):
            self.took(before, self.connection.set_status(to, reason=None, now=self.now), Cause.MEMBER)
            assert self.connection.status is to
            self.paused = to is Status.INACTIVE
            if to is Status.ACTIVE and before is not to:
                self.failures_in_a_row = 0
        else:
            with pytest.raises(InvalidTransition):
                self.connection.set_status(to, reason=None, now=self.now)
            assert self.connection.status is before

    @rule(
        verdict=st.sampled_from(Verdict),
        trigger=st.sampled_from(HealthCheckTrigger),
        minutes_ago=st.integers(1, 5),
    )
    def come_late(self, verdict: Verdict, trigger: HealthCheckTrigger, minutes_ago: int) -> None:
        """What began before the latest check is history only, and told unless it was only its turn and nothing new."""
        known = self.connection.health.checked_at
        if known is None:
            return
        before = replace(self.connection, health=replace(self.connection.health))
        check = a_check(verdict, at=known - timedelta(minutes=minutes_ago), account=ACME, trigger=trigger)
        drafts = record(self.connection, check, now=self.now)
        assert self.connection == before
        news = trigger is not HealthCheckTrigger.SCHEDULE or verdict is not self.found
        assert [draft.type for draft in drafts] == [Type.HEALTH_CHECKED] * news

    @rule(trigger=st.sampled_from([HealthCheckTrigger.USE, HealthCheckTrigger.WEBHOOK]))
    def be_wanted(self, trigger: HealthCheckTrigger) -> None:
        """A real call or a webhook says that something may have changed."""
        self.connection.check_soon(self.now, trigger)
        self.next_trigger = trigger
        assert self.connection.health.next_check_at == (self.now if self.connection.checkable else None)

    @rule(scopes=st.sampled_from([("repo",), ("repo", "workflow")]))
    def edit(self, scopes: tuple[str, ...]) -> None:
        """Other settings are judged by the next check, which finds news whatever it finds."""
        due, settings = self.connection.health.next_check_at, {"requiredScopes": list[Json](scopes)}
        changes = self.connection.settings != settings
        drafts = self.connection.update(
            name=self.connection.name,
            labels={},
            settings=dict[str, Json](settings),
            required_scopes=scopes,
            missing_scopes=(),
            now=self.now,
        )
        assert [draft.type for draft in drafts] == [Type.UPDATED] * changes
        if changes:
            assert self.connection.health.finding is None
            assert self.connection.health.next_check_at == (None if due is None else self.now)

    def told(self, drafts: list[EventDraft], check: HealthCheck, *, news: bool) -> None:
        """What came of a check that counts: it is told where it is news, and is what later ones are compared with."""
        types = [draft.type for draft in drafts]
        assert (Type.HEALTH_CHECKED in types) is news
        assert (Type.HEALTH_CHANGED in types) is (check.status is not self.health)
        assert all(draft.health_check_id == check.id for draft in drafts)
        health = self.connection.health
        assert (health.diagnosis_id, health.diagnosed_at, health.checked_at) == (check.id, self.now, self.now)
        assert health.finding == (check.finding if self.connection.status is Status.ACTIVE else None)
        self.found, self.health = check.verdict, check.status
        self.next_trigger = HealthCheckTrigger.SCHEDULE

    def took(self, before: Status, drafts: list[EventDraft], cause: Cause) -> None:
        """Every change of status is a step that this cause may take, with its reason, told by exactly one event."""
        changes = [draft.status_change for draft in drafts if draft.type is Type.STATUS_CHANGED]
        if self.connection.status is before:
            assert changes == []
            return
        [change] = changes
        assert change is not None
        assert (change.previous, change.current) == (before, self.connection.status)
        assert cause in TRANSITIONS[change.previous, change.current]
        assert change.reason is not None
        assert change.reason.code.isupper()
        assert change.reason.message
        assert self.connection.status_reason == change.reason
        assert self.connection.status_changed_at >= self.now

    @invariant()
    def failures_are_counted(self) -> None:
        assert self.connection.health.consecutive_failures == self.failures_in_a_row

    @invariant()
    def the_reason_of_the_next_check_is_the_latest_one(self) -> None:
        assert self.connection.health.next_trigger is self.next_trigger

    @invariant()
    def only_where_all_is_well_may_a_check_find_nothing_new(self) -> None:
        if self.connection.health.finding is not None:
            assert (self.connection.status, self.connection.health.status) == (Status.ACTIVE, HealthStatus.HEALTHY)
            assert self.failures_in_a_row == 0

    @invariant()
    def what_a_member_paused_stays_so_and_is_not_due(self) -> None:
        """Until a member resumes it, or the service withdraws the grant."""
        self.paused = self.paused and self.connection.status is not Status.REVOKED
        assert self.paused == (self.connection.status is Status.INACTIVE and not self.connection.suspended)
        if self.paused:
            assert self.connection.health.next_check_at is None

    @invariant()
    def time_goes_on(self) -> None:
        self.now += timedelta(minutes=1)


TestStatusMachine = StatusMachine.TestCase
