"""Webhooks: how what a service sends by itself is verified and read, and what it may mean for connections.

Implemented by each service that sends them; called by the receiver and by WebhookProcessing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.entities.health import Json
from domain.services.repository_listing import RemoteRepository


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified delivery: what to keep of it until it is processed. `id` is the service's, the same in each retry."""

    id: str
    event: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """The service wants to see that the address is ours: answer with this text."""

    text: str = field(repr=False)


class Refusal(StrEnum):
    """Why a request isn't taken for the service's."""

    SIGNATURE_MISSING = "SIGNATURE_MISSING"
    SIGNATURE_WRONG = "SIGNATURE_WRONG"
    STALE = "STALE"  # signed too long ago, or in the future
    MALFORMED = "MALFORMED"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The grant is gone: the app was uninstalled, the authorization or the tokens were revoked."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Suspended:
    """The service pauses the grant, until `Unsuspended`."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unsuspended:
    """What was suspended works again."""


@dataclass(frozen=True, slots=True)
class ScopesChanged:
    """What the grant may do has changed: worth a health check."""


@dataclass(frozen=True, slots=True)
class RepositoriesChanged:
    """Some were added, removed, renamed, archived. `sync`: the delivery doesn't say enough; list them anew.

    `unproven`: anybody who has set up a hook may have made it up, so that it has no right to many syncs.
    """

    present: Sequence[RemoteRepository] = ()
    removed_ids: Sequence[str] = ()
    sync: bool = False
    unproven: bool = False


WebhookEffect = Withdrawn | Suspended | Unsuspended | ScopesChanged | RepositoriesChanged


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A delivery, understood.

    `keys`: whom it is about, as `Identity.webhook_key` says it of a connection; several where any of them will do.
    `event` is the standardized shape for the feed, free of secrets: service, type, action, actor, subject, text, url,
    repository or channel, and the thread of a reply; commands fill their arguments from it. `occurred_at`: when what it
    reports came true, if the body says just that; None elsewhere.
    """

    keys: Sequence[str]
    effects: Sequence[WebhookEffect]
    event: Mapping[str, Json]
    occurred_at: datetime | None = None


class Webhooks(Protocol):
    """One service's."""

    def receive(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery | Challenge | Refusal:
        """Verify the signature over the raw body. Header names match in any case."""

    def read(self, delivery: Delivery) -> WebhookMessage:
        """What it says. Unknown events have no effects; never raises for what a body holds."""
