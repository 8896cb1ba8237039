"""The operations that stand in the documentation, each with its variables and the answer that a page says it gets.

Used by tests/test_documentation.py. `python -m tests.documented_examples` runs them and writes anew the answers that
aren't true any more.

A page's operation is a ```graphql block; after it may come a ```json block marked `variables` and one marked
`response`, which for a subscription holds one object after the other.
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graphql import OperationDefinitionNode, OperationType, parse

from domain.entities.health_day import DAY
from domain.entities.user import Role
from domain.health_days import day_of
from domain.key_ring import generate_key
from gql.sample import FOUNDER, SLUG, create_sample
from persistence import migrations
from sandbox.ready_made_clients import CLIENT_ID, CLIENT_SECRET, WEBHOOK_SECRET
from tests.gql.server import TetherServer, running_tether
from tests.reported_mention import report_mention
from tests.sandbox_server import running_sandbox

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/api.md", "docs/data.md", "docs/people.md")

_BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SANDBOX_URL = "http://127.0.0.1:8010"  # where `make serve` runs it
_TETHER_URL = "http://127.0.0.1:8000"
_CLIENTS = {  # as `scripts/environment` sets them, and an address that an application may have
    **{f"TETHER_{service}_CLIENT_ID": CLIENT_ID for service in ("GITHUB", "GITLAB", "SLACK")},
    **{f"TETHER_{service}_CLIENT_SECRET": CLIENT_SECRET for service in ("GITHUB", "GITLAB", "SLACK")},
    "TETHER_GITHUB_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "TETHER_SLACK_SIGNING_SECRETS": WEBHOOK_SECRET,
    "TETHER_GITLAB_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "TETHER_RETURN_TO": "https://app.example.com/connected",
}
_WIDTH = 100


@dataclass(slots=True)
class Block:
    """A fenced block: its language, the word after that, its text and where that stands in the page."""

    language: str
    mark: str | None
    text: str
    start: int
    end: int


@dataclass(slots=True)
class Example:
    """An operation of a page. `response`: the block with the answers, which `responses` holds read."""

    line: int
    text: str
    variables: dict[str, Any] = field(default_factory=dict)
    response: Block | None = None

    @property
    def operation(self) -> OperationDefinitionNode:
        [operation] = [node for node in parse(self.text).definitions if isinstance(node, OperationDefinitionNode)]
        return operation

    @property
    def responses(self) -> list[Any]:
        found: list[Any] = []
        text = "" if self.response is None else self.response.text.strip()
        while text:
            value, end = json.JSONDecoder().raw_decode(text)
            found.append(value)
            text = text[end:].strip()
        return found


def blocks_of(page: str) -> list[Block]:
    """Every fenced block of a page, in its order."""
    text = (ROOT / page).read_text("utf-8")
    return [Block(found[1], found[2], found[3], found.start(3), found.end(3)) for found in _BLOCK.finditer(text)]


def examples_of(page: str) -> list[Example]:
    """Every operation of a page, in its order."""
    text = (ROOT / page).read_text("utf-8")
    examples: list[Example] = []
    for block in blocks_of(page):
        if block.language == "graphql":
            examples.append(Example(text.count("\n", 0, block.start) + 1, block.text))
        elif block.language == "json" and block.mark == "variables":
            examples[-1].variables = json.loads(block.text)
        elif block.language == "json" and block.mark == "response":
            assert examples[-1].response is None, f"{page}: two responses to the operation at {examples[-1].line}"
            examples[-1].response = block
    return examples


@dataclass(frozen=True, slots=True)
class Development:
    """What `make serve` gives: a Tether with sample data beside a sandbox, and the folder with its files."""

    folder: Path
    server: TetherServer


@asynccontextmanager
async def development() -> AsyncIterator[Development]:
    """A fresh one for each page, so that a page is true from its first line on."""
    with tempfile.TemporaryDirectory(prefix="tether-documentation-") as name:
        folder = Path(name)
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "scripts").symlink_to(ROOT / "scripts")
        (folder / "var").mkdir()
        key = generate_key(development=True)
        (folder / "var/encryption.key").write_text(key, "ascii")
        database_url = f"sqlite+aiosqlite:///{folder}/var/tether.db"
        await asyncio.to_thread(migrations.upgrade, database_url)
        async with running_sandbox() as sandbox, running_tether(database_url, sandbox, key, **_CLIENTS) as server:
            await create_sample(server.tether)
            yield Development(folder, server)


class Reader:
    """Follows a page as a person would, with the ids and cursors that Tether gives this time in place of the page's."""

    def __init__(self, server: TetherServer, token: str) -> None:
        self._server = server
        self._token = token
        self.correspondence = Correspondence()

    async def answers(self, example: Example) -> list[Any]:
        """What Tether answers: one object, or as many as the page shows of a subscription."""
        variables = self.correspondence.translate(example.variables)
        if "twoDaysAgo" in variables:  # so that a series is as long as the page's
            variables["twoDaysAgo"] = (day_of(datetime.now(UTC)) - 2 * DAY).isoformat()
        if example.operation.operation is OperationType.SUBSCRIPTION:
            if "serviceEvents" in example.text:
                await report_mention(self._server)
            async with self._server.socket(self._token) as socket:
                followed = await socket.subscribe(example.text, **variables)
                answers = [(await followed.message())["payload"] for _ in example.responses]
        else:
            answers = [(await self._server.client(self._token).execute(example.text, **variables)).body]
        for answer in answers:
            answer.pop("extensions", None)  # what each has cost, which pages leave out
        text = json.dumps(answers).replace(self._server.sandbox.url, _SANDBOX_URL)
        text = text.replace(self._server.url, _TETHER_URL)
        told: list[Any] = json.loads(text)
        return told


class Correspondence:
    """Which id of a page stands for which of this run, and everything else that differs from one run to the next."""

    def __init__(self) -> None:
        self._actual_ids: dict[str, str] = {}
        self._documented_ids: dict[str, str] = {}
        self._actual_texts: dict[str, str] = {}

    def differences(self, documented: Any, actual: Any, path: str = "") -> Iterator[str]:
        """Where an answer isn't what the page says. Moments and measures may differ; ids must do so consistently."""
        if isinstance(documented, Mapping) and isinstance(actual, Mapping):
            if list(documented) != list(actual):
                yield f"{path}: the page has {list(documented)}, Tether {list(actual)}"
            for key in documented.keys() & actual.keys():
                yield from self.differences(documented[key], actual[key], f"{path}.{key}")
        elif isinstance(documented, list) and isinstance(actual, list):
            if len(documented) != len(actual):
                yield f"{path}: the page has {len(documented)} items, Tether {len(actual)}"
            for index, (one, other) in enumerate(zip(documented, actual, strict=False)):
                yield from self.differences(one, other, f"{path}[{index}]")
        elif _MEASURE.search(path) and isinstance(documented, int) and isinstance(actual, int):
            return
        elif isinstance(documented, str) and isinstance(actual, str) and self._same_text(documented, actual):
            self._actual_texts[documented] = actual
        elif documented != actual or type(documented) is not type(actual):
            yield f"{path}: the page says {documented!r}, Tether {actual!r}"

    def translate(self, variables: Any) -> Any:
        """Variables of a page with this run's ids and cursors."""
        if isinstance(variables, Mapping):
            return {key: self.translate(value) for key, value in variables.items()}
        if isinstance(variables, list):
            return [self.translate(value) for value in variables]
        if not isinstance(variables, str) or not _ID.search(variables):
            return variables
        assert variables in self._actual_texts, f"No answer before shows {variables}"
        return self._actual_texts[variables]

    def documented(self, answer: Any) -> Any:
        """An answer with the page's ids, where it knows them."""
        text = _TOKEN.sub("tether_…", json.dumps(answer, ensure_ascii=False))
        text = _ID.sub(lambda found: self._documented_ids.get(found[0], found[0]), text)
        return json.loads(text)

    def _same_text(self, documented: str, actual: str) -> bool:
        if _CHANGING.sub("", documented) != _CHANGING.sub("", actual):
            return False
        ours, theirs = _ID.findall(documented), _ID.findall(actual)
        return len(ours) == len(theirs) and all(map(self._same_id, ours, theirs))

    def _same_id(self, documented: str, actual: str) -> bool:
        return (
            self._actual_ids.setdefault(documented, actual) == actual
            and self._documented_ids.setdefault(actual, documented) == documented
        )


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b")
_MEASURE = re.compile(r"\.(latencyMs|p\d\dMs|data\.rateLimit\.remaining)$")
_MOMENT = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:\+00:00| UTC)"
_TOKEN = re.compile(r"tether_(?:[0-9a-f]{32}_\w{49}|…)")
_HINT = r"tether_[0-9a-f]{12}\b"
_CHANGING = re.compile(rf"{_ID.pattern}|{_MOMENT}|{_TOKEN.pattern}|{_HINT}|(?<=/oauth/start/)[\w-]{{43}}")


def written(value: Any, indent: str = "") -> str:
    """JSON as the pages have it: what fits stands in one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inner = indent + "  "
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + written(item, inner) for item in value) + f"\n{indent}]"
    members = (f"{inner}{json.dumps(key)}: {written(item, inner)}" for key, item in value.items())
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


async def _write_anew(page: str) -> None:
    text, moved = (ROOT / page).read_text("utf-8"), 0
    async with development() as running:
        reader = Reader(running.server, await running.server.token(SLUG, FOUNDER, Role.OWNER))
        for example in examples_of(page):
            answers = await reader.answers(example)
            block = example.response
            if block is None or not list(reader.correspondence.differences(example.responses, answers)):
                continue
            told = [reader.correspondence.documented(answer) for answer in answers]
            assert not list(reader.correspondence.differences(told, answers))
            new = "\n".join(map(written, told)) + "\n"
            text = text[: block.start + moved] + new + text[block.end + moved :]
            moved += len(new) - (block.end - block.start)
            sys.stdout.write(f"{page}:{example.line}: written anew\n")
    (ROOT / page).write_text(text, "utf-8")


if __name__ == "__main__":
    for each in PAGES:
        asyncio.run(_write_anew(each))
