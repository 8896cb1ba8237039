"""The documentation is true: its examples are answered as it says, its scripts run, its links lead somewhere."""

import asyncio
import dataclasses
import itertools
import json
import os
import re
import shlex
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import FieldNode, OperationType

from domain.address_guard import OutboundAllow
from domain.entities.user import Role
from domain.services.generic import read_descriptions
from gql.sample import FOUNDER, SLUG
from gql.schema import build_schema
from tests.documented_examples import PAGES, ROOT, Development, Reader, blocks_of, development, examples_of

DOCUMENTS = sorted(str(file.relative_to(ROOT)) for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.fixture
async def running() -> AsyncIterator[Development]:
    async with development() as made:
        yield made


# Examples


@pytest.mark.anyio
@pytest.mark.parametrize("page", PAGES)
async def test_every_operation_is_answered_as_the_page_says(page: str, running: Development) -> None:
    reader = Reader(running.server, await running.server.token(SLUG, FOUNDER, Role.OWNER))
    for example in examples_of(page):
        if example.operation.operation is OperationType.SUBSCRIPTION and example.response is None:
            continue  # shown live, below
        answers = await reader.answers(example)
        if example.response is None:
            assert all(map(_went_well, answers)), f"{page}:{example.line}: {answers}"
        else:
            differences = list(reader.correspondence.differences(example.responses, answers))
            assert differences == [], f"{page}:{example.line}; if it is meant: python -m tests.documented_examples"


def test_every_operation_of_the_schema_has_an_example() -> None:
    schema = build_schema()._schema
    shown = {
        (example.operation.operation, field.name.value)
        for example in examples_of("docs/api.md")
        for field in example.operation.selection_set.selections
        if isinstance(field, FieldNode) and example.response is not None
    }
    roots = {kind: schema.get_root_type(kind) for kind in OperationType}
    assert shown == {(kind, name) for kind, root in roots.items() if root is not None for name in root.fields}


@pytest.mark.anyio
async def test_the_readmes_token_opens_what_its_curl_asks(running: Development) -> None:
    token = await _readme_token(running)
    [command] = [block.text for block in blocks_of("README.md") if block.text.startswith("curl ")]
    [documented] = [block.text for block in blocks_of("README.md") if block.language == "json" and block.mark is None]
    program, url, *options = shlex.split(command.replace("$TOKEN", token).replace("\\\n", " "))
    headers = dict(value.split(": ") for flag, value in itertools.pairwise(options) if flag == "-H")

    answer = await running.server.http.post(_here(url, running), headers=headers, content=options[-1])

    assert (program, options[-2]) == ("curl", "-d")
    assert {"data": answer.json()["data"]} == json.loads(documented)


@pytest.mark.anyio
async def test_the_readmes_follower_and_its_subscription_see_an_event_at_once(running: Development) -> None:
    token = await _readme_token(running)
    client, organization_id = running.server.client(token), await running.server.organization_id()
    connection = await running.server.connect(client, name="Watched")
    [subscription] = [each for each in examples_of("README.md") if "subscription" in each.text]
    [script] = [block.text for block in blocks_of("README.md") if block.language == "python"]
    (running.folder / "follow.py").write_text(_here(script, running), "utf-8")
    follower = await asyncio.create_subprocess_exec(
        sys.executable,
        "follow.py",
        organization_id,
        cwd=running.folder,
        env={"TOKEN": token, "PATH": os.defpath},
        stdout=asyncio.subprocess.PIPE,
    )
    assert follower.stdout is not None
    try:
        assert json.loads(await follower.stdout.readline()) == {"type": "connection_ack"}
        async with running.server.subscribe(client, subscription.text, organizationId=organization_id) as followed:
            line, event = asyncio.create_task(follower.stdout.readline()), asyncio.create_task(followed.event())
            async with asyncio.timeout(10):
                while not (line.done() and event.done()):  # neither says from when on it listens
                    await client.mutate("checkConnectionHealth", "healthCheck { id }", connectionId=connection["id"])
                    await asyncio.wait([line, event], timeout=0.1)
        printed = json.loads(line.result())["payload"]["data"]["connectionEvents"]
        assert (printed["type"], printed["connection"]) == ("HEALTH_CHECKED", {"name": "Watched", "status": "ACTIVE"})
        assert (event.result()["type"], event.result()["health"]["status"]) == ("HEALTH_CHECKED", "HEALTHY")
    finally:
        follower.kill()
        await follower.wait()


def test_the_described_service_can_be_read_and_shows_every_key() -> None:
    page = "docs/adding-a-service.md"
    [example] = [block.text for block in blocks_of(page) if block.language == "toml"]

    [service] = read_descriptions(example, OutboundAllow(), {"EXAMPLE_CLIENT_SECRET": "obviously-fake"})

    assert service.id == "example"
    [[(_, written)]] = [list(table.items()) for table in tomllib.loads(example).values()]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| .* \| .* \|$", _text(page), re.MULTILINE)
    explained = {key for row in rows for key in re.findall(r"`([a-z_]+)`", row)}
    assert explained >= {*written, "client_secret"}
    assert {field.name for field in dataclasses.fields(service)} - explained == {"id", "client"}


def test_every_snippet_of_the_clients_stands_in_the_file_that_their_checks_run() -> None:
    page = "docs/clients.md"
    blocks = blocks_of(page)
    assert len(blocks) == _text(page).count("\n```\n")
    for block in blocks:
        *_, file = re.findall(r"\]\(\.\./(tests/clients/[^)]+)\)", _text(page)[: block.start])
        assert block.text in _text(file), f"{page} says of {file}: {block.text}"


def _went_well(answer: Any) -> bool:
    return "errors" not in answer and all(not payload.get("userErrors") for payload in answer["data"].values())


async def _readme_token(running: Development) -> str:
    """What the README's own command puts into TOKEN."""
    [script] = [block.text for block in blocks_of("README.md") if block.text.startswith("TOKEN=")]
    shell = await asyncio.create_subprocess_exec(
        "sh",
        "-euc",
        script + 'printf %s "$TOKEN"',
        cwd=running.folder,
        env={"PATH": os.defpath},
        stdout=asyncio.subprocess.PIPE,
    )
    token, _ = await shell.communicate()
    assert shell.returncode == 0
    return token.decode()


def _here(text: str, running: Development) -> str:
    return text.replace("127.0.0.1:8000", running.server.url.removeprefix("http://"))


# Ways from page to page


@pytest.mark.parametrize("page", DOCUMENTS)
def test_every_link_and_path_leads_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    text = re.sub(r"^```.*?^```$", "", _text(page), flags=re.MULTILINE | re.DOTALL)
    nowhere = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if re.match(r"\w+:", target):
            continue
        found = folder / file if file else ROOT / page
        if not found.exists() or (anchor and anchor not in set(_anchors(found))):
            nowhere.append(target)
    rooms = "|".join(re.escape(each.name) for each in ROOT.iterdir() if each.is_dir() and each.name != "var")
    paths = re.findall(rf"`((?:{rooms})/[\w./-]*|[\w-]+\.(?:md|toml|graphql))`", text)
    assert nowhere + [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", DOCUMENTS)
def test_every_target_of_make_exists(page: str) -> None:
    targets = set(re.findall(r"^(\w+):", _text("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make (\w+)", _text(page), re.MULTILINE)) <= targets


def test_every_decision_is_listed() -> None:
    pages = {file.name for file in (ROOT / "docs/decisions").glob("0*.md")}
    assert set(re.findall(r"\]\((0[\w-]+\.md)\)", _text("docs/decisions/README.md"))) == pages


def _anchors(page: Path) -> Iterator[str]:
    """The names by which a page's headings are linked to."""
    for heading in re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE):
        yield re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _text(page: str) -> str:
    return (ROOT / page).read_text("utf-8")
