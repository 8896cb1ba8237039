"""What callers write at the simulated services is there to be read back, in the shapes that the services document."""

from typing import Any

import httpx2
import pytest

from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


class Caller:
    """Calls one service with one token."""

    def __init__(self, client: httpx2.AsyncClient, url: str, token: str) -> None:
        self._client, self._url, self._headers = client, url, {"authorization": f"Bearer {token}"}

    async def get(self, path: str) -> httpx2.Response:
        return await self._client.get(self._url + path, headers=self._headers)

    async def post(self, path: str, **body: Any) -> httpx2.Response:
        return await self._client.post(self._url + path, headers=self._headers, json=body)


@pytest.fixture
async def github(sandbox: SandboxServer, client: httpx2.AsyncClient) -> Caller:
    account, repositories = (
        {"login": "writers"},
        [{"id": 1, "name": "api"}, {"id": 2, "name": "shut", "archived": True}],
    )
    await sandbox.put_token("writer", service="github", account=account, repositories=repositories)
    return Caller(client, sandbox.github_api_url, "writer")


async def test_an_issue_is_made_in_githubs_shape(sandbox: SandboxServer, github: Caller) -> None:
    made = await github.post("/repos/Writers/API/issues", title="Uploads fail", labels=["bug"])

    assert made.status_code == 201
    issue = made.json()
    assert (issue["title"], issue["state"], issue["user"]["login"]) == ("Uploads fail", "open", "writers")
    assert issue["html_url"].endswith(f"/issues/{issue['number']}")
    assert made.headers["x-ratelimit-remaining"] == "4999"
    content = await sandbox.github_repository("writers/api")
    assert content["issues"][-1] == {
        "number": issue["number"],
        "title": "Uploads fail",
        "body": "",
        "labels": ["bug"],
        "assignees": [],
    }


async def test_github_refuses_in_its_words(sandbox: SandboxServer, client: httpx2.AsyncClient, github: Caller) -> None:
    untitled = await github.post("/repos/writers/api/issues")
    archived = await github.post("/repos/writers/shut/issues", title="x")
    absent = await github.post("/repos/writers/absent/issues", title="x")
    anonymous = await client.post(f"{sandbox.github_api_url}/repos/writers/api/issues", json={"title": "x"})
    garbage = await client.post(
        f"{sandbox.github_api_url}/repos/writers/api/issues", headers={"authorization": "Bearer writer"}, content=b"{"
    )

    assert (untitled.status_code, untitled.json()["errors"]) == (
        422,
        [{"resource": "Issue", "field": "title", "code": "missing_field"}],
    )
    assert (archived.status_code, archived.json()["message"]) == (403, "Repository was archived so is read-only.")
    assert (absent.status_code, anonymous.status_code) == (404, 401)
    assert (garbage.status_code, garbage.json()["message"]) == (400, "Problems parsing JSON")


async def test_githubs_files_are_base64_with_the_blobs_name(github: Caller) -> None:
    file = (await github.get("/repos/writers/api/contents/README.md")).json()

    assert (file["type"], file["encoding"], file["content"]) == ("file", "base64", "IyBhcGkK\n")
    assert file["sha"] == "6efb3e7893f6a49cc4c3da2c9331a811fc6fecf8"  # as Git names it
    assert isinstance((await github.get("/repos/writers/api/contents/docs")).json(), list)


async def test_slack_keeps_what_is_said_for_each_workspace(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    await sandbox.put_token("talker", service="slack", account={"id": "T0TALKERS"})
    slack = Caller(client, sandbox.slack_api_url, "talker")

    said = (await slack.post("/chat.postMessage", channel="C0ACME000", text="Hello")).json()
    answered = await slack.post("/chat.postMessage", channel="C0ACME000", text="Hi", thread_ts=said["ts"])

    assert (said["ok"], said["channel"], said["message"]["text"]) == (True, "C0ACME000", "Hello")
    assert answered.json()["message"]["thread_ts"] == said["ts"]
    workspace = await sandbox.slack_workspace("T0TALKERS")
    assert [each["text"] for each in workspace["messages"]] == ["Good morning", "Hello", "Hi"]


async def test_slack_wants_the_scope_and_the_membership(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    await sandbox.put_token("mute", service="slack", scopes=["channels:read"])
    await sandbox.put_token("outsider", service="slack", account={"id": "T0OUTSIDE"}, scopes=["chat:write.public"])
    await sandbox.put_token("public", service="slack", scopes=["chat:write", "chat:write.public"])

    errors = [
        (await Caller(client, sandbox.slack_api_url, token).post("/chat.postMessage", channel=channel, text="x")).json()
        for token, channel in (("mute", "C0ACME000"), ("outsider", "C0ACME001"), ("public", "C0ACME001"))
    ]

    assert errors[0] == {"ok": False, "error": "missing_scope", "needed": "chat:write", "provided": "channels:read"}
    assert errors[1]["error"] == "missing_scope"
    assert errors[2]["ok"] is True


async def test_gitlab_takes_paths_as_one_segment(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    projects = [{"id": 77, "path": "writers/tools/api"}]
    await sandbox.put_token("gitlab-writer", service="gitlab", scopes=["api"], projects=projects)
    gitlab = Caller(client, sandbox.gitlab_api_url, "gitlab-writer")

    made = await gitlab.post("/projects/writers%2Ftools%2Fapi/issues", title="Uploads fail", labels="bug,p1")
    by_id = await gitlab.post("/projects/77/issues/1/notes", body="Hello")
    with_slashes = await gitlab.post("/projects/writers/tools/api/issues", title="x")

    assert (made.status_code, made.json()["iid"], by_id.status_code) == (201, 2, 201)
    assert with_slashes.status_code == 404
    content = await sandbox.gitlab_project("writers/tools/api")
    assert content["issues"][1]["labels"] == ["bug", "p1"]
    assert [each["body"] for each in content["notes"]] == ["Hello"]


@pytest.mark.parametrize("behaviour", ["done_then_cut", "done_then_error"])
async def test_what_was_done_can_end_without_a_good_answer(
    behaviour: str, sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    name = behaviour.replace("_", "-")
    await sandbox.put_token(name, service="slack", account={"id": f"T{name}"}, behaviour=behaviour, behaviour_calls=1)
    slack = Caller(client, sandbox.slack_api_url, name)

    try:
        status = (await slack.post("/chat.postMessage", channel="C0ACME000", text="once")).status_code
    except httpx2.RemoteProtocolError:
        status = 0

    assert status == {"done_then_cut": 0, "done_then_error": 502}[behaviour]
    messages = (await sandbox.slack_workspace(f"T{name}"))["messages"]
    assert [each["text"] for each in messages] == ["Good morning", "once"]


async def test_places_can_be_changed_and_mistakes_are_told(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    changed = await sandbox.github_repository("changers/api", branches=["main", "next"], files={"a": "b"})
    wrong = await client.put(f"{sandbox.url}/_sandbox/gitlab/projects/a/b", json={"branches": 1, "colour": "red"})

    assert changed["branches"] == ["main", "next"]
    assert wrong.status_code == 422
    assert {each["key"] for each in wrong.json()["problems"]} == {"branches", "colour"}
