"""Doorbell: a small service whose webhooks say plainly what they mean, so that tests can have it report anything.

A delivery's body is JSON: whom it is about (`keys`), what has happened (`effects`, each a list of its name and its
parts), and `at`, a moment, where it tells one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from domain.credential_secrets import CredentialSecret
from domain.entities.health import ExternalAccount, Identity
from domain.services.authorization import AuthorizationMethod
from domain.services.base import Identified, IdentityAnswer
from domain.services.repository_listing import (
    PageUnchanged,
    RemoteRepository,
    RepositoryListing,
    RepositoryPage,
)
from domain.services.service_fault import ServiceFault
from domain.services.standard_service import StandardService
from domain.services.webhooks import (
    Challenge,
    Delivery,
    Refusal,
    RepositoriesChanged,
    ScopesChanged,
    Suspended,
    Unsuspended,
    WebhookEffect,
    WebhookMessage,
    Webhooks,
    Withdrawn,
)

EFFECTS = {each.__name__: each for each in (Withdrawn, Suspended, Unsuspended, ScopesChanged)}


def delivery(
    delivery_id: str, *effects: WebhookEffect, keys: Sequence[str] = ("house:1",), at: datetime | None = None
) -> Delivery:
    """A delivery as Doorbell would have sent it."""
    body = {
        "keys": list(keys),
        "effects": [[type(effect).__name__, asdict(effect)] for effect in effects],
        "at": None if at is None else at.isoformat(),
    }
    return Delivery(delivery_id, "ring", json.dumps(body).encode())


class Doorbell(StandardService):
    """It knows every credential as the same house's. `webhooks` can be taken away, as by an operator."""

    id = "doorbell"
    name = "Doorbell"
    description = "Rings."
    documentation_url = "https://doorbell.example/docs"
    authorization_methods = (AuthorizationMethod.TOKEN,)

    def __init__(self) -> None:
        self.webhooks: Webhooks | None = DoorbellWebhooks()
        self.repositories: RepositoryListing | None = DoorbellRepositories()

    async def identify(self, secret: CredentialSecret) -> IdentityAnswer:
        return Identified(Identity(ExternalAccount("1", "House"), webhook_key="house:1"), None, 1)


class DoorbellWebhooks:
    """Whoever knows the word is Doorbell."""

    def receive(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery | Challenge | Refusal:
        if headers.get("x-doorbell") != "ding":
            return Refusal.SIGNATURE_WRONG
        return Delivery(headers["x-delivery"], "ring", body)

    def read(self, delivery: Delivery) -> WebhookMessage:
        said = json.loads(delivery.body)
        at = said["at"]
        return WebhookMessage(
            keys=said["keys"],
            effects=[_effect(name, parts) for name, parts in said["effects"]],
            event={"service": "doorbell", "type": delivery.event},
            occurred_at=None if at is None else datetime.fromisoformat(at),
        )


class DoorbellRepositories:
    """None."""

    async def page(
        self, secret: CredentialSecret, at: str | None, etag: str | None
    ) -> RepositoryPage | PageUnchanged | ServiceFault:
        return RepositoryPage((), None, None, None)


def _effect(name: str, parts: dict[str, Any]) -> WebhookEffect:
    if name == RepositoriesChanged.__name__:
        present = [RemoteRepository(**remote) for remote in parts["present"]]
        return RepositoriesChanged(present, parts["removed_ids"], parts["sync"], parts["unproven"])
    effect: WebhookEffect = EFFECTS[name](**parts)
    return effect
