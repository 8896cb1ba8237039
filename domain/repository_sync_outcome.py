"""What comes of syncing a connection's repositories: values of RepositorySync for those who ask it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.errors import ServiceFailure
from domain.service_failures import service_failure
from domain.services.base import Service
from domain.services.service_fault import ServiceFault

WAIT: Final = timedelta(seconds=60)
"""How long to keep away from a service that doesn't say how long."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync has done. `complete`: everything has been listed; otherwise the rest is still to come."""

    added: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    complete: bool = False

    def after(self, earlier: "SyncReport") -> "SyncReport":
        """Both, one after the other: what the earlier one changed isn't unchanged, though the later one finds it so."""
        return SyncReport(
            added=earlier.added + self.added,
            updated=earlier.updated + self.updated,
            removed=earlier.removed + self.removed,
            unchanged=max(0, self.unchanged - earlier.added - earlier.updated),
            complete=self.complete,
        )


@dataclass(frozen=True, slots=True)
class SyncStopped:
    """What kept a sync from going on, and what it had done by then, which stays."""

    service: Service
    fault: ServiceFault
    report: SyncReport

    @property
    def failure(self) -> ServiceFailure:
        """What to tell a person of it."""
        return service_failure(self.service, self.fault, credential_field=())

    @property
    def wait(self) -> timedelta:
        """How long to wait before it is worth trying again."""
        seconds = self.fault.retry_after_seconds
        return WAIT if seconds is None else timedelta(seconds=seconds)
