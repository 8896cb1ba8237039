"""Both services misbehave as networks, proxies and broken programs do."""

import asyncio
import json
from typing import Literal

import httpx2
import pytest

from tests.plain_http import NO_TLS
from tests.sandbox_server import SandboxServer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("service", ["github", "slack"])]

Service = Literal["github", "slack"]


async def call(sandbox: SandboxServer, client: httpx2.AsyncClient, service: Service, token: str) -> httpx2.Response:
    address = {"github": f"{sandbox.github_api_url}/user", "slack": f"{sandbox.slack_api_url}/auth.test"}[service]
    return await client.get(address, headers={"authorization": f"Bearer {token}"})


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_has_the_status_it_was_given(
    sandbox: SandboxServer, client: httpx2.AsyncClient, service: Service, status: int
) -> None:
    await sandbox.put_token("broken", service=service, behaviour="server_error", status=status)
    assert (await call(sandbox, client, service, "broken")).status_code == status


async def test_a_web_page_comes_instead_of_json(
    sandbox: SandboxServer, client: httpx2.AsyncClient, service: Service
) -> None:
    response = await call(sandbox, client, service, f"sandbox-{service}-garbage-html")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")


async def test_json_that_breaks_off(sandbox: SandboxServer, client: httpx2.AsyncClient, service: Service) -> None:
    response = await call(sandbox, client, service, f"sandbox-{service}-garbage-json")
    assert response.headers["content-type"] == "application/json"
    with pytest.raises(json.JSONDecodeError):
        response.json()


async def test_json_of_another_type(sandbox: SandboxServer, client: httpx2.AsyncClient, service: Service) -> None:
    assert (await call(sandbox, client, service, f"sandbox-{service}-wrong-type")).json() == [42]
    assert (await call(sandbox, client, service, f"sandbox-{service}-empty-object")).json() == {}


async def test_a_connection_closed_in_the_middle_of_the_body(
    sandbox: SandboxServer, client: httpx2.AsyncClient, service: Service
) -> None:
    with pytest.raises(httpx2.RemoteProtocolError):
        await call(sandbox, client, service, f"sandbox-{service}-truncated")


async def test_a_huge_body_comes_without_warning(
    sandbox: SandboxServer, client: httpx2.AsyncClient, service: Service
) -> None:
    await sandbox.put_token("huge", service=service, behaviour="huge_body", body_bytes=3_000_000)
    response = await call(sandbox, client, service, "huge")
    assert "content-length" not in response.headers
    assert 2_900_000 < len(response.json()["login"]) <= 3_000_000


async def test_a_slow_answer_keeps_nobody_else_waiting(
    sandbox: SandboxServer, client: httpx2.AsyncClient, service: Service
) -> None:
    await sandbox.put_token("sleepy", service=service, behaviour="slow", delay_seconds=0.3)
    slow = asyncio.create_task(call(sandbox, client, service, "sleepy"))
    quick = await call(sandbox, client, service, f"sandbox-{service}-acme")
    assert quick.status_code == 200
    assert not slow.done()
    assert (await slow).status_code == 200
    with pytest.raises(httpx2.ReadTimeout):
        async with httpx2.AsyncClient(timeout=0.1, trust_env=False, verify=NO_TLS) as impatient:
            await call(sandbox, impatient, service, "sleepy")


async def test_a_behaviour_can_end_after_some_calls(
    sandbox: SandboxServer, client: httpx2.AsyncClient, service: Service
) -> None:
    await sandbox.put_token("heals", service=service, behaviour="server_error", behaviour_calls=2)
    statuses = [(await call(sandbox, client, service, "heals")).status_code for _ in range(4)]
    assert statuses == [500, 500, 200, 200]


async def test_a_service_that_is_down_is_503_everywhere_and_the_other_is_not(
    sandbox: SandboxServer, client: httpx2.AsyncClient, service: Service
) -> None:
    other: Service = "slack" if service == "github" else "github"
    await sandbox.set_down(service, True)
    try:
        assert (await call(sandbox, client, service, f"sandbox-{service}-acme")).status_code == 503
        assert (await client.get(f"{sandbox.url}/{service}")).status_code == 503
        assert (await client.get(f"{sandbox.url}/{service}/api/nothing")).status_code == 503
        assert (await call(sandbox, client, other, f"sandbox-{other}-acme")).status_code == 200
    finally:
        await sandbox.set_down(service, False)
    assert (await call(sandbox, client, service, f"sandbox-{service}-acme")).status_code == 200
