"""Slack's channels, page by page: what a token may see, and nothing that Slack didn't say."""

import json
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.credential_secrets import GitHubAppSecret, TokenSecret
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack import Slack
from domain.services.slack.channels import Channel, ChannelPage, SlackChannels, read_page
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

WEB = "https://slack.example"


@pytest.fixture
def channels(http: HttpClient, sandbox: SandboxServer) -> SlackChannels:
    return Slack(http, sandbox.slack_api_url, sandbox.slack_url, lambda: datetime.now(UTC)).channels


@pytest.fixture
def token() -> TokenSecret:
    return TokenSecret(Secret(f"canary-{secrets.token_hex(12)}"))


async def put(sandbox: SandboxServer, token: TokenSecret, **settings: object) -> None:
    await sandbox.put_token(token.token.reveal(), service="slack", **settings)


async def listed(channels: SlackChannels, secret: TokenSecret) -> list[Channel]:
    found: list[Channel] = []
    at: str | None = None
    while True:
        page = await channels.page(secret, at)
        assert isinstance(page, ChannelPage), page
        found += page.channels
        if page.next is None:
            return found
        at = page.next


async def test_every_page_is_read_and_archived_channels_are_left_out(
    channels: SlackChannels, token: TokenSecret, sandbox: SandboxServer
) -> None:
    made = [{"id": f"C{n:04}", "name": f"c-{n}", "is_archived": n % 10 == 0} for n in range(450)]
    await put(sandbox, token, channels=made, scopes=["channels:read", "groups:read"])

    found = await listed(channels, token)

    assert [channel.name for channel in found] == [f"c-{n}" for n in range(450) if n % 10]
    assert len(await sandbox.calls(token.token.reveal())) == 3


async def test_private_channels_are_listed_where_the_token_may_see_them(
    channels: SlackChannels, token: TokenSecret, sandbox: SandboxServer
) -> None:
    await put(sandbox, token, scopes=["channels:read", "groups:read"])

    found = {channel.name: channel for channel in await listed(channels, token)}

    assert [name for name, channel in found.items() if channel.private] == ["leadership"]
    assert found["general"] == Channel("C0ACME000", "general", f"{sandbox.slack_url}/archives/C0ACME000", False, True)
    assert not found["random"].member


async def test_a_token_for_public_channels_only_is_shown_those_on_every_page(
    channels: SlackChannels, token: TokenSecret, sandbox: SandboxServer
) -> None:
    made = [{"id": f"C{n:04}", "name": f"c-{n}", "is_private": n % 2 == 0} for n in range(500)]
    await put(sandbox, token, channels=made, scopes=["channels:read"])

    found = await listed(channels, token)

    assert [channel.name for channel in found] == [f"c-{n}" for n in range(1, 500, 2)]


async def test_without_any_scope_for_channels_the_missing_one_is_named(
    channels: SlackChannels, token: TokenSecret, sandbox: SandboxServer
) -> None:
    await put(sandbox, token, scopes=["chat:write"])

    found = await channels.page(token, None)

    assert isinstance(found, ServiceFault)
    assert (found.kind, found.evidence) == (
        FaultKind.SCOPE_MISSING,
        {"needed": "channels:read", "provided": "chat:write"},
    )


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ("revoked", FaultKind.CREDENTIAL_REVOKED),
        ("rate_limited", FaultKind.RATE_LIMITED),
        ("server_error", FaultKind.SERVICE_ERROR),
        ("truncated", FaultKind.SERVICE_ERROR),
        ("slow", FaultKind.UNREACHABLE),
    ],
)
async def test_a_refusal_is_a_value(
    behaviour: str, kind: FaultKind, channels: SlackChannels, token: TokenSecret, sandbox: SandboxServer
) -> None:
    await put(sandbox, token, behaviour=behaviour)

    found = await channels.page(token, None)

    assert isinstance(found, ServiceFault)
    assert found.kind is kind


async def test_a_place_that_slack_never_named_is_its_error_and_not_the_tokens(
    channels: SlackChannels, token: TokenSecret, sandbox: SandboxServer
) -> None:
    await put(sandbox, token)

    for at in ("public_channel:nowhere", "nonsense", "\ud800:\ud800"):
        found = await channels.page(token, at)
        assert isinstance(found, ServiceFault)
        assert found.kind is FaultKind.SERVICE_ERROR


async def test_an_installation_of_a_github_app_sees_no_channel(channels: SlackChannels) -> None:
    found = await channels.page(GitHubAppSecret("1", "2"), None)

    assert isinstance(found, ServiceFault)
    assert found.code == "slack_wrong_kind"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"channels": None},
        {"channels": [None]},
        {"channels": [{"id": 7, "name": "x"}]},
        {"channels": [{"id": "C1/../x", "name": "x"}]},
        {"channels": [], "response_metadata": {"next_cursor": 7}},
        {"channels": [], "response_metadata": {"next_cursor": "a b"}},
    ],
)
def test_a_list_that_is_half_understood_is_not_taken_for_a_whole_one(body: dict[str, Any]) -> None:
    assert read_page(body, "public_channel", WEB) is None


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "is_private", "is_member", "next_cursor"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["channels", "response_metadata"]), any_json))
def test_any_list_is_read_or_refused(body: dict[str, Any]) -> None:
    page = read_page(body, "public_channel", WEB)

    if page is not None:
        assert len(page.channels) == len(body["channels"])
        json.dumps([channel.name for channel in page.channels]).encode()
