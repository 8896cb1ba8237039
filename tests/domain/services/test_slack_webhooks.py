"""Slack's Events API: what is taken for Slack's, and what it is taken to mean."""

import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.health import Json
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.oauth_client import OAuthClient
from domain.services.service_fault import ServiceFault
from domain.services.slack import Slack
from domain.services.slack.webhooks import SlackWebhooks
from domain.services.webhooks import (
    Challenge,
    Delivery,
    Refusal,
    ScopesChanged,
    WebhookMessage,
    Withdrawn,
)
from tests.domain.services.test_slack_authorization import App, an_app
from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer
from tests.webhook_address import Arrived, WebhookAddress, webhook_address

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
WEB = "https://slack.example"
SECRET = Secret(secrets.token_hex(16))
WEBHOOKS = SlackWebhooks([SECRET], WEB)


def signed(body: bytes, *, at: datetime = NOW, secret: Secret = SECRET) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    base = b":".join((b"v0", timestamp.encode(), body))
    signature = hmac.new(secret.reveal().encode(), base, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={signature}"}


def received(document: object, **envelope: Any) -> Delivery | Challenge | Refusal:
    body = json.dumps(document).encode()
    return WEBHOOKS.receive(signed(body, **envelope), body, NOW)


def delivered(event: object, **envelope: object) -> WebhookMessage:
    found = received(
        {"type": "event_callback", "event_id": "Ev1", "team_id": "T1", "token": "canary", "event": event, **envelope}
    )
    assert isinstance(found, Delivery), found
    return WEBHOOKS.read(found)


EVENT = {"type": "event_callback", "event_id": "Ev1", "team_id": "T1", "event": {"type": "app_uninstalled"}}


def test_a_signed_event_is_taken_under_its_own_id() -> None:
    body = json.dumps(EVENT).encode()

    found = WEBHOOKS.receive({name.upper(): value for name, value in signed(body).items()}, body, NOW)

    assert found == Delivery("Ev1", "app_uninstalled", body)


def test_the_signature_is_over_the_body_as_it_came() -> None:
    body = json.dumps(EVENT, indent=3).encode()
    headers = signed(body)

    assert isinstance(WEBHOOKS.receive(headers, body, NOW), Delivery)
    assert WEBHOOKS.receive(headers, json.dumps(EVENT).encode(), NOW) is Refusal.SIGNATURE_WRONG
    assert WEBHOOKS.receive(headers, body + b" ", NOW) is Refusal.SIGNATURE_WRONG


def test_while_one_secret_replaces_another_both_count() -> None:
    old, new = Secret("old"), Secret("new")
    webhooks = SlackWebhooks([new, old], WEB)
    body = json.dumps(EVENT).encode()

    for secret in (old, new):
        assert isinstance(webhooks.receive(signed(body, secret=secret), body, NOW), Delivery)
    assert webhooks.receive(signed(body, secret=Secret("older")), body, NOW) is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize("missing", ["X-Slack-Request-Timestamp", "X-Slack-Signature"])
def test_a_missing_header_is_a_missing_signature(missing: str) -> None:
    body = json.dumps(EVENT).encode()
    headers = signed(body)
    headers.pop(missing)

    assert WEBHOOKS.receive(headers, body, NOW) is Refusal.SIGNATURE_MISSING


@pytest.mark.parametrize(("minutes", "taken"), [(-6, False), (-5, True), (0, True), (5, True), (6, False)])
def test_five_minutes_either_way_are_the_window(minutes: int, taken: bool) -> None:
    found = received(EVENT, at=NOW + timedelta(minutes=minutes))

    assert isinstance(found, Delivery) if taken else found is Refusal.STALE


def test_a_forged_time_needs_a_signature_of_its_own() -> None:
    body = json.dumps(EVENT).encode()
    old = signed(body, at=NOW - timedelta(hours=1))
    fresh = old | {"X-Slack-Request-Timestamp": str(int(NOW.timestamp()))}

    assert WEBHOOKS.receive(fresh, body, NOW) is Refusal.SIGNATURE_WRONG


def test_an_address_is_verified_only_for_whoever_signs() -> None:
    question = {"type": "url_verification", "token": "canary", "challenge": "3eZbrw1aB"}
    body = json.dumps(question).encode()

    assert received(question) == Challenge("3eZbrw1aB")
    assert "3eZbrw1aB" not in repr(received(question))
    assert WEBHOOKS.receive({}, body, NOW) is Refusal.SIGNATURE_MISSING
    assert WEBHOOKS.receive(signed(body, secret=Secret("x")), body, NOW) is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b"token=x&command=%2Fweather&team_id=T1",
        b"payload=%7B%22type%22%3A%22block_actions%22%7D",
        b'{"type": "event_callback"}',
        b'{"type": "event_callback", "event_id": "Ev1", "event": []}',
        b'{"type": "event_callback", "event_id": 7, "event": {"type": "message"}}',
        b'{"type": "event_callback", "event_id": "Ev\\u0000", "event": {"type": "message"}}',
        b'{"type": "event_callback", "event_id": "Ev1", "event": {"type": "mess age"}}',
        b'{"type": "url_verification"}',
        b'{"type": "url_verification", "challenge": "<script>\\n</script>"}',
        b'{"type": "url_verification", "challenge": ""}',
        b'{"type": "block_actions"}',
    ],
)
def test_what_is_no_event_is_malformed_and_only_for_whoever_signs(body: bytes) -> None:
    assert WEBHOOKS.receive(signed(body), body, NOW) is Refusal.MALFORMED
    assert WEBHOOKS.receive(signed(body, secret=Secret("x")), body, NOW) is Refusal.SIGNATURE_WRONG


def test_a_signed_time_that_is_none_is_malformed() -> None:
    body = json.dumps(EVENT).encode()
    signature = hmac.new(SECRET.reveal().encode(), b"v0:soon:" + body, hashlib.sha256).hexdigest()
    headers = {"x-slack-request-timestamp": "soon", "x-slack-signature": f"v0={signature}"}

    assert WEBHOOKS.receive(headers, body, NOW) is Refusal.MALFORMED


def test_a_removed_app_withdraws_the_workspaces_grant() -> None:
    found = delivered({"type": "app_uninstalled"}, event_time=int(NOW.timestamp()))

    assert found.keys == ("team:T1",)
    assert [type(effect) for effect in found.effects] == [Withdrawn]
    assert found.event == {"service": "slack", "type": "app_uninstalled"}
    assert found.occurred_at == NOW + timedelta(seconds=1), "the end of the second that Slack names"


@pytest.mark.parametrize(
    ("tokens", "effect"),
    [
        ({"bot": ["U1"]}, Withdrawn),
        ({"oauth": ["U2"], "bot": ["U1"]}, Withdrawn),
        ({"oauth": ["U2"], "bot": []}, ScopesChanged),
        ({"oauth": ["U2"]}, ScopesChanged),
        ({}, ScopesChanged),
        (None, ScopesChanged),
    ],
)
def test_revoked_tokens_withdraw_a_grant_only_where_a_bots_are_among_them(
    tokens: object, effect: type[Withdrawn | ScopesChanged]
) -> None:
    found = delivered({"type": "tokens_revoked", "tokens": tokens})

    assert [type(each) for each in found.effects] == [effect]


@pytest.mark.parametrize("name", ["team_rename", "team_domain_change", "team_access_granted", "team_access_revoked"])
def test_what_changes_a_workspace_is_worth_a_check(name: str) -> None:
    assert delivered({"type": name}).effects == (ScopesChanged(),)


@pytest.mark.parametrize(
    ("envelope", "keys"),
    [
        ({}, ("team:T1",)),
        ({"enterprise_id": "E1"}, ("team:T1",)),
        ({"enterprise_id": "E1", "is_enterprise_install": True}, ("enterprise:E1",)),
        ({"enterprise_id": "E1", "team_id": None}, ("enterprise:E1",)),
        ({"team_id": None}, ()),
        ({"team_id": 7}, ()),
        (
            {
                "authorizations": [
                    {"team_id": "T2", "enterprise_id": None, "is_enterprise_install": False},
                    {"team_id": "T1", "enterprise_id": "E1", "is_enterprise_install": True},
                    {"team_id": "T2"},
                ]
            },
            ("team:T2", "enterprise:E1"),
        ),
        ({"authorizations": []}, ("team:T1",)),
        ({"authorizations": "all"}, ("team:T1",)),
    ],
)
def test_the_keys_are_those_of_the_installations_that_see_it(envelope: dict[str, object], keys: tuple[str]) -> None:
    assert delivered({"type": "message"}, **envelope).keys == keys


MESSAGE = {"type": "message", "user": "U2", "channel": "C3", "ts": "1700000000.000200", "text": "Deploy\nnow\0!"}
STANDARD = {
    "service": "slack",
    "type": "message",
    "action": "created",
    "actor": "U2",
    "subject": "1700000000.000200",
    "text": "Deploy\nnow!",
    "channel": "C3",
    "url": "https://slack.example/archives/C3/p1700000000000200",
}


@pytest.mark.parametrize(
    ("event", "shape"),
    [
        (MESSAGE, STANDARD),
        ({**MESSAGE, "type": "app_mention"}, {**STANDARD, "type": "app_mention"}),
        (
            {**MESSAGE, "user": None, "bot_id": "B4", "subtype": "bot_message"},
            {**STANDARD, "actor": "B4", "action": "bot_message"},
        ),
        (
            {"type": "message", "subtype": "message_changed", "channel": "C3", "ts": "9.9", "message": MESSAGE},
            {**STANDARD, "action": "changed"},
        ),
        (
            {"type": "message", "subtype": "message_deleted", "channel": "C3", "previous_message": MESSAGE},
            {**{key: value for key, value in STANDARD.items() if key != "text"}, "action": "deleted"},
        ),
        (
            {
                "type": "reaction_added",
                "user": "U2",
                "reaction": "thumbsup",
                "item": {"type": "message", "channel": "C3", "ts": "1700000000.000200"},
                "item_user": "U9",
            },
            {**STANDARD, "type": "reaction_added", "action": "added", "text": "thumbsup"},
        ),
        (
            {"type": "member_joined_channel", "user": "U2", "channel": "C3", "inviter": "U9"},
            {"service": "slack", "type": "member_joined_channel", "actor": "U2", "channel": "C3"},
        ),
        (
            {"type": "channel_rename", "channel": {"id": "C3", "name": "new", "created": 1}},
            {"service": "slack", "type": "channel_rename", "channel": "C3"},
        ),
        ({"type": "message", "user": "<b>", "channel": [], "ts": "x", "text": 7}, {
            "service": "slack", "type": "message", "action": "created",
        }),
    ],
)  # fmt: skip
def test_an_event_has_the_standard_shape(event: dict[str, Json], shape: dict[str, Json]) -> None:
    found = delivered(event)

    assert found.event == shape
    assert found.effects == ()


@pytest.mark.parametrize("event_time", [None, True, "1700000000", -1, 0, 10**30, 1.5])
def test_a_time_that_cannot_be_meant_is_none(event_time: object) -> None:
    assert delivered({"type": "app_uninstalled"}, event_time=event_time).occurred_at is None


def test_a_long_message_is_cut() -> None:
    text = delivered({**MESSAGE, "text": "x" * 40_000}).event["text"]

    assert text == "x" * 4_000


def test_the_note_that_events_are_limited_has_an_id_of_its_own_for_each_minute() -> None:
    note = {"type": "app_rate_limited", "token": "canary", "team_id": "T1", "minute_rate_limited": 1518467820}

    found = received(note)

    assert isinstance(found, Delivery)
    assert (found.id, found.event) == ("app_rate_limited-T1-1518467820", "app_rate_limited")
    assert WEBHOOKS.read(found).event == {"service": "slack", "type": "app_rate_limited"}


def test_nothing_secret_of_the_wrapping_is_in_the_event() -> None:
    assert "canary" not in json.dumps(delivered(MESSAGE).event)


any_json: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("type", "event", "event_id", "team_id", "enterprise_id", "authorizations", "tokens", "bot"),
                    *("challenge", "user", "channel", "ts", "text", "subtype", "message", "item", "event_time", "id"),
                ]
            ),
            inner,
        )
    ),
    max_leaves=15,
)
EVENT_NAMES = ["message", "app_mention", "reaction_added", "app_uninstalled", "tokens_revoked", "team_rename", "other"]


@given(st.binary(max_size=80) | any_json.map(lambda document: json.dumps(document).encode()))
def test_any_signed_body_is_taken_or_refused(body: bytes) -> None:
    assert isinstance(WEBHOOKS.receive(signed(body), body, NOW), Delivery | Challenge | Refusal)


@given(st.dictionaries(st.sampled_from(["x-slack-signature", "X-Slack-Request-Timestamp"]), st.text()), st.binary())
def test_whatever_the_headers_hold_nothing_unsigned_is_taken(headers: dict[str, str], body: bytes) -> None:
    assert WEBHOOKS.receive(headers, body, NOW) in {Refusal.SIGNATURE_MISSING, Refusal.SIGNATURE_WRONG}


@given(st.sampled_from(EVENT_NAMES), st.binary(max_size=40) | any_json.map(lambda each: json.dumps(each).encode()))
def test_any_body_is_read(name: str, body: bytes) -> None:
    found = WEBHOOKS.read(Delivery("Ev1", name, body))

    assert found.event["type"] == name
    assert all(found.keys)
    assert not any("\0" in str(value) for value in found.event.values())


@given(st.sampled_from(EVENT_NAMES), any_json)
def test_any_event_is_read(name: str, event: Json) -> None:
    document = {"event": {**event, "type": name} if isinstance(event, dict) else event, "team_id": "T1"}

    found = WEBHOOKS.read(Delivery("Ev1", name, json.dumps(document).encode()))

    assert found.keys == ("team:T1",)
    assert not any("\0" in str(value) for value in found.event.values())
    json.dumps(found.event, ensure_ascii=False).encode()  # no lone surrogate, which no database takes


# From here on it is the simulated Slack that sends.


def takes(webhooks: SlackWebhooks, taken: list[Delivery]) -> Any:
    """What Tether's address does with a request."""

    def answer(came: Arrived) -> tuple[int, str]:
        match webhooks.receive(came.headers, came.body, datetime.now(UTC)):
            case Challenge() as challenge:
                return 200, challenge.text
            case Delivery() as delivery:
                taken.append(delivery)
                return 200, ""
            case Refusal() as refusal:
                return 401, refusal

    return answer


@pytest.fixture
def taken() -> list[Delivery]:
    return []


@pytest.fixture
async def address(sandbox: SandboxServer, taken: list[Delivery]) -> AsyncIterator[WebhookAddress]:
    """An address that the simulated Slack sends to, signing with SECRET."""
    async with (
        webhook_address(takes(WEBHOOKS, taken)) as made,
        httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as control,
    ):
        target = f"{sandbox.url}/_sandbox/webhooks/slack"
        (await control.put(target, json={"url": made.url, "secret": SECRET.reveal()})).raise_for_status()
        yield made
        (await control.delete(target)).raise_for_status()


async def told(sandbox: SandboxServer, path: str, **document: object) -> dict[str, Any]:
    """What the simulated Slack says came of a delivery."""
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as control:
        response = await control.post(f"{sandbox.url}/_sandbox/slack/{path}", json=document)
    answer: dict[str, Any] = response.raise_for_status().json()
    return answer


async def test_slacks_own_deliveries_are_taken_and_its_retries_share_an_id(
    sandbox: SandboxServer, address: WebhookAddress, taken: list[Delivery]
) -> None:
    assert (await told(sandbox, "url_verification"))["verified"] is True
    first = await told(sandbox, "events", event=MESSAGE)
    envelope = {"event_id": first["id"]}
    again = await told(sandbox, "events", event=MESSAGE, envelope=envelope, retry_num=1)

    assert (first["status"], again["status"]) == (200, 200)
    assert [delivery.id for delivery in taken] == [first["id"], first["id"]]
    assert [WEBHOOKS.read(delivery).event for delivery in taken] == [STANDARD, STANDARD]
    assert address.arrived[-1].headers["x-slack-retry-num"] == "1"


async def test_forged_and_stale_deliveries_are_refused(
    sandbox: SandboxServer, address: WebhookAddress, taken: list[Delivery]
) -> None:
    forged = await told(sandbox, "events", event=MESSAGE, secret="another")
    stale = await told(sandbox, "events", event=MESSAGE, age_seconds=301)

    assert [(each["status"], each["answer"]) for each in (forged, stale)] == [(401, "SIGNATURE_WRONG"), (401, "STALE")]
    assert len(address.arrived) == 2
    assert taken == []


async def test_removing_the_app_ends_its_tokens_and_withdraws_what_identify_calls_the_same(
    http: HttpClient, sandbox: SandboxServer, address: WebhookAddress, taken: list[Delivery]
) -> None:
    app = await an_app(http, sandbox, 3600)
    secret = await app.oauth_secret()
    before = await app.slack.identify(secret)

    await uninstall(app, secret.access_token, app.client)

    assert not isinstance(before, ServiceFault)
    messages = [WEBHOOKS.read(delivery) for delivery in taken]
    assert {message.event["type"] for message in messages} == {"app_uninstalled", "tokens_revoked"}
    for message in messages:
        assert message.keys == (before.identity.webhook_key,)
        assert [type(effect) for effect in message.effects] == [Withdrawn]
    after = await app.slack.identify(secret)
    assert isinstance(after, ServiceFault)
    assert after.code == "slack_token_revoked"
    assert isinstance(await app.authorization.refresh(secret), ServiceFault)


async def uninstall(app: App, token: Secret, client: OAuthClient) -> None:
    """As the app itself asks for it; Slack's events have arrived when this is done."""
    arguments = {"client_id": client.client_id, "client_secret": client.client_secret.reveal()}
    headers = {"authorization": f"Bearer {token.reveal()}"}
    async with httpx2.AsyncClient(trust_env=False, verify=NO_TLS) as caller:
        address = f"{app.sandbox.slack_api_url}/apps.uninstall"
        answer = await caller.post(address, data=arguments, headers=headers)
    assert answer.json() == {"ok": True}


def test_slack_has_webhooks_where_the_operator_has_set_a_secret() -> None:
    slack = Slack(HttpClient(), "https://slack.example/api", WEB, lambda: NOW, signing_secrets=[SECRET])
    body = json.dumps(EVENT).encode()

    assert slack.webhooks is not None
    assert isinstance(slack.webhooks.receive(signed(body), body, NOW), Delivery)
    assert SECRET.reveal() not in repr(slack.webhooks)
