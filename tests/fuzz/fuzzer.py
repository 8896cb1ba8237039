"""Sends what the strategies make to a running server, over HTTP and WebSocket, by real tokens, and judges each answer.

It runs in a thread of its own, since Hypothesis does not wait for event loops, and shortens what fails. Used by
test_fuzz.py and `python -m tests.fuzz`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2
import orjson
from graphql import parse
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.documents.data import World
from tests.documents.difference import difference, without_tags
from tests.documents.slow_evaluator import SlowEvaluator
from tests.documents.slow_lists import is_refusal
from tests.fuzz.callers import Caller
from tests.fuzz.judge import codes_of, judge
from tests.fuzz.strategies import Operations, plain
from tests.gql.web_socket import PROTOCOL

REFUSED = {"COST_LIMIT_EXCEEDED", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"}
_EVENTS_READ = 3


@dataclass(slots=True)
class Report:
    """How many were sent of each kind, and with which codes they were answered. `equal`: as the slow evaluator does."""

    answers: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    equal: int = 0

    def answered(self, kind: str, codes: Sequence[str]) -> None:
        self.answers[kind].update(codes or ["no error"])

    def __str__(self) -> str:
        lines = [
            f"  {kind}: " + ", ".join(f"{number} {code}" for code, number in codes.most_common())
            for kind, codes in self.answers.items()
        ]
        return "\n".join([f"{self.equal} equal to the slow evaluator's", *lines])


class Fuzzer:
    """One run against one server. `secrets`: what no answer may have in it."""

    def __init__(
        self,
        url: str,
        sdl: str,
        world: World,
        callers: Sequence[Caller],
        evaluator: SlowEvaluator,
        secrets: Sequence[str],
    ) -> None:
        self._url = url
        self._schema = plain(sdl)
        self._operations = Operations(sdl, world)
        self._callers = callers
        self._evaluator = evaluator
        self._secrets = [*secrets, *(caller.token for caller in callers)]
        self._numbers = count(1)
        self._kind = ""
        self.report = Report()

    def run(self, operations: int, seed: int) -> Report:
        """About so many; nothing changes the world before the queries that are compared have been answered."""
        each = max(operations // 10, 1)
        self._for_each("compared", self._operations.stored(), self._compare, 4 * each, seed)
        self._for_each("queries", self._operations.queries(), self._post, each, seed)
        self._for_each("invalid", self._operations.invalid(), self._post_invalid, each, seed)
        self._for_each("subscriptions", self._operations.subscriptions(), self._follow, each, seed)
        self._for_each("over a socket", self._operations.queries(), self._follow, each, seed)
        self._for_each("mutations", self._operations.mutations(), self._post, 2 * each, seed)
        return self.report

    def _for_each(
        self, kind: str, texts: st.SearchStrategy[str], send: Callable[[str, Caller], None], number: int, seed: int
    ) -> None:
        self._kind = kind
        with httpx2.Client(base_url=self._url, trust_env=False, timeout=60) as self._http:

            @seeded(seed)
            @settings(
                max_examples=number,
                database=None,
                deadline=None,
                derandomize=False,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )
            @given(text=texts, caller=st.sampled_from(self._callers))
            def sent(text: str, caller: Caller) -> None:
                try:
                    send(text, caller)
                except AssertionError as wrong:
                    raise AssertionError(f"{wrong}\nseed {seed}, {caller.viewer}\n{text}") from wrong

            sent()

    def _post(self, text: str, caller: Caller) -> None:
        self._answer(text, caller)

    def _post_invalid(self, text: str, caller: Caller) -> None:
        answer = self._answer(text, caller)
        assert set(codes_of(answer)) <= REFUSED | {"BAD_USER_INPUT"}, answer
        assert answer.get("errors"), "it should have been refused"

    def _answer(self, text: str, caller: Caller) -> dict[str, Any]:
        request_id = f"fuzz-{next(self._numbers):08}"
        response = self._http.post(
            "/graphql",
            json={"query": text},
            headers={"Authorization": f"Bearer {caller.token}", "X-Request-Id": request_id},
        )
        assert response.status_code == 200, response.text
        assert response.headers["x-request-id"] == request_id
        answer: dict[str, Any] = response.json()
        judge(text, answer, request_id, self._schema, self._secrets)
        self.report.answered(self._kind, codes_of(answer))
        return answer

    def _compare(self, text: str, caller: Caller) -> None:
        answer = self._answer(text, caller)
        codes = set(codes_of(answer))
        if codes and codes <= REFUSED:
            return
        expected = self._evaluator.answer(parse(text), {}, caller.viewer)
        refused = {tuple(error.path or ()) for error in expected.errors or () if is_refusal(error)}
        if len(refused) < len(expected.errors or ()):
            assert codes - {"FORBIDDEN"} == {"BAD_USER_INPUT"}, (answer, expected.errors)
            return
        assert codes == ({"FORBIDDEN"} if refused else set()), answer
        assert {tuple(error["path"]) for error in answer.get("errors", ())} == refused, answer
        data = orjson.loads(without_tags(orjson.dumps(answer["data"])))
        differs = difference(data, orjson.loads(orjson.dumps(expected.data)))
        assert differs is None, differs
        self.report.equal += 1

    def _follow(self, text: str, caller: Caller) -> None:
        """Over a WebSocket: its first results, and then no more."""
        url = self._url.replace("http://", "ws://") + "/graphql"
        request_id = f"fuzz-{next(self._numbers):08}"
        with connect(
            url,
            subprotocols=[Subprotocol(PROTOCOL)],
            proxy=None,
            max_size=None,
            compression=None,
            additional_headers={"Authorization": f"Bearer {caller.token}", "X-Request-Id": request_id},
        ) as socket:
            socket.send('{"type": "connection_init"}')
            assert orjson.loads(socket.recv(timeout=30)) == {"type": "connection_ack"}
            socket.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": {"query": text}}).decode())
            self._read(socket, text, request_id)

    def _read(self, socket: ClientConnection, text: str, request_id: str) -> None:
        for _ in range(_EVENTS_READ):
            message = self._next(socket)
            if message is None or message["type"] == "complete":
                return
            answer = {"errors": message["payload"]} if message["type"] == "error" else message["payload"]
            judge(text, answer, request_id, self._schema, self._secrets)
            self.report.answered(self._kind, codes_of(answer))
            if message["type"] == "error":
                return

    @staticmethod
    def _next(socket: ClientConnection) -> Any:
        """The next message of the operation; None where a while has passed without any."""
        with suppress(TimeoutError):
            message = orjson.loads(socket.recv(timeout=0.25))
            return message if message["type"] in {"next", "error", "complete"} else None
        return None
