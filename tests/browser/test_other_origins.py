"""A page of another origin in a real browser: what CORS lets it do with a token, if the operator names its origin."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.browser.chromium import Chromium, Page
from tests.gql.client import without_cost
from tests.gql.conftest import encryption_key, sandbox, sqlite_url
from tests.gql.server import TetherServer, running_tether, uuid_of
from tests.sandbox_server import SandboxServer, running_sandbox

__all__ = ["encryption_key", "sandbox", "sqlite_url"]

pytestmark = pytest.mark.anyio

FOLLOW = "subscription ($id: ID!, $after: String) { connectionEvents(organizationId: $id, after: $after) { type } }"
ASK: Final = """(async ({url, method, headers, body, credentials}) => {
  try {
    const answer = await fetch(url, {method, headers, body, credentials});
    const stream = answer.headers.get("Content-Type").startsWith("text/event-stream");
    return {
      status: answer.status,
      requestId: answer.headers.get("X-Request-Id"),
      text: stream ? await beginning(answer.body.getReader()) : await answer.text(),
    };
  } catch (refused) {
    return {refused: refused.name};
  }
  async function beginning(reader) {
    const decoder = new TextDecoder();
    let text = "";
    while (!text.includes("data:")) text += decoder.decode((await reader.read()).value, {stream: true});
    await reader.cancel();
    return text;
  }
})"""
SOCKET: Final = """(({url, token}) => new Promise((tell) => {
  const socket = new WebSocket(url, "graphql-transport-ws");
  const payload = {authorization: `Bearer ${token}`};
  socket.onopen = () => socket.send(JSON.stringify({type: "connection_init", payload}));
  socket.onmessage = ({data}) => { tell(JSON.parse(data).type); socket.close(); };
  socket.onclose = ({code}) => tell(code);
}))"""


@pytest.fixture
async def server(sqlite_url: str, sandbox: SandboxServer, encryption_key: str) -> AsyncIterator[TetherServer]:
    """The pages of the sandbox's origin may ask."""
    given = {"TETHER_CORS_ORIGINS": sandbox.url, "TETHER_GET_QUERIES": "on"}
    async with running_tether(sqlite_url, sandbox, encryption_key, **given) as running:
        await running.connect(await running.member())
        yield running


@pytest.fixture
async def tab(chromium: Chromium) -> AsyncIterator[Page]:
    """Its console tells what the browser refuses."""
    async with chromium.page() as opened:
        yield opened


async def ask(page: Page, server: TetherServer, **options: Any) -> Any:
    token = await server.token()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "X-Tether-CSRF": "1"}
    given = {"url": f"{server.url}/graphql", "method": "POST", "headers": headers, **options}
    return await page.evaluate(f"{ASK}({json.dumps(given)})")


async def socket(page: Page, server: TetherServer) -> Any:
    given = {"url": server.ws_url, "token": await server.token()}
    return await page.evaluate(f"{SOCKET}({json.dumps(given)})")


async def test_a_page_whose_origin_is_named_asks_follows_and_opens_sockets(server: TetherServer, tab: Page) -> None:
    await tab.goto(server.sandbox.url)
    body = json.dumps({"query": "{ viewer { user { name } } }"})
    asked = await ask(tab, server, body=body)
    assert (asked["status"], without_cost(asked["text"])) == (200, '{"data":{"viewer":{"user":{"name":"ada"}}}}')
    assert asked["requestId"]

    by_get = await ask(tab, server, method="GET", url=f"{server.url}/graphql?query={{viewer{{user{{name}}}}}}")
    assert without_cost(by_get["text"]) == without_cost(asked["text"])

    id_ = await server.organization_id()
    variables = {"id": id_, "after": f"evt~{uuid_of(id_)}~1~0"}
    headers = {
        "Authorization": f"Bearer {await server.token()}",
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
        "Last-Event-ID": variables["after"],
    }
    stream = await ask(tab, server, headers=headers, body=json.dumps({"query": FOLLOW, "variables": variables}))
    assert 'data: {"data":{"connectionEvents":{"type":"CREATED"}}}' in without_cost(stream["text"])

    assert await socket(tab, server) == "connection_ack"
    assert await ask(tab, server, body=body, credentials="include") == {"refused": "TypeError"}


async def test_a_page_of_any_other_origin_does_none_of_it(server: TetherServer, tab: Page) -> None:
    async with running_sandbox() as other:
        await tab.goto(other.url)
        body = json.dumps({"query": "{ viewer { user { name } } }"})
        assert await ask(tab, server, body=body) == {"refused": "TypeError"}
        assert await ask(tab, server, body=body, headers={}) == {"refused": "TypeError"}
        address = f"{server.url}/graphql?query={{viewer{{user{{name}}}}}}"
        assert await ask(tab, server, method="GET", url=address) == {"refused": "TypeError"}
        assert await socket(tab, server) == 1006
