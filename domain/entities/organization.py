"""Organization: who owns connections. Made by UserService, read everywhere: every tenant row carries its id."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.entities.health import USUAL_INTERVAL, Json
from domain.entities.text import clean_name
from domain.errors import InvalidInput, VersionConflict
from domain.unset import UNSET, Unset

SHORTEST_INTERVAL: Final = timedelta(minutes=1)
LONGEST_INTERVAL: Final = timedelta(days=1)

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

    def expect(self, version: int | None) -> None:
        """Raise VersionConflict unless the caller decided on what is stored now (None: they don't mind)."""
        if version is not None and version != self.version:
            raise VersionConflict(self.version)

    def update(
        self, *, name: str | Unset | None, check_interval_seconds: int | Unset | None, now: datetime
    ) -> tuple[str, ...]:
        """Take what a member edits; which attributes have changed. Raises InvalidInput."""
        wanted = {
            "name": self.name if name is UNSET else clean_name(name or "", ("input", "name")),
            "check_interval": self.check_interval
            if check_interval_seconds is UNSET
            else _clean_interval(check_interval_seconds),
        }
        changed = tuple(what for what, value in wanted.items() if getattr(self, what) != value)
        for what in changed:
            setattr(self, what, wanted[what])
        if changed:
            self.updated_at = now
        return changed

    def told(self, attributes: Sequence[str]) -> dict[str, Json]:
        """Some of what a member edits, as clients know it."""
        known: dict[str, tuple[str, Json]] = {
            "name": ("name", self.name),
            "check_interval": ("checkIntervalSeconds", round(self.check_interval.total_seconds())),
        }
        return dict(known[attribute] for attribute in attributes)


def _clean_interval(seconds: int | None) -> timedelta:
    shortest, longest = (round(interval.total_seconds()) for interval in (SHORTEST_INTERVAL, LONGEST_INTERVAL))
    if seconds is None or not shortest <= seconds <= longest:
        raise InvalidInput(
            f"Connections can be checked every {shortest} to {longest:,} seconds, a minute to a day.",
            ("input", "checkIntervalSeconds"),
        )
    return timedelta(seconds=seconds)
