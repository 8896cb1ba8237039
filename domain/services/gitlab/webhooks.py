"""GitLabWebhooks: what GitLab's hooks send, verified. Called by the receiver and WebhookProcessing.

A hook is set up by hand, by whoever maintains a project or administers GitLab, with one of the operator's secrets.
What a delivery says is read in `events.py`.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from domain.entities.health import Json
from domain.secret import Secret
from domain.services.gitlab.events import read_event
from domain.services.gitlab.webhook_signatures import refusal, signing_keys
from domain.services.webhooks import Challenge, Delivery, Refusal, WebhookMessage


class GitLabWebhooks:
    """Takes what any of the secrets vouches for: there are two while one is replaced by another.

    Raises ValueError for a signing token (`whsec_…`) that holds no key.
    """

    def __init__(self, secrets: Sequence[Secret]) -> None:
        self._secrets = tuple(secrets)
        signing_keys(secrets)

    def receive(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery | Challenge | Refusal:
        named = {name.lower(): value for name, value in headers.items()}
        refused = refusal(named, body, self._secrets, now)
        if refused is not None:
            return refused
        event, identifier = named.get("x-gitlab-event", ""), _identifier(named, body)
        if not _EVENT.fullmatch(event) or identifier is None or not isinstance(_parsed(body), dict):
            return Refusal.MALFORMED
        return Delivery(identifier, event, body)

    def read(self, delivery: Delivery) -> WebhookMessage:
        return read_event(delivery.event, _parsed(delivery.body))


def _identifier(headers: Mapping[str, str], body: bytes) -> str | None:
    """The same in each retry. GitLab before 17.4 names no delivery, only the event, which several hooks may tell of."""
    given = headers.get("webhook-id") or headers.get("idempotency-key")
    if given is None:
        digest = hashlib.sha256(body).hexdigest()
        given = f"{headers.get('x-gitlab-event-uuid', 'event')}-{headers.get('x-gitlab-webhook-uuid', 'hook')}-{digest}"
    return given if _ID.fullmatch(given) else None


def _parsed(body: bytes) -> Json:
    """The body as JSON; None for anything else."""
    try:
        document: Json = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document


_EVENT: Final = re.compile(r"[A-Za-z0-9 ]{1,64}")
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,160}")
