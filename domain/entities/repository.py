"""Repository: a place at the service that a connection reaches. Known by the service's own id, since names change."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(slots=True)
class Repository:
    """One repository of one connection. `selected`: the team wants it used."""

    id: UUID
    organization_id: UUID
    connection_id: UUID
    external_id: str
    full_name: str
    url: str
    default_branch: str | None
    private: bool
    archived: bool
    selected: bool
    synced_at: datetime
