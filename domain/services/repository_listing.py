"""RepositoryListing: how a service lists the repositories that a credential reaches, page by page.

Implemented by services that have repositories; called by RepositorySync.
"""

from dataclasses import dataclass
from typing import Protocol

from domain.credential_secrets import CredentialSecret
from domain.entities.health import ServiceRateLimit
from domain.services.service_fault import ServiceFault


@dataclass(frozen=True, slots=True)
class RemoteRepository:
    """A repository as the service tells of it. `external_id` never changes; names do."""

    external_id: str
    full_name: str
    url: str
    default_branch: str | None
    private: bool
    archived: bool


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """A page. `next` is where the following one is (None: this was the last), `etag` what to ask with next time."""

    repositories: tuple[RemoteRepository, ...]
    next: str | None
    etag: str | None
    rate_limit: ServiceRateLimit | None


@dataclass(frozen=True, slots=True)
class PageUnchanged:
    """The page is what it was when its etag was given, the place of the following one included."""

    rate_limit: ServiceRateLimit | None


class RepositoryListing(Protocol):
    """One service's."""

    async def page(
        self, secret: CredentialSecret, at: str | None, etag: str | None
    ) -> RepositoryPage | PageUnchanged | ServiceFault:
        """The page at a place that an earlier one named as its next; None: the first."""
