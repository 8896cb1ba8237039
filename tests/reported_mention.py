"""Somebody mentions the app in Slack: its report comes in as Slack sends it, and is processed at once.

Used by the tests of the documentation, whose server has no worker.
"""

import hashlib
import hmac
import json
import time
from typing import Final

from sqlalchemy import update

from persistence.tables import service_connections
from sandbox.ready_made_clients import WEBHOOK_SECRET
from tests.gql.server import TetherServer

_TEAM: Final = "T0ACME123"


async def report_mention(server: TetherServer) -> None:
    """All connections to Slack hear of it, as if they had been made in the browser."""
    theirs = update(service_connections).where(service_connections.c.service == "slack")
    await server.alter(theirs.values(webhook_key=f"team:{_TEAM}"))
    event = {
        "type": "app_mention",
        "user": "U061F7AUR",
        "text": "<@U0LAN0Z89> can you see this?",
        "ts": "1764145000.000100",
        "channel": "C0ACME000",
    }
    envelope = {"type": "event_callback", "team_id": _TEAM, "event_id": "Ev0ACME0001", "event": event}
    body, timestamp = json.dumps(envelope).encode(), str(int(time.time()))
    digest = hmac.new(WEBHOOK_SECRET.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={digest}",
    }
    assert (await server.http.post("/webhooks/slack", content=body, headers=headers)).status_code == 202
    for kept in await server.rows("webhook_deliveries"):
        await server.tether.webhooks.process(kept["id"])
