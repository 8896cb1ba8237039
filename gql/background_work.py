"""What a server does by itself: the table of periodic work, filled in with the parts of a running Tether.

Called by `tether serve`; the short-lived commands do nothing by themselves.
"""

from datetime import timedelta

from domain.credential_revocation import CredentialRevocations
from domain.credential_vault import CredentialVault
from domain.entities.task import Task
from domain.event_retention import EventRetention
from domain.expiry_warning import ExpiryWarnings
from domain.health_history import HealthHistory
from domain.periodic_work import periodic_work
from domain.retention import Retention, in_batches
from domain.runner import Runner
from domain.task_outcome import TaskOutcome
from gql.bootstrap import Tether


def background_work(tether: Tether) -> Runner:
    """A runner for as long as `working()` lasts."""
    units_of_work, catalogue, clock = tether.units_of_work, tether.catalogue, tether.clock
    vault = CredentialVault(tether.encryption)
    retention = Retention(units_of_work, clock)
    history = HealthHistory(units_of_work, clock, timedelta(days=tether.settings.checks_kept_days))
    events = EventRetention(units_of_work, clock, timedelta(days=tether.settings.events_kept_days))

    async def forget_flows(task: Task) -> TaskOutcome:
        await in_batches(lambda limit: tether.authorization_flows.forget_expired(clock(), limit))
        return None

    return Runner(
        units_of_work,
        periodic_work(
            refresh_credential=tether.refresher.refresh_due,
            warn_of_expiry=ExpiryWarnings(units_of_work, clock).warn,
            sync_repositories=tether.repository_sync.sync_due,
            revoke_credential=CredentialRevocations(units_of_work, catalogue, vault, clock).revoke,
            process_webhook=tether.webhooks.run,
            forget_flows=forget_flows,
            forget_deliveries=retention.forget_deliveries,
            forget_deleted_connections=retention.forget_deleted_connections,
            forget_idempotency_keys=retention.forget_idempotency_keys,
            compact_health=history.compact,
            forget_health_checks=history.forget,
            forget_events=events.forget,
        ),
        clock,
    )
