"""SlackWebhooks: what Slack's Events API sends, verified by its signature. Called by the webhook receiver.

Slack signs the time and the body as it came, sends each event until it is acknowledged, and wants that within three
seconds. What an event says is read in `events.py`.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeGuard

from domain.entities.health import Json
from domain.secret import Secret
from domain.services.slack.events import read_event
from domain.services.webhooks import Challenge, Delivery, Refusal, WebhookMessage

SKEW_SECONDS: Final = 5 * 60
"""How far Slack's clock and ours may be apart, and how long a recorded request could be sent again."""


class SlackWebhooks:
    """Takes what is signed with any of the secrets: there are two while one is replaced by another."""

    def __init__(self, signing_secrets: Sequence[Secret], web_url: str) -> None:
        self._signing_secrets = tuple(signing_secrets)
        self._web_url = web_url

    def receive(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery | Challenge | Refusal:
        named = {name.lower(): value for name, value in headers.items()}
        timestamp = named.get("x-slack-request-timestamp", "")
        signature = named.get("x-slack-signature", "")
        if not timestamp or not signature:
            return Refusal.SIGNATURE_MISSING
        if not self._is_signed(timestamp, signature, body):
            return Refusal.SIGNATURE_WRONG
        if not _TIMESTAMP.fullmatch(timestamp):
            return Refusal.MALFORMED
        if abs(now.timestamp() - int(timestamp)) > SKEW_SECONDS:
            return Refusal.STALE
        return _opened(_parsed(body), body)

    def read(self, delivery: Delivery) -> WebhookMessage:
        return read_event(delivery.event, _parsed(delivery.body), self._web_url)

    def _is_signed(self, timestamp: str, signature: str, body: bytes) -> bool:
        signed = b":".join((b"v0", timestamp.encode(errors="replace"), body))
        shown = signature.encode(errors="replace")
        expected = (_signature(secret, signed) for secret in self._signing_secrets)
        return any(hmac.compare_digest(each, shown) for each in expected)


def _signature(secret: Secret, signed: bytes) -> bytes:
    return b"v0=" + hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest().encode()


def _opened(document: Json, body: bytes) -> Delivery | Challenge | Refusal:
    """What a signed body is. Slash commands and buttons come as forms, which belong to another address."""
    if not isinstance(document, dict):
        return Refusal.MALFORMED
    match document.get("type"):
        case "url_verification":
            challenge = document.get("challenge")
            return Challenge(challenge) if _matches(challenge, _CHALLENGE) else Refusal.MALFORMED
        case "event_callback":
            event = document.get("event")
            identifier, name = document.get("event_id"), event.get("type") if isinstance(event, dict) else None
        case "app_rate_limited":  # an envelope of its own: once a minute, without an id
            name = "app_rate_limited"
            identifier = f"{name}-{document.get('team_id')}-{document.get('minute_rate_limited')}"
        case _:
            return Refusal.MALFORMED
    if _matches(identifier, _ID) and _matches(name, _NAME):
        return Delivery(identifier, name, body)
    return Refusal.MALFORMED


def _matches(value: Json, pattern: re.Pattern[str]) -> TypeGuard[str]:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _parsed(body: bytes) -> Json:
    """The body as JSON; None for anything else."""
    try:
        document: Json = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document


_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_CHALLENGE: Final = re.compile(r"[\x21-\x7e]{1,1024}")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_NAME: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")
