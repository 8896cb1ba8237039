"""The requests that docs/api.md writes for curl do what it says. They are read from the page and sent without it."""

import re
import shlex
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from domain.key_ring import generate_key
from tests.documented_examples import blocks_of
from tests.gql.client import without_cost
from tests.gql.server import TetherServer, running_tether, uuid_of
from tests.sandbox_server import running_sandbox

pytestmark = pytest.mark.anyio

WRITTEN = "01a2075a-50af-7430-8051-9f31049c3439"
REQUESTS = [
    block.text for block in blocks_of("docs/api.md") if block.language == "sh" and block.text.startswith("curl")
]


@pytest.fixture
async def server(sqlite_template: Any, tmp_path: Any) -> AsyncIterator[TetherServer]:
    file = tmp_path / "tether.db"
    file.write_bytes(sqlite_template.read_bytes())
    key = generate_key(development=True)
    async with (
        running_sandbox() as sandbox,
        running_tether(f"sqlite+aiosqlite:///{file}", sandbox, key, TETHER_GET_QUERIES="on") as running,
    ):
        await running.connect(await running.member())
        yield running


async def test_each_request_is_answered(server: TetherServer) -> None:
    token, organization_id = await server.token(), await server.organization_id()
    answers = []
    for text in REQUESTS:
        text = text.replace(WRITTEN, str(uuid_of(organization_id))).replace("$TOKEN", token)
        async with _sent(server, text) as response:
            assert response.status_code == 200, text
            streams = response.headers["content-type"].startswith("text/event-stream")
            answer = await _beginning(response) if streams else (await response.aread()).decode()
            answers.append(without_cost(answer))

    by_post, by_get, stream = answers
    assert by_post == '{"data":{"viewer":{"user":{"name":"ada"}}}}'
    assert by_get == '{"data":{"organization":{"name":"acme"}}}'
    [shown] = [block.text for block in blocks_of("docs/api.md") if block.text.startswith(":")]
    assert stream == shown.replace(WRITTEN, str(uuid_of(organization_id)))


def _sent(server: TetherServer, text: str) -> Any:
    """What curl sends for such a line, of the options that the page uses."""
    words = iter(shlex.split(text.replace("\\\n", " "))[1:])
    url, headers, parameters, body, by_get = "", {}, {}, None, False
    for word in words:
        match word:
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                body = next(words)
            case "--data-urlencode":
                name, _, value = next(words).partition("=")
                parameters[name] = value
            case "--get":
                by_get = True
            case "-N":
                pass
            case _:
                url = word.replace("http://127.0.0.1:8000", server.url)
    return server.http.stream(
        "GET" if by_get else "POST", url, headers={"Accept": "*/*", **headers}, params=parameters, content=body
    )


async def _beginning(response: httpx2.Response) -> str:
    text = ""
    async for chunk in response.aiter_text():
        text += chunk
        if (found := re.match(r":\n\n(?:.+\n)+(?=\n)", text)) is not None:
            return found[0]
    raise AssertionError(text)
