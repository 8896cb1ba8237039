"""Repositories as a webhook changes them: added, renamed, archived, removed, each known by the service's own id.

Called by WebhookProcessing. A sync finds the same by listing; `synced_at` tells which of the two knows later.
"""

from datetime import datetime

from domain.entities.service_connection import ServiceConnection
from domain.ports import UnitOfWork
from domain.repository_pages import new_repository, renew
from domain.services.webhooks import RepositoriesChanged


async def change_repositories(
    unit: UnitOfWork, connection: ServiceConnection, change: RepositoriesChanged, told_at: datetime
) -> bool:
    """Apply what the delivery says, as of `told_at`. False where it doesn't say it all, or later news are known: sync.

    `selected` stays what the team made it.
    """
    present = {remote.external_id: remote for remote in change.present}
    named = list({*present, *change.removed_ids})
    known = await unit.repositories.list_by_external_id(connection.id, named)
    stored = {repository.external_id: repository for repository in known}
    outdated = {id_ for id_ in stored if told_at < stored[id_].synced_at}
    added = []
    for id_, remote in present.items():
        if id_ not in stored:
            added.append(new_repository(connection.organization_id, connection.id, remote, told_at))
        elif id_ not in outdated:
            renew(stored[id_], remote, told_at)
            await unit.repositories.save(stored[id_])
    await unit.repositories.add_all(added)
    removed = set(change.removed_ids) & stored.keys() - outdated
    await unit.repositories.remove([stored[id_].id for id_ in removed])
    return not (change.sync or outdated)
