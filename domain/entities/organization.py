"""Organization: who owns connections. Made by UserService, read everywhere: every tenant row carries its id."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.entities.health import USUAL_INTERVAL
from domain.entities.text import clean_name
from domain.errors import InvalidInput

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(slots=True)
class Organization:
    """A team or company. `slug` is its name in addresses and never given twice.

    `check_interval`: how often its healthy connections are checked.
    """

    id: UUID
    slug: str
    name: str
    created_at: datetime
    updated_at: datetime
    version: int = 1
    check_interval: timedelta = USUAL_INTERVAL

    @classmethod
    def create(cls, *, id: UUID, slug: str, name: str, now: datetime) -> "Organization":
        """A new organization. Raises InvalidInput for a slug or name that can't be used."""
        if not _SLUG.fullmatch(slug):
            raise InvalidInput(
                "A slug is 1 to 63 of a-z, 0-9 and '-', and neither begins nor ends with '-', such as 'acme-tools'.",
                ("input", "slug"),
            )
        return cls(id, slug, clean_name(name, ("input", "name")), now, now)
