"""GitHubWebhooks: what GitHub sends by itself, verified and read. Made by service.py where a secret is set.

GitHub doesn't try again by itself, and signs no time: a delivery is good whenever it comes, and once.
"""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qs

from domain.entities.health import Json
from domain.secret import Secret
from domain.services.github.events import read_event
from domain.services.webhooks import Challenge, Delivery, Refusal, WebhookMessage


class GitHubWebhooks:
    """`secrets`: any of them may have signed; there are several while the secret is changed."""

    def __init__(self, secrets: Sequence[Secret], web_url: str) -> None:
        self._secrets = secrets
        self._web_url = web_url

    def receive(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery | Challenge | Refusal:
        """`X-Hub-Signature-256` is over the raw body; the older SHA-1 isn't taken."""
        named = {name.lower(): value for name, value in headers.items()}
        signature = named.get("x-hub-signature-256")
        if signature is None:
            return Refusal.SIGNATURE_MISSING
        if not self._has_signed(signature, body):
            return Refusal.SIGNATURE_WRONG
        delivery_id, event = named.get("x-github-delivery", ""), named.get("x-github-event", "")
        if not _DELIVERY_ID.fullmatch(delivery_id) or not _EVENT.fullmatch(event):
            return Refusal.MALFORMED
        return Delivery(delivery_id, event, body)

    def read(self, delivery: Delivery) -> WebhookMessage:
        return read_event(delivery.event, _document(delivery.body), self._web_url)

    def _has_signed(self, signature: str, body: bytes) -> bool:
        found = _SIGNATURE.fullmatch(signature.strip())
        shown = found.group(1) if found is not None else ""
        expected = [hmac.new(secret.reveal().encode(), body, sha256).hexdigest() for secret in self._secrets]
        return sum(hmac.compare_digest(each, shown) for each in expected) > 0  # all of them, whichever it was


def _document(body: bytes) -> Json:
    """The payload, as JSON or in the form that a webhook can be set up to send; None for anything else."""
    try:
        text = body.decode()
        if text.startswith("payload="):
            text = parse_qs(text, max_num_fields=10)["payload"][0]
        document: Json = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        return None
    return document


_SIGNATURE: Final = re.compile(r"sha256=([0-9a-f]{64})")
_DELIVERY_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_EVENT: Final = re.compile(r"[a-z0-9_]{1,64}")
