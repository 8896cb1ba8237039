"""Pages of a listing, applied to the repositories that are kept: what is new, what has changed, what is gone.

Called by RepositorySync in its units of work, each of which holds the connection against other writers. Webhooks make
and renew repositories in the same way.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.entities.identifiers import new_id
from domain.entities.repository import Repository
from domain.entities.repository_sync import RepositorySyncState
from domain.ports import UnitOfWork
from domain.services.repository_listing import RemoteRepository


async def apply_page(
    unit: UnitOfWork, state: RepositorySyncState, remotes: Sequence[RemoteRepository], asked_at: datetime
) -> tuple[int, int]:
    """Keep what the page says. Returns how many repositories are new, and how many of the known ones have changed.

    `selected` is the team's: it stays, and nobody has selected a new one yet. `asked_at` becomes the moment of all of
    the page's repositories, but for those of which a webhook has told later news.
    """
    by_id = {remote.external_id: remote for remote in remotes}
    same, updated = [], 0
    for repository in await unit.repositories.list_by_external_id(state.connection_id, list(by_id)):
        remote = by_id.pop(repository.external_id)
        if repository.synced_at > asked_at:
            continue
        if _as_told(repository) == remote:
            same.append(repository.id)
            continue
        updated += not _seen(repository, state)
        renew(repository, remote, asked_at)
        await unit.repositories.save(repository)
    await unit.repositories.mark_synced(same, asked_at)
    await unit.repositories.add_all(
        [new_repository(state.organization_id, state.connection_id, remote, asked_at) for remote in by_id.values()]
    )
    return len(by_id), updated


async def confirm_page(
    unit: UnitOfWork, state: RepositorySyncState, external_ids: Sequence[str], asked_at: datetime
) -> bool:
    """Note that the page is as it was. False where a webhook has changed or removed some of its repositories since.

    Then their moments differ, which were all that of the page.
    """
    known = await unit.repositories.list_by_external_id(state.connection_id, external_ids)
    if len(known) < len(set(external_ids)) or len({repository.synced_at for repository in known}) > 1:
        return False
    await unit.repositories.mark_synced([repository.id for repository in known], asked_at)
    return True


async def unseen(unit: UnitOfWork, state: RepositorySyncState) -> list[Repository]:
    """Those that are on no page, and of which nothing was heard since the listing began."""
    seen = state.seen
    kept = await unit.repositories.list(state.connection_id)
    return [each for each in kept if each.external_id not in seen and not _seen(each, state)]


def _seen(repository: Repository, state: RepositorySyncState) -> bool:
    return state.started_at is not None and repository.synced_at >= state.started_at


def _as_told(repository: Repository) -> RemoteRepository:
    return RemoteRepository(
        external_id=repository.external_id,
        full_name=repository.full_name,
        url=repository.url,
        default_branch=repository.default_branch,
        private=repository.private,
        archived=repository.archived,
    )


def new_repository(
    organization_id: UUID, connection_id: UUID, remote: RemoteRepository, told_at: datetime
) -> Repository:
    """One that the service has told of at that moment; nobody has selected it yet."""
    return Repository(
        id=new_id(),
        organization_id=organization_id,
        connection_id=connection_id,
        external_id=remote.external_id,
        full_name=remote.full_name,
        url=remote.url,
        default_branch=remote.default_branch,
        private=remote.private,
        archived=remote.archived,
        selected=False,
        synced_at=told_at,
    )


def renew(repository: Repository, remote: RemoteRepository, told_at: datetime) -> None:
    """Have it be what the service has told at that moment. `selected` is the team's, and stays."""
    repository.full_name, repository.url = remote.full_name, remote.url
    repository.default_branch, repository.private = remote.default_branch, remote.private
    repository.archived, repository.synced_at = remote.archived, told_at
