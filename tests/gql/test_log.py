"""The log: one event a line in either format, with the id of what it belongs to, and without secrets."""

import json
import logging
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from sqlalchemy.schema import DropTable

from domain.entities.identifiers import new_id
from domain.entities.task import WHOLE_SERVER, Task, TaskKind
from domain.log_context import log_context
from domain.runner import PlannedWork, Runner
from domain.task_outcome import TaskOutcome
from gql.log import LogFormat, formatter
from gql.redaction import redacted
from persistence.tables import repositories
from tests.gql.server import TetherServer
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio

PAGE = '{ organization(by: {slug: "acme"}) { connections { nodes { repositories { totalCount } } } } }'
formats = pytest.mark.parametrize("log_format", list(LogFormat))


class Log:
    """What a format writes of all that is logged."""

    def __init__(self, log_format: LogFormat) -> None:
        self._stream = StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(formatter(log_format))

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def log(log_format: LogFormat) -> Iterator[Log]:
    """Of everything from INFO on."""
    log, root = Log(log_format), logging.getLogger()
    root.addHandler(log.handler)
    level = root.level
    root.setLevel(logging.INFO)
    yield log
    root.setLevel(level)
    root.removeHandler(log.handler)


json_only = pytest.mark.parametrize("log_format", [LogFormat.JSON])
text_only = pytest.mark.parametrize("log_format", [LogFormat.TEXT])
_log = logging.getLogger("gql.test")
_MINUTE = timedelta(minutes=1)


@json_only
def test_a_line_of_json_has_what_there_is_to_say(log: Log) -> None:
    with log_context(request_id="abc", task_kind="SYNC"):
        _log.warning("%s of %d", "one", 2)
    [event] = log.events
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event.pop("timestamp"))
    assert event == {
        "level": "warning",
        "logger": "gql.test",
        "message": "one of 2",
        "request_id": "abc",
        "task_kind": "SYNC",
    }


@text_only
def test_a_line_of_text_has_the_same(log: Log) -> None:
    with log_context(request_id="abc"):
        _log.warning("%s of %d", "one", 2)
    _log.info("afterwards")
    first, second = log.lines
    assert re.fullmatch(r"[-0-9]+ [0-9:,]+ WARNING gql\.test: one of 2 request_id=abc", first)
    assert second.endswith("INFO gql.test: afterwards")


@formats
@pytest.mark.parametrize(
    "line_break", ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
)
def test_line_breaks_forge_no_line(log: Log, log_format: LogFormat, line_break: str) -> None:
    forged = '2026-11-25 09:00:00,000 ERROR gql: forged {"level": "error"}'
    _log.warning("before%s%s", line_break, forged)
    try:
        raise ValueError(f"before{line_break}{forged}")
    except ValueError:
        _log.exception("It failed.")
    begin = "{" if log_format is LogFormat.JSON else "20"
    events = [line for line in log.lines if not line.startswith("  ")]
    assert len(events) == 2
    assert all(line.startswith(begin) for line in events)
    if log_format is LogFormat.JSON:
        assert log.events[1]["exception"].startswith("Traceback")


SECRETS = [
    *(f"{prefix}CANARY" for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_")),
    *(f"{prefix}-12-CANARY" for prefix in ("xoxb", "xoxp", "xoxe", "xoxe.xoxp", "xapp")),
    *(f"{prefix}-CANARY" for prefix in ("glpat", "gloas")),
    f"tether_{'0' * 32}_CANARY",
    "eyJhbGciOiJSUzI1NiJ9.eyJCANARY.CANARY",
    "Bearer CANARY",
    "authorization: bearer CANARY",
    "Authorization: Basic CANARY",
    "https://service.example/?access_token=CANARY&more=1",
    '{"refresh_token": "CANARY", "client_secret":"CANARY"}',
    "{'code_verifier': 'CANARY'}",
    "postgresql+asyncpg://tether:CANARY@db.example/tether",
    "-----BEGIN RSA PRIVATE KEY-----\nCANARY\nCANARY\n-----END RSA PRIVATE KEY-----",
]


@formats
@pytest.mark.parametrize("form", SECRETS)
def test_what_looks_like_a_secret_is_left_out_wherever_it_stands(log: Log, form: str) -> None:
    canary = f"Canary{secrets.token_hex(16)}"
    secret = form.replace("CANARY", canary)
    _log.warning("in the message: %s, %r, %s", secret, {"deep": [secret]}, json.dumps({"body": secret}))
    with log_context(request_id=secret):
        _log.info("beside it")
    try:
        raise ValueError(secret) from KeyError(secret)
    except ValueError:
        _log.exception("in an exception")
    assert canary not in log.text
    assert log.text.count("***") >= 4
    assert "in the message: " in log.text
    assert "in an exception" in log.text


@pytest.mark.parametrize(
    "text",
    [
        "A webhook for slack was refused: SIGNATURE. Is its secret the one set here?",
        "Can't listen on http://127.0.0.1:8000/a@b: in use.",
        "glossary-of-terms, tether_tasks_total, xoxo, the bearer of it",
        "Everybody on this machine can read the secret in /etc/key. Run: chmod o-rwx /etc/key",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


@json_only
async def test_every_line_of_a_request_has_the_id_that_its_answer_and_its_errors_have(
    server: TetherServer, log: Log
) -> None:
    client = await server.member()
    await server.alter(DropTable(repositories))
    given = "edge-7f3a.0001"
    headers = {"Authorization": f"Bearer {client.token}", "X-Request-Id": given}
    answer = await server.http.post("/graphql", json={"query": PAGE}, headers=headers)
    assert answer.headers["x-request-id"] == given
    assert answer.json()["errors"][0]["extensions"]["requestId"] == given
    [failure] = [event for event in log.events if "exception" in event]
    assert failure["request_id"] == given

    async with server.socket(client.token) as socket:
        assert socket.connection.response is not None
        opened = socket.connection.response.headers["x-request-id"]
        for number in (1, 2):
            told = await (await socket.subscribe(PAGE)).message()
            assert told["payload"]["errors"][0]["extensions"]["requestId"] == f"{opened}.{number}"
    failures = [event["request_id"] for event in log.events if "exception" in event]
    assert failures == [given, f"{opened}.1", f"{opened}.2"]


@pytest.mark.parametrize(
    "sent", ["short", "x" * 65, "with space in it", "new\tline-in-it", "-begins-wrong", "ünïcödé-id"]
)
async def test_an_id_that_could_do_harm_in_a_log_is_replaced(shared_server: TetherServer, sent: str) -> None:
    answer = await shared_server.http.get("/livez", headers={"X-Request-Id": sent.encode()})  # type: ignore[arg-type]
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


@json_only
async def test_every_line_of_a_task_has_its_kind_and_id(server: TetherServer, log: Log) -> None:
    async def tell(task: Task) -> TaskOutcome:
        logging.getLogger("domain.services").warning("at work")
        return None

    units = server.tether.units_of_work
    task = Task(new_id(), TaskKind.FORGET_FLOWS, WHOLE_SERVER, None, server.tether.clock())
    async with units.writing_everywhere() as unit:
        await unit.tasks.put(task)
        await unit.commit()
    plan = {TaskKind.FORGET_FLOWS: PlannedWork(tell, lease=_MINUTE, at_once=1)}

    async def told() -> list[dict[str, Any]]:
        return [event for event in log.events if event["message"] == "at work"]

    async with Runner(units, plan, server.tether.clock).working():
        [event] = await eventually(told)
    assert (event["task_kind"], event["task_id"]) == ("FORGET_FLOWS", str(task.id))


def test_text_is_for_development_and_json_for_all_else() -> None:
    assert LogFormat.chosen({}) is LogFormat.JSON
    assert LogFormat.chosen({"TETHER_ENVIRONMENT": "production"}) is LogFormat.JSON
    assert LogFormat.chosen({"TETHER_ENVIRONMENT": "development"}) is LogFormat.TEXT
    assert LogFormat.chosen({"TETHER_ENVIRONMENT": "development", "TETHER_LOG_FORMAT": "json"}) is LogFormat.JSON
    assert LogFormat.chosen({"TETHER_LOG_FORMAT": "text"}) is LogFormat.TEXT
