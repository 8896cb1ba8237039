"""What a server does by itself: the table of periodic work, filled in with the parts of a running Tether.

Called by `tether serve`; the short-lived commands do nothing by themselves.
"""

from domain.credential_revocation import CredentialRevocations
from domain.credential_vault import CredentialVault
from domain.entities.task import Task
from domain.expiry_warning import ExpiryWarnings
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
        ),
        clock,
        observation=tether.observation,
    )
