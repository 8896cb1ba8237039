"""GitLab's webhooks: which are taken for GitLab's, what they are called, and whom they are about."""

import hmac
import json
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.secret import Secret
from domain.services.gitlab.webhooks import GitLabWebhooks
from domain.services.webhooks import Delivery, Refusal, RepositoriesChanged, ScopesChanged
from sandbox.serving import serving
from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
TOKEN = Secret("an-obviously-fake-hook-token")
KEY = b"0123456789abcdef0123456789abcdef"
SIGNING_TOKEN = Secret("whsec" + "_" + b64encode(KEY).decode())
BODY = json.dumps({"object_kind": "push"}).encode()


def with_token(token: Secret = TOKEN) -> dict[str, str]:
    return {"X-Gitlab-Token": token.reveal(), "X-Gitlab-Event": "Push Hook", "Idempotency-Key": "d-1"}


def signed(body: bytes = BODY, at: datetime = NOW, key: bytes = KEY) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    signature = b64encode(hmac.digest(key, b"d-1." + timestamp.encode() + b"." + body, "sha256")).decode()
    return {
        "Webhook-Id": "d-1",
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": f"v1,{signature}",
        "X-Gitlab-Event": "Push Hook",
    }


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """An address, and what was sent to it."""
    received: list[tuple[dict[str, str], bytes]] = []

    async def take(request: Request) -> Response:
        received.append((dict(request.headers), await request.body()))
        return Response(status_code=202)

    async with serving(Starlette(routes=[Route("/", take, methods=["POST"])])) as url:
        yield url, received


@pytest.mark.parametrize("secret", [TOKEN, SIGNING_TOKEN], ids=["token", "signed"])
async def test_what_gitlab_sends_is_taken(secret: Secret, sandbox: SandboxServer) -> None:
    webhooks = GitLabWebhooks([Secret("another"), secret])
    payload = {"object_kind": "push", "project": {"path_with_namespace": "acme/api"}}
    async with (
        receiving() as (url, received),
        httpx2.AsyncClient(base_url=sandbox.url, trust_env=False, verify=NO_TLS) as control,
    ):
        await control.put("/_sandbox/webhooks/gitlab", json={"url": url, "secret": secret.reveal()})
        sending = {"event": "Push Hook", "payload": payload, "id": "d-1"}
        sent = [await control.post("/_sandbox/gitlab/deliveries", json=sending) for _ in range(2)]

    assert [answer.json()["status"] for answer in sent] == [202, 202]
    deliveries = [webhooks.receive(headers, body, datetime.now(UTC)) for headers, body in received]
    assert [each.id for each in deliveries if isinstance(each, Delivery)] == ["d-1", "d-1"]
    assert isinstance(deliveries[0], Delivery)
    assert webhooks.read(deliveries[0]).event == {
        "service": "gitlab",
        "type": "push",
        "action": "pushed",
        "repository": "acme/api",
    }
    headers, body = received[0]
    assert GitLabWebhooks([Secret("another")]).receive(headers, body, datetime.now(UTC)) in {
        Refusal.SIGNATURE_WRONG,
        Refusal.SIGNATURE_MISSING,
    }


def test_a_delivery_without_any_proof_is_refused() -> None:
    for secret in (TOKEN, SIGNING_TOKEN):
        headers = {"X-Gitlab-Event": "Push Hook", "Idempotency-Key": "d-1"}
        assert GitLabWebhooks([secret]).receive(headers, BODY, NOW) is Refusal.SIGNATURE_MISSING


def test_a_signature_covers_body_id_and_time() -> None:
    webhooks = GitLabWebhooks([SIGNING_TOKEN])
    assert isinstance(webhooks.receive(signed(), BODY, NOW), Delivery)

    forged = [
        (signed(), BODY + b" "),
        (signed() | {"Webhook-Id": "d-2"}, BODY),
        (signed() | {"Webhook-Timestamp": str(int(NOW.timestamp()) + 1)}, BODY),
        (signed(key=b"x" * 32), BODY),
        (signed() | {"Webhook-Signature": ""}, BODY),
        (signed() | {"Webhook-Signature": "v1,é"}, BODY),
    ]
    for headers, body in forged:
        assert webhooks.receive(headers, body, NOW) is Refusal.SIGNATURE_WRONG


def test_one_of_several_signatures_is_enough() -> None:
    headers = signed()
    headers["Webhook-Signature"] = f"v1,AAAA {headers['Webhook-Signature']}"
    assert isinstance(GitLabWebhooks([SIGNING_TOKEN]).receive(headers, BODY, NOW), Delivery)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_an_old_signature_is_stale(seconds: int) -> None:
    headers = signed(at=NOW + timedelta(seconds=seconds))
    assert GitLabWebhooks([SIGNING_TOKEN]).receive(headers, BODY, NOW) is Refusal.STALE


def test_a_wrong_signature_is_not_saved_by_a_right_token() -> None:
    webhooks = GitLabWebhooks([TOKEN, SIGNING_TOKEN])
    headers = signed(key=b"x" * 32) | {"X-Gitlab-Token": TOKEN.reveal()}
    assert webhooks.receive(headers, BODY, NOW) is Refusal.SIGNATURE_WRONG


def test_a_signing_token_is_never_taken_in_plain() -> None:
    webhooks = GitLabWebhooks([SIGNING_TOKEN, TOKEN])
    assert webhooks.receive(with_token(SIGNING_TOKEN), BODY, NOW) is Refusal.SIGNATURE_WRONG


def test_a_signing_token_without_a_key_is_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"^A signing token of GitLab is whsec_ and base64 after that\.$") as wrong:
        GitLabWebhooks([Secret("whsec" + "_canary?")])
    assert "canary" not in str(wrong.value)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (with_token() | {"X-Gitlab-Event": ""}, BODY),
        (with_token() | {"X-Gitlab-Event": "Push\nHook"}, BODY),
        (with_token() | {"Idempotency-Key": "a b"}, BODY),
        (with_token() | {"Idempotency-Key": "x" * 161}, BODY),
        (with_token(), b"[]"),
        (with_token(), b"not JSON"),
        (with_token(), b"\xff"),
        (with_token(), b"[" * 100_000),
    ],
)
def test_what_cannot_be_a_delivery_is_malformed(headers: dict[str, str], body: bytes) -> None:
    assert GitLabWebhooks([TOKEN]).receive(headers, body, NOW) is Refusal.MALFORMED


def test_an_older_gitlabs_delivery_has_one_id_for_each_event_hook_and_body() -> None:
    def identifier(body: bytes, **headers: str) -> str:
        given = with_token() | {name.replace("_", "-"): value for name, value in headers.items()}
        del given["Idempotency-Key"]
        delivery = GitLabWebhooks([TOKEN]).receive(given, body, NOW)
        assert isinstance(delivery, Delivery)
        return delivery.id

    uuid = secrets.token_hex(16)
    first = identifier(BODY, X_Gitlab_Event_UUID=uuid, X_Gitlab_Webhook_UUID="h1")
    assert identifier(BODY, X_Gitlab_Event_UUID=uuid, X_Gitlab_Webhook_UUID="h1") == first
    others = {
        identifier(BODY, X_Gitlab_Event_UUID=uuid, X_Gitlab_Webhook_UUID="h2"),
        identifier(BODY, X_Gitlab_Event_UUID="other", X_Gitlab_Webhook_UUID="h1"),
        identifier(b'{"object_kind":"note"}', X_Gitlab_Event_UUID=uuid, X_Gitlab_Webhook_UUID="h1"),
        identifier(BODY),
    }
    assert len(others | {first}) == 5


def read(body: object, event: str = "System Hook") -> tuple[list[str], list[object], dict[str, object]]:
    message = GitLabWebhooks([TOKEN]).read(Delivery("d-1", event, json.dumps(body).encode()))
    return list(message.keys), list(message.effects), dict(message.event)


@pytest.mark.parametrize("verb", ["add_to", "remove_from", "update_for"])
@pytest.mark.parametrize("what", ["team", "group"])
def test_a_change_of_membership_lists_that_persons_projects_anew(verb: str, what: str) -> None:
    kind = f"user_{verb}_{what}"
    keys, effects, event = read(
        {
            "event_name": kind,
            "user_id": 41,
            "user_username": "johnsmith",
            "user_email": "canary@example.com",
            "project_id": 74,
            "project_path_with_namespace": "jsmith/storecloud",
        }
    )

    assert keys == ["account:41"]
    assert effects == [RepositoriesChanged(sync=True, unproven=True)]
    assert event == {
        "service": "gitlab",
        "type": kind,
        "action": f"{verb}_{what}",
        "actor": "johnsmith",
        "repository": "jsmith/storecloud",
    }


def test_whoever_knows_a_hooks_secret_writes_nothing_into_the_feeds_of_others() -> None:
    forged = {
        "event_name": "user_add_to_team",
        "user_id": 41,
        "user_username": "support",
        "object_attributes": {"title": "Sign in again", "url": "https://evil.example", "action": "open", "iid": 1},
        "project": {"web_url": "https://evil.example/again"},
    }
    keys, _, event = read(forged)

    assert keys == ["account:41"]
    assert event == {"service": "gitlab", "type": "user_add_to_team", "action": "open", "actor": "support"}


def test_a_deleted_person_is_looked_for_before_anything_is_believed() -> None:
    keys, effects, _ = read({"event_name": "user_destroy", "user_id": 41, "username": "js"})

    assert (keys, effects) == (["account:41"], [ScopesChanged()])


@pytest.mark.parametrize("kind", ["project_create", "project_rename", "project_update", "project_transfer"])
def test_a_changed_project_names_nobodys_connection(kind: str) -> None:
    keys, effects, event = read({"event_name": kind, "project_id": 1, "path_with_namespace": "a/b", "user_id": 3})

    assert (keys, effects) == ([], [RepositoriesChanged(sync=True, unproven=True)])
    assert event["repository"] == "a/b"


def test_who_acts_in_a_project_is_not_told_of_it_through_other_teams_connections() -> None:
    actor = {"user": {"id": 3, "username": "eve"}, "user_id": 3, "project": {"path_with_namespace": "a/b"}}
    merge_request = {"iid": 7, "title": "Fix\nit", "action": "open", "url": "https://g.example/a/b/-/merge_requests/7"}
    read_bodies = [
        read({"object_kind": "merge_request", "object_attributes": merge_request, **actor}, "Merge Request Hook"),
        read({"object_kind": "note", "object_attributes": {"note": "Hm."}, "issue": {"iid": 9}, **actor}, "Note Hook"),
        read(
            {"object_kind": "push", "ref": "refs/heads/main", "commits": [{"message": "One\n\nWhy"}], **actor},
            "Push Hook",
        ),
    ]

    assert [(keys, effects) for keys, effects, _ in read_bodies] == [([], [])] * 3
    shapes = [event for _, _, event in read_bodies]
    assert shapes[0] == {
        "service": "gitlab",
        "type": "merge_request",
        "action": "open",
        "actor": "eve",
        "subject": "!7",
        "text": "Fix\nit",
        "url": "https://g.example/a/b/-/merge_requests/7",
        "repository": "a/b",
    }
    assert (shapes[1]["subject"], shapes[1]["text"], shapes[1]["action"]) == ("#9", "Hm.", "commented")
    assert (shapes[2]["subject"], shapes[2]["text"]) == ("main", "One\n\nWhy")


names = st.sampled_from(
    ["object_kind", "event_name", "user_id", "user", "project", "object_attributes", "commits", "iid", "note", "ref"]
)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=15,
)
kinds = st.sampled_from(["push", "note", "issue", "merge_request", "user_add_to_team"]) | st.text(max_size=5)


@given(st.dictionaries(names, any_json), kinds, st.booleans())
def test_any_body_is_read_without_an_exception(body: dict[str, object], kind: str, named: bool) -> None:
    _, _, event = read(body | ({"object_kind": kind} if named else {}))

    assert event["service"] == "gitlab"
    assert set(event) <= {"service", "type", "action", "actor", "subject", "text", "url", "repository"}
    assert all(isinstance(part, str) and part for part in event.values())


@given(st.dictionaries(st.sampled_from(sorted(with_token() | signed())), st.text(max_size=20)), st.binary(max_size=20))
def test_any_request_is_judged_without_an_exception(headers: dict[str, str], body: bytes) -> None:
    answer = GitLabWebhooks([Secret("x" * 21), SIGNING_TOKEN]).receive(headers, body, NOW)
    assert isinstance(answer, Refusal)
