"""The webhooks that the simulated GitLab sends, on the control API's word. Made in app.py.

With a signing token (`whsec_…`) as the target's secret they are signed, as newer GitLabs do; with any other secret that
is sent along as it is.
"""

import hmac
import uuid
from base64 import b64decode, b64encode
from contextlib import suppress

import httpx2
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.control_answers import document_of, json_answer, not_found, unprocessable
from sandbox.json_reader import JsonReader, Problem
from sandbox.state import SandboxState, WebhookTarget
from sandbox.tokens import Service

TIMEOUT_SECONDS = 10
SIGNING_TOKEN_PREFIX = "whsec_"  # noqa: S105 - what signing tokens begin with


class GitLabWebhooks:
    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[BaseRoute]:
        return [Route("/_sandbox/gitlab/deliveries", self.create_delivery, methods=["POST"])]

    async def create_delivery(self, request: Request) -> Response:
        """Send `payload` as the event `event` (`Push Hook`); `id` sends a delivery again."""
        document = await document_of(request)
        if isinstance(document, Problem):
            return unprocessable([document])
        settings = JsonReader(document)
        event, payload = settings.text("event", ""), settings.document("payload")
        delivery_id = settings.text_or_null("id") or str(uuid.uuid4())
        if problems := settings.problems():
            return unprocessable(problems)
        target = self._state.webhook_targets.get(Service.GITLAB)
        if target is None:
            return not_found("address")
        body = orjson.dumps(payload)
        headers = self._headers(target, event, delivery_id, body)
        status = None
        async with httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
            with suppress(httpx2.TransportError):  # nobody there: told by the missing status
                status = (await client.post(target.url, content=body, headers=headers)).status_code
        return json_answer({"id": delivery_id, "event": event, "status": status}, 201)

    def _headers(self, target: WebhookTarget, event: str, delivery_id: str, body: bytes) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "user-agent": "GitLab/18.6.0-sandbox",
            "idempotency-key": delivery_id,
            "x-gitlab-event": event,
            "x-gitlab-event-uuid": str(uuid.uuid4()),
            "x-gitlab-instance": "http://gitlab.example",
        }
        if not target.secret.startswith(SIGNING_TOKEN_PREFIX):
            return headers | {"x-gitlab-token": target.secret}
        timestamp = str(int(self._state.now().timestamp()))
        key = b64decode(target.secret.removeprefix(SIGNING_TOKEN_PREFIX))
        signature = hmac.digest(key, f"{delivery_id}.{timestamp}.".encode() + body, "sha256")
        return headers | {
            "webhook-id": delivery_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{b64encode(signature).decode()}",
        }
