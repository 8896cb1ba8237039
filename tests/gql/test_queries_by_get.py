"""Queries by GET: off unless the operator wants them, for queries alone, and never where another site's page asks."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.gql.client import JSON, RESPONSE_JSON, Answer
from tests.gql.server import TetherServer, running_tether
from tests.gql.signing_in import CSRF, a_browser_at
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

VIEWER = "{ viewer { user { name } } }"
BY_ID = "query Q($by: OrganizationBy!) { organization(by: $by) { name } }"
OWNER = {"viewer": {"user": {"name": "owner"}}}


@pytest.fixture(scope="module")
async def with_get(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, sandbox: SandboxServer, encryption_key: str
) -> AsyncIterator[TetherServer]:
    file = tmp_path_factory.mktemp("get") / "tether.db"
    shutil.copyfile(sqlite_template, file)
    url = f"sqlite+aiosqlite:///{file}"
    async with running_tether(url, sandbox, encryption_key, TETHER_GET_QUERIES="on") as running:
        yield running


async def get(server: TetherServer, headers: dict[str, str] | None = None, **parameters: str) -> Answer:
    token = (await server.member()).token
    sent = {"Authorization": f"Bearer {token}", "Accept": RESPONSE_JSON, **CSRF, **(headers or {})}
    return Answer(await server.http.get("/graphql", params=parameters, headers=sent))


async def test_a_query_with_its_variables_and_name_is_answered(with_get: TetherServer) -> None:
    assert (await get(with_get, query=VIEWER)).data == OWNER
    variables = json.dumps({"by": {"slug": "acme"}})
    two = f"{BY_ID} query Other {VIEWER}"
    answer = await get(with_get, query=two, variables=variables, operationName="Q", extensions="{}")
    assert answer.data == {"organization": {"name": "acme"}}
    assert answer.response.headers["cache-control"] == "no-store"
    assert (await get(with_get, {"Accept": JSON}, query=VIEWER, operationName="", variables="null")).data == OWNER


async def test_only_queries_go_by_get(with_get: TetherServer) -> None:
    created = 'mutation { createOrganization(input: {name: "By GET", slug: "by-get"}) { organization { id } } }'
    follow = 'subscription { connectionEvents(organizationId: "org_x") { id } }'
    for operation in (created, follow, created):
        answer = await get(with_get, query=operation)
        assert (answer.status, answer.response.headers["allow"]) == (405, "POST")
        assert answer.error == ("BAD_USER_INPUT", "Only queries go by GET. Send this by POST.")
    assert {row["slug"] for row in await with_get.rows("organizations")} == {"acme"}


@pytest.mark.parametrize("headers", [{"X-Tether-CSRF": "0"}, {"X-Tether-CSRF": "", "Sec-Fetch-Site": "cross-site"}])
async def test_without_the_header_that_browsers_ask_for_first_nothing_is_run(
    with_get: TetherServer, headers: dict[str, str]
) -> None:
    answer = await get(with_get, headers, query=VIEWER)
    assert answer.status == 403
    code, message = answer.error
    assert code == "CSRF_REFUSED"
    assert "X-Tether-CSRF: 1" in message


async def test_a_cookie_counts_from_our_own_pages_only(with_get: TetherServer) -> None:
    await with_get.token()
    async with a_browser_at(with_get) as browser:
        await browser.sign_in("ada@acme.example")
        sent = {"Accept": JSON, **CSRF}
        own = Answer(await browser.http.get("/graphql", params={"query": VIEWER}, headers=sent))
        assert own.data["viewer"]["user"]["name"]
        for foreign in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "same-site"}):
            answer = Answer(await browser.http.get("/graphql", params={"query": VIEWER}, headers={**sent, **foreign}))
            assert (answer.status, answer.error[0]) == (403, "CSRF_REFUSED")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "There is no query: the operation's text."),
        ({"query": " "}, "There is no query: the operation's text."),
        ({"query": VIEWER, "variables": "{"}, "variables is no JSON."),
        ({"query": VIEWER, "variables": ""}, "variables is no JSON."),
        ({"query": VIEWER, "variables": "[]"}, "variables is an object, or null."),
        ({"query": VIEWER, "variables": '{"a": 1, "a": 2}'}, "An object has the key 'a' twice."),
        ({"query": VIEWER, "extensions": "1"}, "extensions is an object, or null."),
        ({"query": [VIEWER, "{ x }"]}, "The address says something twice."),
    ],
)
async def test_an_address_that_holds_no_operation_is_refused(
    with_get: TetherServer, parameters: dict[str, Any], message: str
) -> None:
    answer = await get(with_get, **parameters)
    assert answer.status == 400
    assert answer.error == ("BAD_USER_INPUT", message)


async def test_a_mistake_in_the_query_has_the_status_that_it_has_by_post(with_get: TetherServer) -> None:
    for query, code in (("{", "GRAPHQL_PARSE_FAILED"), ("{ nonsense }", "GRAPHQL_VALIDATION_FAILED")):
        answer = await get(with_get, query=query)
        assert (answer.status, answer.error[0]) == (400, code)
        assert (await get(with_get, {"Accept": JSON}, query=query)).status == 200


async def test_a_browser_that_is_sent_to_such_an_address_gets_the_page(with_get: TetherServer) -> None:
    page = await with_get.http.get("/graphql", params={"query": VIEWER}, headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "Accept" in page.headers["vary"]


async def test_they_are_off_by_default(shared_server: TetherServer) -> None:
    answer = await get(shared_server, query=VIEWER)
    assert (answer.status, answer.response.headers["allow"]) == (405, "POST")
    assert answer.error == ("BAD_USER_INPUT", "Send operations by POST. A browser gets GraphiQL by GET.")
