"""Whatever a service answers to a command is a value: a result as the command says, or a fault. Nothing is raised."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.credential_secrets import TokenSecret
from domain.entities.health import Json
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.commands import CommandResult
from domain.services.service_fault import ServiceFault
from sandbox.serving import serving
from tests.domain.services.command_cases import CASES, nobody_at

pytestmark = pytest.mark.anyio


@dataclass
class Oracle:
    """A server that answers every call in the way that a test has chosen."""

    url: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    async def answer(self, _: Request) -> Response:
        return Response(self.body, self.status, dict(self.headers))


@pytest.fixture(scope="module")
async def oracle() -> AsyncIterator[Oracle]:
    made = Oracle()
    everywhere = Route("/{path:path}", made.answer, methods=["GET", "POST"])
    async with serving(Starlette(routes=[everywhere])) as url:
        made.url = url
        yield made


KEYS: Final = [
    "number",
    "id",
    "iid",
    "ts",
    "ok",
    "error",
    "message",
    "errors",
    "type",
    "size",
    "content",
    "sha",
    "field",
]
KEYS_OF_LISTS: Final = [
    "channels",
    "repositories",
    "channel",
    "full_name",
    "path_with_namespace",
    "web_url",
    "html_url",
]
WORDS: Final = ["file", "base", "already_reacted", "not_in_channel", "Validation Failed", "archived", "IyBhcGkK", "1.2"]
bodies: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 10**20) | st.text(max_size=8) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYS, *KEYS_OF_LISTS]) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=12,
)
said: st.SearchStrategy[Json] = st.text(max_size=8)
likely = st.fixed_dictionaries(
    {"ok": st.just(True), "number": st.integers(0, 1 << 60), "id": st.integers(0, 1 << 60), "iid": st.integers(0, 9)},
    optional={
        "ts": said | st.just("1.2"),
        "channel": st.fixed_dictionaries({"name": said}),
        "channels": st.lists(st.fixed_dictionaries({"id": st.just("C1"), "name": said}), max_size=2),
        "response_metadata": st.fixed_dictionaries({"next_cursor": said}),
        "type": st.just("file"),
        "content": st.binary(max_size=9).map(lambda raw: b64encode(raw).decode()),
        "sha": said,
        "blob_id": said,
        "html_url": said | st.just("https://github.example/x"),
        "workflow_run_id": st.integers(-1, 9),
        "repositories": st.lists(
            st.fixed_dictionaries(
                {"id": st.integers(0, 9), "full_name": said, "private": st.booleans(), "default_branch": said}
            ),
            max_size=2,
        ),
    },
)
"""What services say when all is well, or nearly."""
statuses = st.sampled_from([200, 201, 202, 204, 301, 307, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503])
headers = st.dictionaries(
    st.sampled_from(["retry-after", "x-ratelimit-remaining", "x-oauth-scopes", "x-accepted-oauth-scopes", "link"]),
    st.sampled_from(["", "0", "repo", "<https://evil.example/?page=2>; rel=next", "x"]),
)
EVERYTHING: Final = [
    (case, command.id)
    for case in CASES
    for command in case.make(HttpClient(), nobody_at("https://x.example")).commands or ()
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=st.sampled_from(EVERYTHING),
    status=statuses,
    told=headers,
    body=(bodies | likely).map(lambda body: json.dumps(body).encode()) | st.binary(),
)
async def test_any_answer_is_a_result_or_a_fault(
    chosen: tuple[object, str],
    status: int,
    told: Mapping[str, str],
    body: bytes,
    oracle: Oracle,
    http: HttpClient,
) -> None:
    case = next(each for each in CASES if each is chosen[0])
    commands = case.make(http, nobody_at(oracle.url)).commands
    command = None if commands is None else commands.find(chosen[1])
    assert commands is not None
    assert command is not None
    oracle.status, oracle.headers, oracle.body = status, told, b"" if status == 204 else body

    answer = await commands.run(command, TokenSecret(Secret("canary")), command.examples[0])

    if isinstance(answer, CommandResult):
        assert status < 300
        assert list(command.result.problems(answer.data)) == []
        json.dumps(answer.data)
    else:
        assert isinstance(answer, ServiceFault)
        assert answer.argument in {None, *(each.key for each in command.takes)}
        assert not (answer.may_have_happened and 300 <= status < 500)
        json.dumps(answer.evidence)
