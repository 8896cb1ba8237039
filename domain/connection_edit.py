"""ConnectionEdit: what a member wants changed of a connection, checked before anything is loaded or locked for it.

Used by ServiceConnectionManager.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from domain.connection_checks import missing_scopes
from domain.entities.event import EventDraft
from domain.entities.health import Json
from domain.entities.service_connection import ServiceConnection
from domain.entities.text import clean_labels, clean_name
from domain.services.base import Service
from domain.services.settings import accepted_settings
from domain.unset import UNSET, Unset


@dataclass(frozen=True, slots=True)
class ConnectionEdit:
    """Name, labels and settings as they will be kept. UNSET, and no `service` for the settings: they stay."""

    name: str | Unset
    labels: dict[str, str] | Unset
    settings: dict[str, Json]
    service: Service | None

    @classmethod
    def of(
        cls, *, name: str | Unset | None, labels: Json | Unset, settings: Json | Unset, service: Service | None
    ) -> Self:
        """`service`: the connection's, needed where there are settings. Raises InvalidInput."""
        return cls(
            name=UNSET if name is UNSET else clean_name(name or "", ("input", "name")),
            labels=UNSET if labels is UNSET else clean_labels(labels, ("input", "labels")),
            settings={} if settings is UNSET or service is None else accepted_settings(service, settings),
            service=service,
        )

    def apply(
        self, connection: ServiceConnection, granted_scopes: Sequence[str] | None, now: datetime
    ) -> list[EventDraft]:
        """Have the connection take it; `granted_scopes` are its credential's. Returns what happened."""
        settings, required, missing = connection.settings, connection.required_scopes, connection.missing_scopes
        if self.service is not None:
            settings, required = self.settings, self.service.required_scopes(self.settings)
            missing = missing_scopes(self.service, required, granted_scopes)
        return connection.update(
            name=connection.name if self.name is UNSET else self.name,
            labels=connection.labels if self.labels is UNSET else self.labels,
            settings=settings,
            required_scopes=required,
            missing_scopes=missing,
            now=now,
        )
