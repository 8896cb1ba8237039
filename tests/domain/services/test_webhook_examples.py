"""Webhooks as GitHub has really sent them: each of the examples that Octokit collects is taken, understood and told.

The examples are npm's package in tests/webhook_examples, installed there by the first test that needs them. Where that
can't be done the tests are skipped; with CI set they fail.
"""

import hmac
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from domain.address_guard import OutboundAllow
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.github import GitHub
from domain.services.webhooks import (
    Delivery,
    RepositoriesChanged,
    ScopesChanged,
    Suspended,
    Unsuspended,
    WebhookEffect,
    WebhookMessage,
    Webhooks,
    Withdrawn,
)
from tests.npm import NpmError, node_with_packages

FOLDER: Final = Path(__file__).parents[2] / "webhook_examples"
PACKAGE: Final = FOLDER / "node_modules/@octokit/webhooks-examples"
NOW: Final = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECRET: Final = secrets.token_hex(16)

EFFECTS: Final[Mapping[str, Mapping[str, type[WebhookEffect] | None]]] = {
    "installation": {
        "created": ScopesChanged,
        "deleted": Withdrawn,
        "new_permissions_accepted": ScopesChanged,
        "suspend": Suspended,
        "unsuspend": Unsuspended,
    },
    "installation_repositories": {"added": RepositoriesChanged, "removed": RepositoriesChanged},
    "github_app_authorization": {"revoked": Withdrawn},
    "repository": {
        "anonymous_access_disabled": None,  # of an Enterprise Server: nothing that is kept of a repository
        "anonymous_access_enabled": None,
        "archived": RepositoriesChanged,
        "created": RepositoriesChanged,
        "deleted": RepositoriesChanged,
        "edited": RepositoriesChanged,
        "privatized": RepositoriesChanged,
        "publicized": RepositoriesChanged,
        "renamed": RepositoriesChanged,
        "transferred": RepositoriesChanged,
        "unarchived": RepositoriesChanged,
    },
    "public": {"": RepositoriesChanged},
}
"""By event and action. Every other event is told and has no effect."""


@dataclass(frozen=True, slots=True)
class Example:
    """`source` is where such a webhook comes from: github.com, or a version of the Enterprise Server."""

    source: str
    event: str
    payload: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.source}: {self.event}.{self.payload.get('action', '')}"


@pytest.fixture(scope="module")
def kinds() -> Mapping[str, Sequence[dict[str, Any]]]:
    """The package's kinds of events with their actions and examples, by source."""
    _install()
    return {file.parent.name: json.loads(file.read_text("utf-8")) for file in sorted(PACKAGE.glob("*/index.json"))}


@pytest.fixture(scope="module")
def examples(kinds: Mapping[str, Sequence[dict[str, Any]]]) -> Sequence[Example]:
    return [
        Example(source, kind["name"], payload)
        for source, of_source in kinds.items()
        for kind in of_source
        for payload in kind["examples"]
    ]


@pytest.fixture(scope="module")
def webhooks() -> Webhooks:
    http = HttpClient(allow=OutboundAllow())
    secrets_ = (Secret(SECRET),)
    github = GitHub(http, "https://api.github.com", "https://github.com", lambda: NOW, webhook_secrets=secrets_)
    assert github.webhooks is not None
    return github.webhooks


def test_there_are_examples_of_every_kind_of_event_that_has_an_effect(examples: Sequence[Example]) -> None:
    assert len(examples) > 700
    assert {example.event for example in examples} > EFFECTS.keys()


def test_every_example_is_taken_and_has_the_effect_of_its_kind(examples: Sequence[Example], webhooks: Webhooks) -> None:
    for example in examples:
        message = _heard(webhooks, example)
        wanted = EFFECTS.get(example.event, {}).get(example.payload.get("action", ""))
        assert [type(effect) for effect in message.effects] == ([] if wanted is None else [wanted]), str(example)


def test_every_action_that_such_an_event_can_have_is_decided(
    kinds: Mapping[str, Sequence[dict[str, Any]]], webhooks: Webhooks
) -> None:
    """Also those of which there is no example."""
    for source, of_source in kinds.items():
        for kind in of_source:
            for action in set(kind["actions"]) if kind["name"] in EFFECTS else ():
                decided = EFFECTS[kind["name"]][action]
                example = Example(source, kind["name"], {**kind["examples"][0], "action": action})
                effects = [type(effect) for effect in _heard(webhooks, example).effects]
                assert effects == ([] if decided is None else [decided]), str(example)


def test_no_example_is_believed_under_the_name_of_another_event(
    examples: Sequence[Example], webhooks: Webhooks
) -> None:
    """The name isn't signed. What is made of it then is at most that we look anew."""
    looks = (ScopesChanged(), RepositoriesChanged(sync=True))
    for example in examples:
        for name in EFFECTS.keys() - {example.event}:
            message = _heard(webhooks, replace(example, event=name))
            assert all(effect in looks for effect in message.effects), f"{example} as {name}"
            assert not any(key.startswith("account:") for key in message.keys), f"{example} as {name}"


def test_every_example_is_told_in_the_standardized_shape(examples: Sequence[Example], webhooks: Webhooks) -> None:
    for example in examples:
        told, payload = _heard(webhooks, example).event, example.payload
        repository, sender = payload.get("repository"), payload.get("sender")
        assert (told["service"], told["type"]) == ("github", example.event), str(example)
        assert told.get("action") == payload.get("action"), str(example)
        assert told.get("actor") == (sender["login"] if sender else None), str(example)
        assert told.get("repository") == (repository["full_name"] if repository else None), str(example)
        others = {"service", "type", "action", "actor", "repository", "subject", "text", "url"}
        assert told.keys() <= others, str(example)
        assert all(isinstance(part, str) and 0 < len(part) <= 4_000 for part in told.values()), str(example)


def test_every_example_is_about_its_installation_or_the_person_who_withdraws(
    examples: Sequence[Example], webhooks: Webhooks
) -> None:
    for example in examples:
        keys, installation = _heard(webhooks, example).keys, example.payload.get("installation")
        if example.event == "github_app_authorization":
            assert list(keys) == [f"account:{example.payload['sender']['id']}"], str(example)
        else:
            assert list(keys) == ([] if installation is None else [f"installation:{installation['id']}"]), str(example)


def test_repositories_are_told_by_their_numbers(examples: Sequence[Example], webhooks: Webhooks) -> None:
    for example in examples:
        if example.event != "installation_repositories":
            continue
        [effect] = _heard(webhooks, example).effects
        assert isinstance(effect, RepositoriesChanged)
        added, removed = example.payload["repositories_added"], example.payload["repositories_removed"]
        assert [(each.external_id, each.full_name) for each in effect.present] == [
            (str(each["id"]), each["full_name"]) for each in added
        ]
        assert list(effect.removed_ids) == [str(each["id"]) for each in removed]


def test_only_a_suspension_says_when_it_began(examples: Sequence[Example], webhooks: Webhooks) -> None:
    for example in examples:
        suspended_at = example.payload.get("installation", {}).get("suspended_at")
        is_suspension = (example.event, example.payload.get("action")) == ("installation", "suspend")
        expected = datetime.fromisoformat(suspended_at) if is_suspension else None
        assert _heard(webhooks, example).occurred_at == expected, str(example)


def _heard(webhooks: Webhooks, example: Example) -> WebhookMessage:
    """The example as GitHub sends it, received and read."""
    body = json.dumps(example.payload).encode()
    headers = {
        "X-GitHub-Event": example.event,
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={hmac.new(SECRET.encode(), body, sha256).hexdigest()}",
    }
    delivery = webhooks.receive(headers, body, NOW)
    assert isinstance(delivery, Delivery), str(example)
    return webhooks.read(delivery)


def _install() -> None:
    try:
        node_with_packages(FOLDER)
    except NpmError as error:
        _do_without(str(error))


def _do_without(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
