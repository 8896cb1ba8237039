"""What a server does by itself: the table of periodic work and the health worker, with the parts of a running Tether.

Called by `tether serve` and `tether worker`; the short-lived commands do nothing by themselves.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from domain.check_intervals import CheckIntervals
from domain.check_recorder import CheckRecorder
from domain.command_settlement import CommandSettlement
from domain.credential_revocation import CredentialRevocations
from domain.credential_vault import CredentialVault
from domain.entities.task import Task
from domain.event_retention import EventRetention
from domain.expiry_warning import ExpiryWarnings
from domain.health_history import HealthHistory
from domain.health_worker import HealthWorker
from domain.incident_news import IncidentNews
from domain.periodic_work import periodic_work
from domain.retention import Retention, in_batches
from domain.runner import Runner
from domain.scheduled_checks import ScheduledChecks
from domain.service_breakers import ServiceBreakers
from domain.task_outcome import TaskOutcome
from gql.bootstrap import Tether


class BackgroundWork:
    """The runner and the health worker of one process."""

    def __init__(self, tether: Tether) -> None:
        self.runner = _runner(tether)
        self.health_worker = _health_worker(tether)

    def hint(self) -> None:
        """Something may be due: look at once."""
        self.runner.hint()
        self.health_worker.hint()

    def stop(self) -> None:
        """Begin nothing more."""
        self.runner.stop()
        self.health_worker.stop()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Both work for as long as the block lasts, and end side by side after it."""
        works = [self.health_worker.working(), self.runner.working()]
        for work in works:
            await work.__aenter__()
        try:
            yield
        finally:
            await asyncio.gather(*(work.__aexit__(None, None, None) for work in works))


def _runner(tether: Tether) -> Runner:
    units_of_work, catalogue, clock = tether.units_of_work, tether.catalogue, tether.clock
    vault = CredentialVault(tether.encryption)
    retention = Retention(
        units_of_work,
        clock,
        timedelta(days=tether.settings.audit_kept_days),
        timedelta(days=tether.settings.command_runs_kept_days),
    )
    news = IncidentNews(units_of_work, catalogue, clock)
    history = HealthHistory(units_of_work, clock, timedelta(days=tether.settings.checks_kept_days))
    events = EventRetention(units_of_work, clock, timedelta(days=tether.settings.events_kept_days))

    async def forget_flows(task: Task) -> TaskOutcome:
        await in_batches(lambda limit: tether.authorization_flows.forget_expired(clock(), limit))
        return None

    async def forget_sign_ins(task: Task) -> TaskOutcome:
        await in_batches(lambda limit: tether.sign_in.forget_expired(clock(), limit))
        await in_batches(lambda limit: tether.sessions.forget_ended(clock(), limit))
        return None

    return Runner(
        units_of_work,
        periodic_work(
            refresh_credential=tether.refresher.refresh_due,
            warn_of_expiry=ExpiryWarnings(units_of_work, clock).warn,
            sync_repositories=tether.repository_sync.sync_due,
            revoke_credential=CredentialRevocations(units_of_work, catalogue, vault, clock).revoke,
            process_webhook=tether.webhooks.run,
            run_command=tether.commands.run_due,
            tell_service_down=news.tell_down,
            tell_service_back=news.tell_back,
            bring_checks_forward=CheckIntervals(units_of_work, clock, random.random).bring_forward,
            forget_flows=forget_flows,
            forget_sign_ins=forget_sign_ins,
            forget_deliveries=retention.forget_deliveries,
            forget_deleted_connections=retention.forget_deleted_connections,
            forget_idempotency_keys=retention.forget_idempotency_keys,
            forget_call_budgets=retention.forget_call_budgets,
            forget_invitations=retention.forget_invitations,
            compact_health=history.compact,
            forget_health_checks=history.forget,
            forget_events=events.forget,
            forget_audit_records=retention.forget_audit_records,
            settle_command_runs=CommandSettlement(units_of_work, clock, tether.metrics).settle_abandoned,
            forget_command_runs=retention.forget_command_runs,
        ),
        clock,
        observation=tether.observation,
    )


def _health_worker(tether: Tether) -> HealthWorker:
    units_of_work, catalogue, clock = tether.units_of_work, tether.catalogue, tether.clock
    checks = ScheduledChecks(
        units_of_work,
        catalogue,
        tether.health_checks,
        CredentialVault(tether.encryption),
        tether.refresher,
        tether.budgets,
        clock,
        random.random,
    )
    breakers = ServiceBreakers(
        units_of_work, catalogue, tether.board, clock, random.random, measurements=tether.metrics
    )
    recorder = CheckRecorder(units_of_work, checks, breakers, tether.metrics)
    return HealthWorker(
        units_of_work, catalogue, checks, recorder, breakers, clock, random.random, measurements=tether.metrics
    )
