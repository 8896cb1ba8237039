"""What the simulated Slack sends by itself: signed, wrapped and answered as Slack's events are."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.sandbox.conftest import START
from tests.sandbox_server import SandboxServer
from tests.webhook_address import Answering, Arrived, WebhookAddress, acknowledge, webhook_address

pytestmark = pytest.mark.anyio

SECRET = "a-signing-secret-of-the-sandbox"
MESSAGE = {"type": "message", "channel": "C1", "user": "U1", "text": "hello", "ts": "1.2"}


@asynccontextmanager
async def listening(
    sandbox: SandboxServer, client: httpx2.AsyncClient, answering: Answering = acknowledge
) -> AsyncIterator[WebhookAddress]:
    target = f"{sandbox.url}/_sandbox/webhooks/slack"
    async with webhook_address(answering) as address:
        assert (await client.put(target, json={"url": address.url, "secret": SECRET})).status_code == 200
        yield address
        assert (await client.delete(target)).status_code == 204


def signature(came: Arrived) -> str:
    base = f"v0:{came.headers['x-slack-request-timestamp']}:".encode() + came.body
    return f"v0={hmac.new(SECRET.encode(), base, hashlib.sha256).hexdigest()}"


async def test_an_event_is_wrapped_and_signed(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    async with listening(sandbox, client) as address:
        sent = (await client.post(f"{sandbox.url}/_sandbox/slack/events", json={"event": MESSAGE})).json()
    (came,) = address.arrived
    assert came.headers["x-slack-signature"] == signature(came)
    assert came.headers["x-slack-request-timestamp"] == str(int(START.timestamp()))
    assert "x-slack-retry-num" not in came.headers
    wrapped: dict[str, Any] = json.loads(came.body)
    assert wrapped.pop("token")
    assert wrapped == {
        "team_id": "T0ACME123",
        "api_app_id": "A0SANDBOX",
        "event": MESSAGE,
        "type": "event_callback",
        "event_id": sent["id"],
        "event_time": int(START.timestamp()),
    }
    assert sent == {"id": wrapped["event_id"], "status": 200, "answer": ""}


async def test_a_repeat_a_stale_one_and_a_forged_one_can_be_asked_for(
    sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    asked = {"event": MESSAGE, "envelope": {"event_id": "Ev7"}, "team_id": "T2"}
    async with listening(sandbox, client) as address:
        for change in ({"retry_num": 2}, {"age_seconds": 400}, {"secret": "another"}):
            await client.post(f"{sandbox.url}/_sandbox/slack/events", json=asked | change)
    repeat, stale, forged = address.arrived
    assert (repeat.headers["x-slack-retry-num"], repeat.headers["x-slack-retry-reason"]) == ("2", "http_timeout")
    assert stale.headers["x-slack-request-timestamp"] == str(int(START.timestamp()) - 400)
    assert stale.headers["x-slack-signature"] == signature(stale)
    assert forged.headers["x-slack-signature"] != signature(forged)
    assert [(json.loads(each.body)["event_id"], json.loads(each.body)["team_id"]) for each in address.arrived] == [
        ("Ev7", "T2")
    ] * 3


async def test_an_address_is_verified_by_its_answer(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    verification = f"{sandbox.url}/_sandbox/slack/url_verification"

    def echo(came: Arrived) -> tuple[int, str]:
        return 200, json.loads(came.body)["challenge"]

    async with listening(sandbox, client, echo) as address:
        assert (await client.post(verification)).json()["verified"] is True
    assert json.loads(address.arrived[0].body)["type"] == "url_verification"
    assert address.arrived[0].headers["x-slack-signature"] == signature(address.arrived[0])
    async with listening(sandbox, client):
        assert (await client.post(verification)).json()["verified"] is False


async def test_nobody_at_the_address_and_no_address_are_told(
    sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    events, verification = (f"{sandbox.url}/_sandbox/slack/{each}" for each in ("events", "url_verification"))
    for answer in (await client.post(events, json={"event": MESSAGE}), await client.post(verification)):
        assert answer.status_code == 404
    target = f"{sandbox.url}/_sandbox/webhooks/slack"
    await client.put(target, json={"url": "http://127.0.0.1:1/hook", "secret": SECRET})
    sent = (await client.post(events, json={"event": MESSAGE})).json()
    await client.delete(target)
    assert (sent["status"], sent["answer"]) == (None, None)


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ({}, "event"),
        ({"event": {}}, "event"),
        ({"event": [], "team_id": "T1"}, "event"),
        ({"event": MESSAGE, "colour": 1}, "colour"),
        ({"event": MESSAGE, "envelope": 1}, "envelope"),
        ({"event": MESSAGE, "retry_num": "1"}, "retry_num"),
    ],
)
async def test_mistakes_are_422_and_named_by_key(
    sandbox: SandboxServer, client: httpx2.AsyncClient, document: dict[str, object], key: str
) -> None:
    response = await client.post(f"{sandbox.url}/_sandbox/slack/events", json=document)
    assert response.status_code == 422
    assert key in [problem["key"] for problem in response.json()["problems"]]


async def test_a_body_that_is_no_json_is_422(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    response = await client.post(f"{sandbox.url}/_sandbox/slack/events", content=b"{")
    assert response.status_code == 422


async def test_a_revoked_token_is_told_by_its_bot_and_never_by_itself(
    sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    await sandbox.put_token("s-told", service="slack")
    async with listening(sandbox, client) as address:
        await client.post(f"{sandbox.slack_api_url}/auth.revoke", headers={"authorization": "Bearer s-told"})
    (came,) = address.arrived
    assert json.loads(came.body)["event"] == {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U0ACMEBOT"]}}
    assert b"s-told" not in came.body
