"""What GitHub sends by itself: verified over the raw body, and read for whom it is about and what it means."""

import hmac
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.http import HttpClient
from domain.secret import Secret
from domain.services.github import GitHub
from domain.services.github.webhooks import GitHubWebhooks
from domain.services.repository_listing import RemoteRepository
from domain.services.webhooks import (
    Delivery,
    Refusal,
    RepositoriesChanged,
    ScopesChanged,
    Suspended,
    Unsuspended,
    WebhookMessage,
    Withdrawn,
)
from sandbox.serving import serving
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
WEB = "https://github.example"
OLD, NEW = "the-old-webhook-secret", "the-new-webhook-secret"
WEBHOOKS = GitHubWebhooks([Secret(NEW), Secret(OLD)], WEB)
REPOSITORY = {
    "id": 7,
    "full_name": "acme/api",
    "html_url": f"{WEB}/acme/api",
    "private": True,
    "archived": False,
    "default_branch": "main",
    "owner": {"id": 1, "login": "acme"},
}
API_REPOSITORY = RemoteRepository("7", "acme/api", f"{WEB}/acme/api", "main", private=True, archived=False)


def signed(body: bytes, secret: str = NEW, **changed: str | None) -> dict[str, str]:
    headers: dict[str, str | None] = {
        "X-GitHub-Delivery": "0b989ba4-242f-11e5-81e1-c7b6966d2516",
        "X-GitHub-Event": "issues",
        "X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, sha256).hexdigest()}",
    }
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    return {name: value for name, value in headers.items() if value is not None}


def read(event: str, payload: object) -> WebhookMessage:
    return WEBHOOKS.read(Delivery("1", event, json.dumps(payload).encode()))


def test_a_delivery_is_what_was_signed() -> None:
    body = b'{"action":"opened"}'
    expected = Delivery("0b989ba4-242f-11e5-81e1-c7b6966d2516", "issues", body)

    assert WEBHOOKS.receive(signed(body), body, NOW) == expected
    assert WEBHOOKS.receive(signed(body, OLD), body, NOW) == expected
    assert WEBHOOKS.receive({name.upper(): value for name, value in signed(body).items()}, body, NOW) == expected
    assert "opened" not in repr(expected)


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        (signed(b"{}", X_Hub_Signature_256=None), Refusal.SIGNATURE_MISSING),
        (
            signed(b"{}", X_Hub_Signature_256=None)
            | {"X-Hub-Signature": f"sha1={hmac.new(NEW.encode(), b'{}', sha1).hexdigest()}"},
            Refusal.SIGNATURE_MISSING,
        ),
        (signed(b"{ }"), Refusal.SIGNATURE_WRONG),
        (signed(b"{}", "another-secret"), Refusal.SIGNATURE_WRONG),
        (signed(b"{}", X_Hub_Signature_256=""), Refusal.SIGNATURE_WRONG),
        (signed(b"{}", X_Hub_Signature_256="sha256="), Refusal.SIGNATURE_WRONG),
        (signed(b"{}", X_Hub_Signature_256="sha256=" + "é" * 64), Refusal.SIGNATURE_WRONG),
        (signed(b"{}", X_Hub_Signature_256=hmac.new(NEW.encode(), b"{}", sha256).hexdigest()), Refusal.SIGNATURE_WRONG),
        (signed(b"{}", X_GitHub_Delivery=None), Refusal.MALFORMED),
        (signed(b"{}", X_GitHub_Delivery="x" * 101), Refusal.MALFORMED),
        (signed(b"{}", X_GitHub_Event=None), Refusal.MALFORMED),
        (signed(b"{}", X_GitHub_Event="is sues"), Refusal.MALFORMED),
    ],
)
def test_what_is_not_githubs_is_refused(headers: Mapping[str, str], refusal: Refusal) -> None:
    assert WEBHOOKS.receive(headers, b"{}", NOW) is refusal


def test_without_a_secret_there_are_no_webhooks() -> None:
    http = HttpClient()
    assert GitHub(http, WEB, WEB, lambda: NOW).webhooks is None
    assert GitHub(http, WEB, WEB, lambda: NOW, webhook_secrets=[Secret("s")]).webhooks is not None


def installation(action: str, **more: object) -> dict[str, object]:
    about = {"id": 42, "app_id": 2, "account": {"id": 1, "login": "acme"}, "suspended_at": None} | more
    return {"action": action, "installation": about, "sender": {"id": 9, "login": "octocat"}}


@pytest.mark.parametrize(
    ("action", "effect"),
    [
        ("created", ScopesChanged()),
        ("new_permissions_accepted", ScopesChanged()),
        ("unsuspend", Unsuspended()),
        ("deleted", Withdrawn("github_app_uninstalled", "The app was uninstalled at GitHub.")),
        ("suspend", Suspended("github_suspended", "The installation was suspended at GitHub.")),
        ("something_new", None),
    ],
)
def test_what_becomes_of_an_installation(action: str, effect: object) -> None:
    message = read("installation", installation(action))

    assert message.keys == ("installation:42",)
    assert list(message.effects) == ([] if effect is None else [effect])
    assert message.event == {
        "service": "github",
        "type": "installation",
        "action": action,
        "actor": "octocat",
        "subject": "acme",
    }


def test_a_suspension_says_when_it_began() -> None:
    message = read("installation", installation("suspend", suspended_at="2026-11-20T09:59:30Z"))

    assert message.occurred_at == datetime(2026, 11, 20, 9, 59, 30, tzinfo=UTC)


def test_a_deleted_label_is_no_deleted_installation() -> None:
    """GitHub signs no name: whoever has recorded a body can send it as any event."""
    label = {"action": "deleted", "label": {"id": 1}, "repository": REPOSITORY, "installation": {"id": 42}}

    assert read("installation", label).effects == (ScopesChanged(),)
    assert read("repository", label).effects == (RepositoriesChanged(sync=True),)
    assert read("installation", {"action": "deleted", "installation": {"id": 42}}).effects == (ScopesChanged(),)
    assert read("installation", installation("deleted") | {"new_part": 1}).effects == (ScopesChanged(),)


def test_only_the_one_who_withdraws_an_authorization_loses_it() -> None:
    message = read("github_app_authorization", {"action": "revoked", "sender": {"id": 9, "login": "octocat"}})

    assert message.keys == ("account:9",)
    assert [type(effect) for effect in message.effects] == [Withdrawn]


@pytest.mark.parametrize("event", ["issues", "push", "repository", "member", "organization", "installation_target"])
def test_neither_owner_nor_sender_are_told_of_what_others_see(event: str) -> None:
    payload = {"action": "deleted", "repository": REPOSITORY, "sender": {"id": 9, "login": "octocat"}}

    assert read(event, payload).keys == ()
    assert read(event, payload | {"installation": {"id": 42}}).keys == ("installation:42",)


@pytest.mark.parametrize(
    ("action", "change"),
    [
        ("created", RepositoriesChanged(present=(API_REPOSITORY,))),
        ("renamed", RepositoriesChanged(present=(API_REPOSITORY,))),
        ("archived", RepositoriesChanged(present=(API_REPOSITORY,))),
        ("unarchived", RepositoriesChanged(present=(API_REPOSITORY,))),
        ("edited", RepositoriesChanged(present=(API_REPOSITORY,))),
        ("privatized", RepositoriesChanged(present=(API_REPOSITORY,))),
        ("publicized", RepositoriesChanged(present=(API_REPOSITORY,))),
        ("deleted", RepositoriesChanged(removed_ids=("7",))),
        ("transferred", RepositoriesChanged(sync=True)),
        ("something_new", None),
    ],
)
def test_what_becomes_of_a_repository(action: str, change: RepositoriesChanged | None) -> None:
    message = read("repository", {"action": action, "repository": REPOSITORY, "installation": {"id": 42}})

    assert list(message.effects) == ([] if change is None else [change])


def test_repositories_that_an_installation_gains_are_shown_and_listed_anew() -> None:
    added = {"id": 7, "full_name": "acme/api", "private": True}
    payload = installation("added") | {"repositories_added": [added], "repositories_removed": []}
    shown = RemoteRepository("7", "acme/api", f"{WEB}/acme/api", None, private=True, archived=False)

    assert read("installation_repositories", payload).effects == (RepositoriesChanged(present=(shown,), sync=True),)


def test_repositories_that_an_installation_loses_are_removed() -> None:
    removed = {"id": 7, "full_name": "acme/api", "private": True}
    payload = installation("removed") | {"repositories_added": [], "repositories_removed": [removed]}

    assert read("installation_repositories", payload).effects == (RepositoriesChanged(removed_ids=("7",)),)
    for wrong in ([{"id": "7"}], [None], None):
        payload = payload | {"repositories_removed": wrong}
        assert read("installation_repositories", payload).effects == (RepositoriesChanged(sync=True),)


@pytest.mark.parametrize(
    ("event", "payload", "subject", "text", "url"),
    [
        (
            "issues",
            {"issue": {"number": 12, "title": "It\x00 fails", "html_url": f"{WEB}/i/12"}},
            "#12",
            "It fails",
            "/i/12",
        ),
        (
            "issue_comment",
            {
                "issue": {"number": 12, "title": "It fails", "html_url": f"{WEB}/i/12"},
                "comment": {"body": "Yes.\r\n\x1b[31mOften.\n", "html_url": f"{WEB}/i/12#c"},
            },
            "#12",
            "Yes.\n[31mOften.",
            "/i/12#c",
        ),
        (
            "pull_request_review",
            {"pull_request": {"number": 3, "title": "Fix"}, "review": {"body": None, "html_url": f"{WEB}/p/3#r"}},
            "#3",
            None,
            "/p/3#r",
        ),
        (
            "pull_request",
            {"pull_request": {"number": 3, "title": "Fix", "html_url": "javascript:x"}},
            "#3",
            "Fix",
            None,
        ),
        (
            "push",
            {"ref": "refs/heads/main", "head_commit": {"message": "One\n\nTwo"}, "compare": f"{WEB}/compare"},
            "main",
            "One\n\nTwo",
            "/compare",
        ),
        ("create", {"ref": "v1", "ref_type": "tag"}, "v1", None, None),
        (
            "release",
            {"release": {"tag_name": "v1", "name": "", "body": "New.", "html_url": f"{WEB}/r"}},
            "v1",
            "New.",
            "/r",
        ),
    ],
)
def test_each_event_has_the_standardized_shape(
    event: str, payload: dict[str, object], subject: str, text: str | None, url: str | None
) -> None:
    common = {"action": "opened", "sender": {"id": 9, "login": "octo\x00cat"}, "repository": {"full_name": "acme/api"}}
    expected = {
        "service": "github",
        "type": event,
        "action": "opened",
        "actor": "octocat",
        "subject": subject,
        "text": text,
        "url": None if url is None else f"{WEB}{url}",
        "repository": "acme/api",
    }
    assert read(event, common | payload).event == {name: part for name, part in expected.items() if part is not None}


def test_texts_are_bounded() -> None:
    long = "long " * 10_000
    event = read("issue_comment", {"comment": {"body": long}, "sender": {"login": long}, "action": long}).event

    assert len(str(event["text"])) <= 4_000
    assert len(str(event["actor"])) <= 255
    assert "action" not in event


def test_the_form_that_a_webhook_can_be_set_up_to_send_is_read_too() -> None:
    body = urlencode({"payload": json.dumps(installation("deleted"))}).encode()

    assert WEBHOOKS.read(Delivery("1", "installation", body)).keys == ("installation:42",)


names = st.sampled_from(["installation", "installation_repositories", "repository", "push", "issues", "release", "x"])
keys = st.sampled_from(
    ["action", "installation", "repository", "sender", "id", "login", "full_name", "private", "archived", "html_url"]
) | st.sampled_from(
    ["repositories_added", "repositories_removed", "issue", "comment", "number", "body", "title", "ref"]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["deleted", "suspend"])
payloads = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=6), max_leaves=25
)


@given(names, payloads.map(lambda payload: json.dumps(payload).encode()) | st.binary(max_size=60))
def test_whatever_a_body_holds_is_read_without_an_exception(name: str, body: bytes) -> None:
    message = WEBHOOKS.read(Delivery("1", name, body))

    json.dumps(message.event, allow_nan=False).encode()
    assert message.event["type"] == name


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, b"payload=", b"payload=%5B" * 99])
def test_a_hostile_body_says_nothing(body: bytes) -> None:
    message = WEBHOOKS.read(Delivery("1", "installation", body))

    assert (message.keys, message.event) == ((), {"service": "github", "type": "installation"})
    assert message.effects == (ScopesChanged(),), "of nobody"


@given(st.dictionaries(st.sampled_from(["x-hub-signature-256", "x-github-event", "x-github-delivery"]), st.text()))
def test_no_headers_make_a_delivery_without_the_secret(headers: Mapping[str, str]) -> None:
    assert isinstance(WEBHOOKS.receive(headers, b"{}", NOW), Refusal)


class Receiver:
    """A place on loopback that takes webhooks as Tether's receiver does."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, WebhookMessage]] = []

    async def take(self, request: Request) -> Response:
        delivery = WEBHOOKS.receive(request.headers, await request.body(), NOW)
        if not isinstance(delivery, Delivery):
            return Response(status_code=401)
        self.messages.append((delivery.id, WEBHOOKS.read(delivery)))
        return Response(status_code=202)


@pytest.fixture
async def receiver(sandbox: SandboxServer) -> AsyncIterator[Receiver]:
    taken = Receiver()
    async with serving(Starlette(routes=[Route("/hooks", taken.take, methods=["POST"])])) as url:
        await sandbox.send_webhooks_to("github", f"{url}/hooks", OLD)
        yield taken


async def test_what_happens_to_an_installation_at_the_service_is_heard(
    sandbox: SandboxServer, receiver: Receiver
) -> None:
    app_id, number = "5005", secrets.randbelow(1 << 40)
    await sandbox.put_github_app(app_id)
    one, two = {"id": 1, "name": "one"}, {"id": 2, "name": "two"}
    changes: list[dict[str, Any]] = [
        {"app_id": app_id, "repositories": [one]},
        {"repositories": [one, two]},
        {"repositories": [two]},
        {"permissions": {"metadata": "read"}},
        {"suspended": True},
        {"suspended": False},
    ]
    for change in changes:
        await sandbox.put_installation(number, **change)
    await sandbox.remove_installation(number)

    assert {message.keys for _, message in receiver.messages} == {(f"installation:{number}",)}
    assert len({delivery_id for delivery_id, _ in receiver.messages}) == 7
    effects = [effect for _, message in receiver.messages for effect in message.effects]
    assert [type(effect) for effect in effects] == [
        ScopesChanged,
        RepositoriesChanged,
        RepositoriesChanged,
        ScopesChanged,
        Suspended,
        Unsuspended,
        Withdrawn,
    ]
    assert isinstance(effects[1], RepositoriesChanged)
    assert [each.external_id for each in effects[1].present] == ["2"]
    assert isinstance(effects[2], RepositoriesChanged)
    assert effects[2].removed_ids == ("1",)
    assert receiver.messages[4][1].occurred_at is not None


async def test_any_event_can_be_sent_by_hand(sandbox: SandboxServer, receiver: Receiver) -> None:
    delivery_id = await sandbox.send_github_webhook("issues", {"action": "opened", "issue": {"number": 5}})

    assert [(each, message.event["subject"]) for each, message in receiver.messages] == [(delivery_id, "#5")]
