"""The control API: tokens made, changed and forgotten, mistakes named by key, calls counted."""

from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.token_settings import read_token, show_token
from sandbox.tokens import Token
from tests.sandbox.conftest import START
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio


async def test_a_token_is_created_shown_replaced_and_forgotten(
    sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    address = f"{sandbox.url}/_sandbox/tokens/mine"
    account = {"id": 7, "login": "octo", "name": "Octo", "type": "Organization"}
    created = await client.put(address, json={"service": "github", "account": account, "scopes": None})
    assert created.status_code == 201
    shown = (await client.get(address)).json()
    assert (shown["name"], shown["service"], shown["account"], shown["scopes"]) == ("mine", "github", account, None)
    replaced = await client.put(address, json={"service": "slack"})
    assert (replaced.status_code, replaced.json()["account"]["login"]) == (200, "acme")
    assert (await client.delete(address)).status_code == 204
    assert (await client.get(address)).status_code == (await client.delete(address)).status_code == 404


@pytest.mark.parametrize(
    ("document", "keys"),
    [
        ({"service": "github", "colour": 1, "account": {"shoe_size": 1}}, ["colour", "account.shoe_size"]),
        ({"service": "gitea"}, ["service"]),
        ([], ["", "service"]),
        ({"service": "github", "behaviour": "account_inactive"}, ["behaviour"]),
        ({"service": "slack", "behaviour": "sso_required"}, ["behaviour"]),
        ({"service": "slack", "repositories": []}, ["repositories"]),
        ({"service": "slack", "scopes": None}, ["scopes"]),
        ({"service": "slack", "account": {"id": 5}}, ["account.id"]),
        ({"service": "github", "account": {"id": "T1"}}, ["account.id"]),
        ({"service": "github", "account": {"id": True}}, ["account.id"]),
        ({"service": "github", "scopes": "repo"}, ["scopes"]),
        ({"service": "github", "expires_at": "2026-12-01T10:00:00"}, ["expires_at"]),
        ({"service": "github", "expires_at": "soon"}, ["expires_at"]),
        ({"service": "github", "status": 503}, ["status"]),
        ({"service": "github", "behaviour": "server_error", "status": 404}, ["status"]),
        ({"service": "github", "quota": {"limit": 5, "remaining": 6}}, ["quota.remaining"]),
        ({"service": "github", "quota": 5}, ["quota"]),
        ({"service": "github", "delay_seconds": -1, "behaviour_calls": "2"}, ["behaviour_calls", "delay_seconds"]),
        ({"service": "github", "repositories": [{"name": "a"}, {"name": "", "size": 1}]}, None),
    ],
)
async def test_mistakes_are_422_and_named_by_key(
    sandbox: SandboxServer, client: httpx2.AsyncClient, document: object, keys: list[str] | None
) -> None:
    address = f"{sandbox.url}/_sandbox/tokens/mistaken"
    response = await client.put(address, json=document)
    assert response.status_code == 422
    expected = keys if keys is not None else ["repositories[1].name", "repositories[1].size"]
    assert [problem["key"] for problem in response.json()["problems"]] == expected
    assert (await client.get(address)).status_code == 404


async def test_a_body_that_is_no_json_is_422(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    for address in ("tokens/mistaken", "services/github"):
        response = await client.put(f"{sandbox.url}/_sandbox/{address}", content=b"{")
        assert (response.status_code, response.json()["problems"][0]["problem"]) == (422, "must be JSON")


async def test_a_service_switch_names_mistakes_and_shows_itself(
    sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    address = f"{sandbox.url}/_sandbox/services"
    assert (await client.put(f"{address}/github", json={"off": True})).json()["problems"][0]["key"] == "off"
    assert (await client.put(f"{address}/github", json={"down": "yes"})).status_code == 422
    assert (await client.put(f"{address}/gitea", json={"down": True})).status_code == 404
    assert (await client.get(f"{address}/github")).json() == {"service": "github", "down": False}


async def test_calls_are_counted_by_token_and_unknown_tokens_are_not_kept(
    sandbox: SandboxServer, client: httpx2.AsyncClient
) -> None:
    await sandbox.put_token("counted", service="github")
    for token in ("counted", "somebodys-real-one", "counted"):
        await client.get(f"{sandbox.github_api_url}/user?page=1", headers={"authorization": f"Bearer {token}"})
    assert [(call.method, call.path) for call in await sandbox.calls("counted")] == [("GET", "/user"), ("GET", "/user")]
    assert [call.token for call in (await sandbox.calls())[-3:]] == ["counted", None, "counted"]
    listed = await client.get(f"{sandbox.url}/_sandbox/calls", params={"token": "counted"})
    assert listed.json()["count"] == 2
    assert listed.json()["calls"][0]["at"] == "2026-11-20T10:00:00+00:00"
    assert "somebodys-real-one" not in (await client.get(f"{sandbox.url}/_sandbox/calls")).text


async def test_the_driver_says_what_the_sandbox_refused(sandbox: SandboxServer) -> None:
    with pytest.raises(ValueError, match="unknown key"):
        await sandbox.put_token("driven", service="github", colour="red")
    await sandbox.put_token("odd/name ?", service="github")
    await sandbox.forget_token("odd/name ?")


async def test_the_front_page_lists_tokens_that_all_exist(sandbox: SandboxServer, client: httpx2.AsyncClient) -> None:
    page = (await client.get(sandbox.url)).text
    names = [part.partition("</code>")[0] for part in page.split("<td><code>")[1:]]
    assert {"sandbox-github-acme", "sandbox-github-expiring", "sandbox-slack-acme", "sandbox-slack-revoked"} <= set(
        names
    )
    assert len(names) == len(set(names))
    for name in names:
        assert (await client.get(f"{sandbox.url}/_sandbox/tokens/{name}")).status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
KEYS = [
    "account",
    "scopes",
    "expires_at",
    "quota",
    "behaviour",
    "behaviour_calls",
    "status",
    "retry_after_seconds",
    "delay_seconds",
    "body_bytes",
    "repositories",
    "bot",
    "channels",
]


@given(st.sampled_from(["github", "slack"]), st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_json_is_read_or_its_mistakes_are_named(service: str, document: dict[str, Any]) -> None:
    token = read_token("any", {**document, "service": service}, START)
    if isinstance(token, list):
        assert token
        assert all(problem.problem for problem in token)
    else:
        assert isinstance(token, Token)
        assert show_token(token, START)["service"] == service
