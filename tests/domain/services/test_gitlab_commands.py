"""What only GitLab's commands do: what each refusal means, paths as one segment, quick actions, pages."""

from collections.abc import Mapping
from typing import Final

import pytest

from domain.entities.health import Json
from domain.http import HttpClient
from domain.services.commands import CommandResult
from domain.services.gitlab import GitLab
from domain.services.gitlab.events import read_event
from domain.services.service_fault import FaultKind, ServiceFault
from tests.domain.services.command_cases import CASES, Place, now, place_of
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

GITLAB: Final = next(case for case in CASES if case.id == "gitlab")


@pytest.fixture
async def place(http: HttpClient, sandbox: SandboxServer) -> Place:
    return await place_of(GITLAB, http, sandbox)


MERGE: Final[dict[str, Json]] = {"title": "x", "sourceBranch": "fix-uploads", "targetBranch": "main"}
REFUSALS: Final[list[tuple[str, dict[str, object], dict[str, Json], str, str | None]]] = [
    ("read_file", {}, {"path": "absent.md"}, "gitlab_not_found", None),
    ("read_file", {}, {"path": "README.md", "ref": "absent"}, "gitlab_not_found", None),
    ("read_file", {"files": {"big": "x" * 300_000}}, {"path": "big"}, "gitlab_file_too_large", "path"),
    ("read_file", {"files": {"huge": "x" * 4_500_000}}, {"path": "huge"}, "gitlab_file_too_large", "path"),
    ("comment", {}, {"number": 99, "body": "x"}, "gitlab_not_found", None),
    ("create_merge_request", {}, {**MERGE, "sourceBranch": "absent"}, "gitlab_invalid", "sourceBranch"),
    ("create_merge_request", {}, {**MERGE, "targetBranch": "absent"}, "gitlab_invalid", "targetBranch"),
    ("create_merge_request", {}, {**MERGE, "sourceBranch": "main"}, "gitlab_invalid", None),
    ("run_pipeline", {}, {"ref": "absent"}, "gitlab_invalid", None),
    ("run_pipeline", {"has_pipelines": False}, {"ref": "main"}, "gitlab_invalid", None),
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
    await place.sandbox.gitlab_project(place.case.target(place.name), **changes)
    await place.refuses(f"gitlab.{command_id}", arguments, code, argument)


async def test_words_of_gitlabs_own_are_passed_on(place: Place) -> None:
    pipeline = await place.run("gitlab.run_pipeline", ref="absent")
    merge = await place.run("gitlab.create_merge_request", **{**MERGE, "sourceBranch": "absent"})

    assert isinstance(pipeline, ServiceFault)
    assert pipeline.message.endswith("It says: Reference not found.")
    assert isinstance(merge, ServiceFault)
    assert merge.message.endswith("It says: source_branch does not exist.")


async def test_a_second_merge_request_for_a_branch_is_told_as_one_that_exists(place: Place) -> None:
    first = await place.run("gitlab.create_merge_request", **MERGE, draft=True)
    again = await place.run("gitlab.create_merge_request", **MERGE)

    assert isinstance(first, CommandResult)
    assert (first.data, first.url) == (
        {"number": 1},
        f"{place.sandbox.gitlab_url}/{place.name}/api/-/merge_requests/1",
    )
    assert isinstance(again, ServiceFault)
    assert (again.kind, again.code) == (FaultKind.REQUEST_REFUSED, "gitlab_already_exists")
    (made,) = (await place.sandbox.gitlab_project(place.case.target(place.name)))["merge_requests"]
    assert made["title"] == "Draft: x"


async def test_nobody_writes_in_an_archived_project(place: Place) -> None:
    await place.behave(projects=[{"id": 7001, "path": f"{place.name}/api", "archived": True}])

    fault = await place.run("gitlab.create_issue", title="x")

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.code) == (FaultKind.REQUEST_REFUSED, "gitlab_forbidden")


async def test_a_blocked_account_is_a_fault_of_the_connection(place: Place) -> None:
    await place.behave("suspended")

    fault = await place.run("gitlab.create_issue", title="x")

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.code) == (FaultKind.ADMIN_REQUIRED, "gitlab_account_blocked")


async def test_a_token_that_may_only_read_is_told_which_scope_it_lacks(place: Place) -> None:
    await place.behave(scopes=["read_api"])

    fault = await place.run("gitlab.create_issue", title="x")

    assert isinstance(fault, ServiceFault)
    assert (fault.kind, fault.evidence) == (FaultKind.SCOPE_MISSING, {"scopes": ["api"]})
    assert isinstance(await place.run("gitlab.read_file", path="README.md"), CommandResult)


async def test_a_project_in_groups_of_groups_and_a_file_in_folders_keep_their_slashes(place: Place) -> None:
    path = f"{place.name}/tools/net/work"
    await place.behave(projects=[{"id": 7002, "path": path}])
    await place.sandbox.gitlab_project(path, files={"a b/ü#?%.txt": "Grüße"})
    command = place.commands.find("gitlab.read_file")
    assert command is not None

    read = await place.commands.run(command, place.secret, {"project": path, "path": "a b/ü#?%.txt"})

    assert isinstance(read, CommandResult)
    assert (read.data["content"], read.data["encoding"]) == ("Grüße", "text")
    assert read.url == f"{place.sandbox.gitlab_url}/{path}/-/blob/HEAD/a%20b/%C3%BC%23%3F%25.txt"


async def test_text_of_quick_actions_only_makes_no_comment(place: Place) -> None:
    done = await place.run("gitlab.comment", number=1, body="/close\n/unlabel ~bug")

    assert isinstance(done, CommandResult)
    assert (done.data, done.url) == ({}, f"{place.sandbox.gitlab_url}/{place.name}/api/-/issues/1")


async def test_a_comment_goes_to_what_the_number_is_of(place: Place) -> None:
    await place.run("gitlab.create_merge_request", **MERGE)
    for on in ("issue", "merge_request"):
        assert isinstance(await place.run("gitlab.comment", number=1, body="Hello", on=on), CommandResult)

    notes = (await place.sandbox.gitlab_project(place.case.target(place.name)))["notes"]
    assert [each["on"] for each in notes] == ["issues", "merge_requests"]


async def test_an_issue_and_a_pipeline_are_as_they_were_asked_for(place: Place) -> None:
    await place.run("gitlab.create_issue", title="Uploads fail", description="Since Monday.", labels=["bug", "p1"])
    await place.run("gitlab.run_pipeline", ref="main", variables={"DEPLOY_TO": "production"})

    content = await place.sandbox.gitlab_project(place.case.target(place.name))
    assert content["issues"][1] == {
        "iid": 2,
        "title": "Uploads fail",
        "description": "Since Monday.",
        "labels": ["bug", "p1"],
    }
    (pipeline,) = content["pipelines"]
    assert pipeline["variables"] == [{"key": "DEPLOY_TO", "value": "production"}]


async def test_pages_hold_each_project_once(place: Place) -> None:
    await place.behave(projects=[{"id": 100 + index, "path": f"acme/p{index}"} for index in range(5)])
    found: list[object] = []
    arguments: dict[str, Json] = {"first": 2}
    while True:
        page = await place.run("gitlab.list_projects", **arguments)
        assert isinstance(page, CommandResult)
        repositories = page.data["repositories"]
        assert isinstance(repositories, list)
        found += [each["id"] for each in repositories if isinstance(each, dict)]
        if "next" not in page.data:
            break
        arguments = {"first": 2, "after": page.data["next"]}

    assert found == [str(100 + index) for index in range(5)]


PROJECT: Final[dict[str, Json]] = {"path_with_namespace": "acme/api"}
EVENTS: Final[list[tuple[str, dict[str, Json], dict[str, Json]]]] = [
    (
        "comment",
        {"object_kind": "note", "merge_request": {"iid": 3}, "object_attributes": {"note": "ping"}},
        {"project": "acme/api", "number": 3, "on": "merge_request"},
    ),
    (
        "comment",
        {"object_kind": "issue", "object_attributes": {"iid": 4, "title": "x"}},
        {"project": "acme/api", "number": 4, "on": "issue"},
    ),
    ("comment", {"object_kind": "note", "commit": {"id": "abc"}, "object_attributes": {"note": "ping"}}, {}),
    (
        "create_merge_request",
        {"object_kind": "push", "ref": "refs/heads/fix"},
        {"project": "acme/api", "sourceBranch": "fix"},
    ),
    ("run_pipeline", {"object_kind": "tag_push", "ref": "refs/tags/v1"}, {"project": "acme/api", "ref": "v1"}),
    ("read_file", {"object_kind": "push", "ref": "refs/heads/fix"}, {"project": "acme/api", "ref": "fix"}),
    ("read_file", {"object_kind": "note"}, {}),
]


@pytest.mark.parametrize(("command_id", "body", "filled"), EVENTS)
def test_an_event_fills_what_it_says(command_id: str, body: dict[str, Json], filled: dict[str, Json]) -> None:
    gitlab = GitLab(HttpClient(), "https://gitlab.com/api/v4", "https://gitlab.com", now)
    command = gitlab.commands.find(f"gitlab.{command_id}")
    assert command is not None
    event = read_event("Some Hook", {**body, "project": PROJECT}).event

    assert gitlab.commands.arguments_from(command, event) == filled
