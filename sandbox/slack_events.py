"""What the simulated Slack sends by itself, signed as its Events API does. The address is the control API's to set.

Used by slack.py, whose revocations and uninstallations make events, and by slack_control.py.
"""

import hmac
import secrets
from collections import deque
from collections.abc import Mapping
from hashlib import sha256

import httpx2
import orjson

from sandbox.state import SandboxState
from sandbox.tokens import Service, SlackToken

TIMEOUT_SECONDS = 3
"""How long Slack waits for an acknowledgement."""
API_APP_ID = "A0SANDBOX"

Document = dict[str, object]


class SlackEvents:
    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._outbox: deque[Document] = deque()
        self._verification_token = secrets.token_hex(12)

    def tokens_revoked(self, token: SlackToken) -> None:
        """To be sent with the next `flush`. As at Slack it names the bot and no token."""
        self._put({"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [token.bot.user_id]}}, token)

    def app_uninstalled(self, token: SlackToken) -> None:
        self._put({"type": "app_uninstalled"}, token)

    async def flush(self) -> None:
        """Send what waits, once; without an address it is dropped."""
        while self._outbox:
            await self.send(self._outbox.popleft())

    def envelope(self, event: Mapping[str, object], team_id: str, **parts: object) -> Document:
        """The event as Slack wraps it; `parts` replace or add keys of the wrapping."""
        return {
            "token": self._verification_token,
            "team_id": team_id,
            "api_app_id": API_APP_ID,
            "event": dict(event),
            "type": "event_callback",
            "event_id": f"Ev{secrets.token_hex(5).upper()}",
            "event_time": int(self._state.now().timestamp()),
            **parts,
        }

    async def send(
        self, document: Document, *, age_seconds: int = 0, retry_num: int = 0, secret: str | None = None
    ) -> Document | None:
        """Once; None where no address is set. `status` is None where nobody answered in time.

        `age_seconds`: how long ago it claims to be signed. `secret`: another than the one that is set.
        """
        target = self._state.webhook_targets.get(Service.SLACK)
        if target is None:
            return None
        body = orjson.dumps(document)
        timestamp = str(int(self._state.now().timestamp()) - age_seconds)
        signed = b":".join((b"v0", timestamp.encode(), body))
        signature = hmac.new((secret or target.secret).encode(), signed, sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "x-slack-request-timestamp": timestamp,
            "x-slack-signature": f"v0={signature}",
        }
        if retry_num:
            headers |= {"x-slack-retry-num": str(retry_num), "x-slack-retry-reason": "http_timeout"}
        sent: Document = {"id": document.get("event_id"), "status": None, "answer": None}
        async with httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
            try:
                response = await client.post(target.url, content=body, headers=headers)
            except httpx2.TransportError:
                return sent  # nobody there: told by the missing status
        return sent | {"status": response.status_code, "answer": response.text}

    async def verify_address(self) -> Document | None:
        """What Slack does when an address is set: it has to answer with the challenge."""
        challenge = secrets.token_hex(16)
        document: Document = {"token": self._verification_token, "challenge": challenge, "type": "url_verification"}
        sent = await self.send(document)
        return None if sent is None else sent | {"verified": sent["status"] == 200 and challenge in str(sent["answer"])}

    def _put(self, event: Document, token: SlackToken) -> None:
        self._outbox.append(self.envelope(event, token.account.id))
