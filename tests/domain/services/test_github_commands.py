"""What only GitHub's commands do: what each refusal means, installations with their permissions, files and pages."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from domain.credential_secrets import GitHubAppSecret
from domain.entities.credential import CredentialKind
from domain.entities.health import Json, Remedy
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.commands import CommandResult
from domain.services.file_content import LARGEST_FILE_BYTES
from domain.services.github import GitHub
from domain.services.github.events import read_event
from domain.services.service_fault import FaultKind, ServiceFault
from tests.domain.services.command_cases import CASES, Place, now, place_of
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

GITHUB: Final = next(case for case in CASES if case.id == "github")
APP_ID: Final = "4004"


@pytest.fixture
async def place(http: HttpClient, sandbox: SandboxServer) -> Place:
    return await place_of(GITHUB, http, sandbox)


async def done(place: Place, command_id: str, **arguments: Json) -> CommandResult:
    answer = await place.run(f"github.{command_id}", **arguments)
    assert isinstance(answer, CommandResult), answer
    return answer


REFUSALS: Final[list[tuple[str, dict[str, object], dict[str, Json], str, str | None]]] = [
    ("create_issue", {"has_issues": False}, {"title": "x"}, "github_issues_disabled", None),
    ("create_issue", {"moved": True}, {"title": "x"}, "github_moved", None),
    ("read_file", {"moved": True}, {"path": "README.md"}, "github_moved", None),
    ("read_file", {}, {"path": "docs"}, "github_not_a_file", "path"),
    ("read_file", {}, {"path": "absent.md"}, "github_not_found", None),
    ("read_file", {}, {"path": "README.md", "ref": "absent"}, "github_not_found", None),
    ("read_file", {"files": {"big": "x" * (LARGEST_FILE_BYTES + 1)}}, {"path": "big"}, "github_file_too_large", "path"),
    ("read_file", {"files": {"huge": "x" * 1_100_000}}, {"path": "huge"}, "github_file_too_large", "path"),
    ("comment", {"locked": True}, {"number": 1, "body": "x"}, "github_locked", None),
    ("comment", {}, {"number": 99, "body": "x"}, "github_not_found", None),
    ("create_pull_request", {}, {"title": "x", "head": "absent", "base": "main"}, "github_invalid", "head"),
    ("create_pull_request", {}, {"title": "x", "head": "main", "base": "absent"}, "github_invalid", "base"),
    ("create_pull_request", {}, {"title": "x", "head": "main", "base": "main"}, "github_invalid", None),
    ("dispatch_workflow", {}, {"workflow": "absent.yml", "ref": "main"}, "github_not_found", None),
    ("dispatch_workflow", {}, {"workflow": "test.yml", "ref": "main"}, "github_invalid", None),
    ("dispatch_workflow", {}, {"workflow": "deploy.yml", "ref": "absent"}, "github_invalid", None),
    ("dispatch_workflow", {}, {"workflow": "deploy.yml", "ref": "main", "inputs": {"x": "1"}}, "github_invalid", None),
]


@pytest.mark.parametrize(("command_id", "changes", "arguments", "code", "argument"), REFUSALS)
async def test_what_is_refused_for_itself_says_nothing_of_the_connection(
    command_id: str,
    changes: Mapping[str, object],
    arguments: Mapping[str, Json],
    code: str,
    argument: str | None,
    place: Place,
) -> None:
    await place.sandbox.github_repository(place.case.target(place.name), **changes)
    await place.refuses(f"github.{command_id}", arguments, code, argument)


async def test_words_of_githubs_own_are_passed_on(place: Place) -> None:
    fault = await place.run("github.dispatch_workflow", workflow="test.yml", ref="main")

    assert isinstance(fault, ServiceFault)
    assert fault.message.endswith("It says: Workflow does not have 'workflow_dispatch' trigger.")


async def test_a_second_pull_request_for_a_branch_is_told_as_one_that_exists(place: Place) -> None:
    wanted: dict[str, Json] = {"title": "Take uploads in parts", "head": "fix-uploads", "base": "main"}
    first = await done(place, "create_pull_request", **wanted)
    again = await place.run("github.create_pull_request", **wanted)

    assert first.data == {"number": 2}
    assert isinstance(again, ServiceFault)
    assert again.code == "github_already_exists"


@pytest.mark.parametrize("scopes", [["repo"], None])
async def test_an_archived_repository_is_said_to_be_one(scopes: list[str] | None, place: Place) -> None:
    """Though the same answer tells which scopes or permissions the call takes, as all of GitHub's do."""
    await place.behave(scopes=scopes, repositories=[{"id": 7001, "name": "api", "archived": True}])

    fault = await place.run("github.create_issue", title="x")

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.code) == (FaultKind.REQUEST_REFUSED, "github_archived")
    assert isinstance(await place.run("github.read_file", path="README.md"), CommandResult)


async def test_a_repository_that_a_token_does_not_see_is_not_found(place: Place) -> None:
    command = place.commands.find("github.create_issue")
    assert command is not None

    fault = await place.commands.run(command, place.secret, {"repository": "somebody/else", "title": "x"})

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.code) == (FaultKind.REQUEST_REFUSED, "github_not_found")


async def test_a_scope_that_is_missing_is_found_behind_a_404(place: Place) -> None:
    """GitHub doesn't say that a token lacks a scope: it says that there is nothing, and which scopes it would take."""
    await place.behave(scopes=["read:user"], repositories=[{"id": 7001, "name": "api"}])

    fault = await place.run("github.create_issue", title="x")

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.remedy) == (FaultKind.SCOPE_MISSING, Remedy.GRANT_SCOPES)
    assert fault.evidence == {"acceptedScopes": ["public_repo", "repo"], "acceptedPermissions": None}
    await place.behave(scopes=["public_repo"], repositories=[{"id": 7001, "name": "api"}])
    assert isinstance(await place.run("github.create_issue", title="x"), CommandResult)


async def test_a_rule_of_one_organization_is_no_fault_of_the_connection(place: Place) -> None:
    await place.behave("sso_required")
    fault = await place.run("github.create_issue", title="x")
    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.code) == (FaultKind.REQUEST_REFUSED, "github_sso_required")
    assert fault.remedy is Remedy.CONTACT_ADMIN

    await place.behave("suspended")
    fault = await place.run("github.create_issue", title="x")
    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.code) == (FaultKind.ADMIN_REQUIRED, "github_suspended")


async def test_writing_too_fast_is_a_limit_though_github_calls_it_invalid(place: Place) -> None:
    await place.sandbox.github_repository(place.case.target(place.name), hurried=True)

    fault = await place.run("github.create_issue", title="x")

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.code, fault.retry_after_seconds) == (
        FaultKind.RATE_LIMITED,
        "github_secondary_limit",
        60,
    )
    assert not fault.may_have_happened


@pytest.mark.parametrize("behaviour", ["secondary_limited", "secondary_limited_bare"])
async def test_a_secondary_limit_is_waited_for(behaviour: str, place: Place) -> None:
    await place.behave(behaviour, retry_after_seconds=90)

    fault = await place.run("github.create_issue", title="x")

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.may_have_happened) == (FaultKind.RATE_LIMITED, False)
    assert fault.retry_after_seconds == (90 if behaviour == "secondary_limited" else 60)


async def test_an_issue_is_as_it_was_asked_for(place: Place) -> None:
    made = await done(
        place, "create_issue", title="Uploads fail", body="Since Monday.\n", labels=["bug"], assignees=["octocat"]
    )

    content = await place.sandbox.github_repository(place.case.target(place.name))
    assert made.data == {"number": 2}
    assert made.url == f"{place.sandbox.github_url}/{place.name}/api/issues/2"
    assert made.rate_limit is not None
    assert content["issues"][1] == {
        "number": 2,
        "title": "Uploads fail",
        "body": "Since Monday.\n",
        "labels": ["bug"],
        "assignees": ["octocat"],
    }


async def test_a_server_that_does_not_tell_runs_is_asked_without_the_question(place: Place) -> None:
    wanted: dict[str, Json] = {"workflow": "deploy.yml", "ref": "main", "inputs": {"environment": "production"}}
    told = await done(place, "dispatch_workflow", **wanted)
    content = await place.sandbox.github_repository(place.case.target(place.name), tells_runs=False)
    untold = await done(place, "dispatch_workflow", **wanted)

    assert told.data == {"runId": content["dispatches"][0]["run_id"]}
    assert (untold.data, untold.url) == ({}, None)
    content = await place.sandbox.github_repository(place.case.target(place.name))
    assert [each["inputs"] for each in content["dispatches"]] == [{"environment": "production"}] * 2


async def test_a_file_is_text_where_it_can_be_and_base64_elsewhere(place: Place) -> None:
    target = place.case.target(place.name)
    await place.sandbox.github_repository(target, files={"ü/ä b#?%.txt": "Grüße\n\tund mehr", "bell": "a\x07b"})

    text = await done(place, "read_file", path="ü/ä b#?%.txt", ref="fix-uploads")
    picture = await done(place, "read_file", path="docs/logo.png")
    control = await done(place, "read_file", path="bell")

    assert (text.data["encoding"], text.data["content"], text.data["size"]) == ("text", "Grüße\n\tund mehr", 17)
    assert (picture.data["encoding"], picture.data["content"]) == ("base64", "iVBORw0KGgoAAAANSUhEUg==")
    assert (control.data["encoding"], control.data["size"]) == ("base64", 3)


async def test_pages_hold_each_repository_once(place: Place) -> None:
    await place.behave(repositories=[{"id": 100 + index, "name": f"r{index}"} for index in range(7)])
    found: list[str] = []
    arguments: dict[str, Json] = {"first": 3}
    for _ in range(3):
        page = await done(place, "list_repositories", **arguments)
        repositories: Any = page.data["repositories"]
        found += [str(each["id"]) for each in repositories]
        arguments = {"after": page.data.get("next")}

    assert arguments == {"after": None}
    assert sorted(found) == [str(100 + index) for index in range(7)]


async def test_an_installation_acts_with_its_permissions(http: HttpClient, sandbox: SandboxServer) -> None:
    await sandbox.put_github_app(APP_ID, slug="acting")
    key = Secret(await sandbox.make_github_app_key(APP_ID))
    account = {"id": 9001, "login": "installed", "name": "Installed", "type": "Organization"}
    github = GitHub(http, sandbox.github_api_url, sandbox.github_url, now, fresh_token_delays_seconds=(0, 0))
    secret = GitHubAppSecret(APP_ID, "404040", key)
    comment, dispatch = (github.commands.find(f"github.{name}") for name in ("comment", "dispatch_workflow"))
    assert comment is not None
    assert dispatch is not None
    wanted: dict[str, Json] = {"repository": "installed/api", "number": 1, "body": "Hello"}
    for permissions in ({"issues": "write"}, {"pull_requests": "write"}):
        await sandbox.put_installation(
            404040, app_id=APP_ID, account=account, permissions=permissions, fresh_token_refusals=2
        )
        assert isinstance(await github.commands.run(comment, secret, wanted), CommandResult)

    refused = await github.commands.run(
        dispatch, secret, {"repository": "installed/api", "workflow": "deploy.yml", "ref": "main"}
    )

    assert isinstance(refused, ServiceFault)
    assert (refused.kind, refused.code) == (FaultKind.SCOPE_MISSING, "github_scope_missing")
    assert refused.evidence == {"acceptedScopes": [], "acceptedPermissions": "actions=write"}
    assert len((await sandbox.github_repository("installed/api"))["comments"]) == 2
    listed = await github.commands.run(github.commands.find("github.list_repositories") or comment, secret, {})
    assert isinstance(listed, CommandResult)


def test_permissions_are_given_by_their_higher_levels_too(place_less: GitHub) -> None:
    comment = place_less.commands.find("github.comment")
    assert comment is not None

    (needed,) = place_less.commands.needed_grants(comment, CredentialKind.GITHUB_APP)

    assert needed.name == "issues:write or pull_requests:write"
    assert needed.granted_by == {"issues:write", "issues:admin", "pull_requests:write", "pull_requests:admin"}


@pytest.fixture
def place_less() -> GitHub:
    return GitHub(HttpClient(), "https://api.github.com", "https://github.com", now)


EVENTS: Final[list[tuple[str, str, dict[str, Json], dict[str, Json]]]] = [
    (
        "comment",
        "issue_comment",
        {"action": "created", "issue": {"number": 12}, "comment": {"body": "ping"}},
        {"repository": "acme/api", "number": 12},
    ),
    (
        "comment",
        "pull_request",
        {"action": "opened", "pull_request": {"number": 7}},
        {"repository": "acme/api", "number": 7},
    ),
    ("comment", "discussion", {"discussion": {"number": 7}}, {}),
    ("comment", "push", {"ref": "refs/heads/main"}, {}),
    ("create_pull_request", "push", {"ref": "refs/heads/fix"}, {"repository": "acme/api", "head": "fix"}),
    ("dispatch_workflow", "release", {"release": {"tag_name": "v1.2"}}, {"repository": "acme/api", "ref": "v1.2"}),
    ("read_file", "push", {"ref": "refs/heads/fix"}, {"repository": "acme/api", "ref": "fix"}),
    (
        "create_issue",
        "issue_comment",
        {"issue": {"number": 12}, "comment": {"body": "It breaks.\nBadly.", "html_url": "https://github.com/c"}},
        {"repository": "acme/api", "title": "It breaks.", "body": "> It breaks.\n> Badly.\n\nhttps://github.com/c"},
    ),
]


@pytest.mark.parametrize(("command_id", "name", "body", "filled"), EVENTS)
def test_an_event_fills_what_it_says(
    command_id: str, name: str, body: dict[str, Json], filled: dict[str, Json], place_less: GitHub
) -> None:
    command = place_less.commands.find(f"github.{command_id}")
    assert command is not None
    event = read_event(name, {**body, "repository": {"full_name": "acme/api"}}, "https://github.com").event

    assert place_less.commands.arguments_from(command, event) == filled


def test_what_was_said_in_slack_becomes_an_issue(place_less: GitHub) -> None:
    command = place_less.commands.find("github.create_issue")
    assert command is not None
    event: dict[str, Json] = {
        "service": "slack",
        "type": "app_mention",
        "channel": "C1",
        "text": "<@U0BOT> Uploads fail\nsince Monday",
        "url": "https://acme.slack.com/archives/C1/p1",
    }

    assert not command.suits(event)
    assert place_less.commands.arguments_from(command, event) == {
        "title": "Uploads fail",
        "body": "> <@U0BOT> Uploads fail\n> since Monday\n\nhttps://acme.slack.com/archives/C1/p1",
    }
