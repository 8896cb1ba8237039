"""What only Slack's commands do: refusals by their words, threads, what was so already, news of other services."""

import json
import re
from collections.abc import Mapping
from typing import Final

import pytest

from domain.entities.health import Json, Remedy
from domain.http import HttpAnswer, HttpClient
from domain.services.commands import CommandResult
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack import Slack
from domain.services.slack.answers import classify
from domain.services.slack.commands.methods import of_a_command
from domain.services.slack.events import read_event
from tests.domain.services.command_cases import CASES, Place, now, place_of
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

SLACK: Final = next(case for case in CASES if case.id == "slack")
GENERAL: Final = "C0ACME000"
FIRST_MESSAGE: Final = "1764145000.000100"
PRIVATE: Final = "C0ACME901"
ARCHIVED: Final = "C0ACME900"


@pytest.fixture
async def place(http: HttpClient, sandbox: SandboxServer) -> Place:
    return await place_of(SLACK, http, sandbox)


REFUSALS: Final[list[tuple[str, dict[str, Json], str, str | None]]] = [
    ("post_message", {"channel": "C404", "text": "x"}, "slack_channel_not_found", "channel"),
    ("post_message", {"channel": "C0ACME001", "text": "x"}, "slack_not_in_channel", "channel"),
    ("post_message", {"channel": ARCHIVED, "text": "x"}, "slack_is_archived", "channel"),
    ("reply_in_thread", {"channel": GENERAL, "thread": "1.1", "text": "x"}, "slack_thread_not_found", "thread"),
    ("add_reaction", {"channel": GENERAL, "message": "1.1", "emoji": "eyes"}, "slack_message_not_found", "message"),
    ("add_reaction", {"channel": GENERAL, "message": FIRST_MESSAGE, "emoji": "nope"}, "slack_invalid_name", "emoji"),
    ("list_channels", {"after": "public_channel:made-up"}, "slack_invalid_cursor", "after"),
    ("join_channel", {"channel": ARCHIVED}, "slack_is_archived", "channel"),
    ("join_channel", {"channel": PRIVATE}, "slack_method_not_supported_for_channel_type", "channel"),
]


@pytest.mark.parametrize(("command_id", "arguments", "code", "argument"), REFUSALS)
async def test_what_is_refused_for_itself_says_nothing_of_the_connection(
    command_id: str, arguments: Mapping[str, Json], code: str, argument: str, place: Place
) -> None:
    await place.refuses(f"slack.{command_id}", arguments, code, argument)


async def test_each_scope_is_asked_for_by_its_name(place: Place) -> None:
    await place.behave(scopes=["channels:read"])
    for command in place.commands:
        fault = await place.commands.run(command, place.secret, command.examples[0])
        if command.mutating:
            assert isinstance(fault, ServiceFault)
            assert (fault.kind, fault.remedy) == (FaultKind.SCOPE_MISSING, Remedy.GRANT_SCOPES)
            assert fault.evidence == {"needed": command.required_scopes[0], "provided": "channels:read"}
        else:
            assert isinstance(fault, CommandResult)


async def test_what_was_so_already_is_done(place: Place) -> None:
    reaction: dict[str, Json] = {"channel": GENERAL, "message": FIRST_MESSAGE, "emoji": "eyes"}
    found = [await place.run("slack.add_reaction", **reaction) for _ in range(2)]
    found += [await place.run("slack.join_channel", channel="C0ACME002") for _ in range(2)]

    assert [each.data for each in found if isinstance(each, CommandResult)] == [
        {"added": True},
        {"added": False},
        {"name": "deployments", "joined": True},
        {"name": "deployments", "joined": False},
    ]
    workspace = await place.sandbox.slack_workspace(place.name)
    assert (len(workspace["reactions"]), workspace["joined"]) == (1, ["C0ACME002"])


async def test_a_channel_that_was_joined_takes_messages_and_is_listed_so(place: Place) -> None:
    await place.run("slack.join_channel", channel="C0ACME001")

    posted = await place.run(
        "slack.post_message", channel="C0ACME001", text="Grüße & <https://acme.example|mehr>\n:tada:"
    )
    listed = await place.run("slack.list_channels", first=2)

    assert isinstance(posted, CommandResult)
    message = str(posted.data["message"])
    assert posted.url == f"{place.sandbox.slack_url}/archives/C0ACME001/p{message.replace('.', '')}"
    (_, said) = (await place.sandbox.slack_workspace(place.name))["messages"]
    assert said == {"channel": "C0ACME001", "ts": message, "text": "Grüße & <https://acme.example|mehr>\n:tada:"}
    assert isinstance(listed, CommandResult)
    channels = listed.data["channels"]
    assert isinstance(channels, list)
    assert [(each["name"], each["member"]) for each in channels if isinstance(each, dict)] == [
        ("general", True),
        ("announcements", True),
    ]


async def test_a_reply_is_in_its_thread(place: Place) -> None:
    for broadcast in (False, True):
        answer = await place.run(
            "slack.reply_in_thread", channel=GENERAL, thread=FIRST_MESSAGE, text="On it", broadcast=broadcast
        )
        assert isinstance(answer, CommandResult)

    messages = (await place.sandbox.slack_workspace(place.name))["messages"][1:]
    assert [(each["thread_ts"], each["broadcast"]) for each in messages] == [
        (FIRST_MESSAGE, False),
        (FIRST_MESSAGE, True),
    ]


async def test_pages_hold_each_channel_once(place: Place) -> None:
    found: list[object] = []
    arguments: dict[str, Json] = {"first": 4}
    while True:
        page = await place.run("slack.list_channels", **arguments)
        assert isinstance(page, CommandResult)
        channels = page.data["channels"]
        assert isinstance(channels, list)
        found += [each["id"] for each in channels if isinstance(each, dict)]
        if "next" not in page.data:
            break
        arguments = {"first": 4, "after": page.data["next"]}

    assert found == [*(f"C0ACME00{index}" for index in range(6)), PRIVATE]


async def test_slacks_own_errors_leave_open_what_was_done(place: Place) -> None:
    await place.behave("internal_error")

    fault = await place.run("slack.post_message", channel=GENERAL, text="x")

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.code, fault.may_have_happened) == (
        FaultKind.SERVICE_ERROR,
        "slack_internal_error",
        True,
    )


WORDS: Final[list[tuple[str, FaultKind, Remedy, bool]]] = [
    ("restricted_action_read_only_channel", FaultKind.REQUEST_REFUSED, Remedy.CONTACT_ADMIN, False),
    ("access_denied", FaultKind.REQUEST_REFUSED, Remedy.CONTACT_ADMIN, False),
    ("not_allowed_token_type", FaultKind.REQUEST_REFUSED, Remedy.RECONNECT, False),
    ("msg_too_long", FaultKind.REQUEST_REFUSED, Remedy.NONE, False),
    ("never_heard_of", FaultKind.REQUEST_REFUSED, Remedy.NONE, False),
    ("Nev\u00e8r!", FaultKind.REQUEST_REFUSED, Remedy.NONE, False),
    ("fatal_error", FaultKind.SERVICE_ERROR, Remedy.WAIT, True),
    ("rate_limited", FaultKind.RATE_LIMITED, Remedy.WAIT, False),
    ("account_inactive", FaultKind.CREDENTIAL_REVOKED, Remedy.RECONNECT, False),
    ("ekm_access_denied", FaultKind.ADMIN_REQUIRED, Remedy.CONTACT_ADMIN, False),
]


@pytest.mark.parametrize(("word", "kind", "remedy", "may_have_happened"), WORDS)
def test_each_word_of_slacks_has_its_meaning_for_a_command(
    word: str, kind: FaultKind, remedy: Remedy, may_have_happened: bool
) -> None:
    fault = classify(HttpAnswer(200, {}, json.dumps({"ok": False, "error": word}).encode(), 5), now())
    assert fault is not None

    meant = of_a_command(fault)

    assert (meant.kind, meant.remedy, meant.may_have_happened) == (kind, remedy, may_have_happened)
    assert re.fullmatch("slack_[a-z_]+", meant.code)
    assert meant.message.endswith(".")


@pytest.fixture
def slack() -> Slack:
    return Slack(HttpClient(), "https://slack.com/api", "https://slack.com", now)


EVENTS: Final[list[tuple[str, dict[str, Json], dict[str, Json]]]] = [
    (
        "reply_in_thread",
        {"type": "app_mention", "channel": "C1", "ts": "5.1", "user": "U1", "text": "<@U2> ping"},
        {"channel": "C1", "thread": "5.1"},
    ),
    (
        "reply_in_thread",
        {"type": "message", "channel": "C1", "ts": "5.2", "thread_ts": "5.1", "user": "U1", "text": "ping"},
        {"channel": "C1", "thread": "5.1"},
    ),
    (
        "reply_in_thread",
        {"type": "reaction_added", "user": "U1", "reaction": "eyes", "item": {"channel": "C1", "ts": "5.1"}},
        {"channel": "C1", "thread": "5.1"},
    ),
    (
        "add_reaction",
        {"type": "message", "channel": "C1", "ts": "5.2", "thread_ts": "5.1", "user": "U1", "text": "ping"},
        {"channel": "C1", "message": "5.2"},
    ),
    ("join_channel", {"type": "channel_created", "channel": {"id": "C9", "name": "new"}}, {"channel": "C9"}),
    ("post_message", {"type": "channel_created", "channel": {"id": "C9", "name": "new"}}, {"channel": "C9"}),
    ("post_message", {"type": "tokens_revoked"}, {}),
    ("list_channels", {"type": "channel_created", "channel": {"id": "C9", "name": "new"}}, {}),
]


@pytest.mark.parametrize(("command_id", "body", "filled"), EVENTS)
def test_an_event_fills_what_it_says(
    command_id: str, body: dict[str, Json], filled: dict[str, Json], slack: Slack
) -> None:
    command = slack.commands.find(f"slack.{command_id}")
    assert command is not None
    event = read_event(str(body["type"]), {"event": body}, "https://slack.com").event

    assert slack.commands.arguments_from(command, event) == filled


def test_the_news_of_another_service_becomes_a_message_that_mentions_nobody(slack: Slack) -> None:
    command = slack.commands.find("slack.post_message")
    assert command is not None
    event: dict[str, Json] = {
        "service": "github",
        "type": "issues",
        "action": "opened",
        "actor": "octocat",
        "subject": "#12",
        "repository": "acme/api",
        "text": "Uploads & <!channel> fail",
        "url": "https://github.com/acme/api/issues/12",
    }

    assert slack.commands.arguments_from(command, event) == {
        "text": "acme/api #12: issues opened by octocat: Uploads &amp; &lt;!channel&gt; fail\n"
        "https://github.com/acme/api/issues/12"
    }
