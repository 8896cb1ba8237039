"""The hostile requests over HTTP: each made to cost the server more than it costs the sender, or to break it.

A request says with which codes it may be refused; without one it has to be answered. Those over WebSocket are in
socket_corpus.py. Used by test_hostile.py and `python -m tests.hostile`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.hostile.documents import INPUT, PARSE, VALID, documents


@dataclass(frozen=True, slots=True)
class Hostile:
    """`body` makes the bytes to send, others in each run, so that nothing kept from the last one helps."""

    name: str
    codes: frozenset[str]
    body: Callable[[int], bytes]

    def __str__(self) -> str:
        return self.name


def corpus() -> Sequence[Hostile]:
    """All of them."""
    return [*_documents(), *_with_variables(), *_bodies()]


def _documents() -> list[Hostile]:
    return [_operation(name, codes, text) for name, (codes, text) in documents().items()]


def _with_variables() -> list[Hostile]:
    node = "query Q($id: ID!) { node(id: $id) { id } }"
    nodes = "query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    listed = (
        'query Q($filter: ServiceConnectionFilter, $after: String) { organization(by: {slug: "acme"}) '
        "{ connections(filter: $filter, after: $after) { totalCount } } }"
    )
    create = "mutation M($input: CreateConnectionInput!) { createConnection(input: $input) { userErrors { message } } }"
    unknown = {f"unknwn{number}": number for number in range(600)}
    return [
        _operation("an id of 100,000 characters", (), node, {"id": "conn_" + "0" * 100_000}),
        _operation("an id that is a number of 4,000 digits", (INPUT,), node, {"id": 10**4_000}),
        _operation("100 ids that are garbage", (), nodes, {"ids": ["\x00\u2028" * 200 + str(n) for n in range(100)]}),
        _operation("10,000 ids", (INPUT,), nodes, {"ids": [f"conn_{number}" for number in range(10_000)]}),
        _operation("10,000 ids that are null", (INPUT,), nodes, {"ids": [None] * 10_000}),
        _operation("10,000 ids that are lists", (INPUT,), nodes, {"ids": [[]] * 10_000}),
        _operation("a cursor of 100,000 characters", (INPUT,), listed, {"after": "x" * 100_000}),
        _operation("a cursor of 50,000 parts", (INPUT,), listed, {"after": "~" * 50_000}),
        _operation("a search of 100,000 characters", (INPUT,), listed, {"filter": {"search": "%_\\" * 33_000}}),
        _operation(
            "10,000 values of an enum", (INPUT, "answered"), listed, {"filter": {"status": ["ACTIVE"] * 10_000}}
        ),
        _operation("10,000 wrong values of an enum", (INPUT,), listed, {"filter": {"status": ["ACTIV"] * 10_000}}),
        _operation(
            "10,000 labels", (INPUT, "answered"), listed, {"filter": {"labels": {f"k{n}": "v" for n in range(10_000)}}}
        ),
        _operation("labels nested 500 deep", (INPUT,), listed, {"filter": {"labels": _nested({}, 500)}}),
        _operation("600 unknown input fields", (INPUT,), create, {"input": unknown}),
        _operation("10,000 unknown input fields", (INPUT,), create, {"input": {f"n{n}": n for n in range(10_000)}}),
        _operation("an unknown input field of 100,000 characters", (INPUT,), create, {"input": {"nam" * 33_000: 1}}),
        _operation("600 unknown fields in an input's input", (INPUT,), create, {"input": {"credential": unknown}}),
        _operation("an input nested 500 deep", (INPUT,), create, {"input": _nested({}, 500)}),
        _operation("a name of 200,000 characters", ("answered",), create, {"input": _connection(name="x" * 200_000)}),
        _operation(
            "settings of 10,000 members", (INPUT, "answered"), create, _settings({f"k{n}": n for n in range(10_000)})
        ),
        _operation("settings nested 900 deep", (INPUT, "answered"), create, _settings(_nested([], 900))),
        _operation(
            "10,000 variables that nobody declared",
            (),
            "{ viewer { user { id } } }",
            {f"v{n}": n for n in range(10_000)},
        ),
        _operation(
            "members of variables called __proto__",
            (),
            "{ viewer { user { id } } }",
            {"__proto__": {"a": 1}, "constructor": 1},
        ),
        _operation(
            "an operationName of 100,000 characters", (INPUT,), "{ viewer { user { id } } }", None, "A" * 100_000
        ),
        _operation("an operationName called __schema", (INPUT,), "query A { __typename }", None, "__schema"),
    ]


def _bodies() -> list[Hostile]:
    viewer = b'{"query": "{ viewer { user { id } } }"'
    return [
        Hostile(
            "a body of 10 MB",
            frozenset({INPUT}),
            lambda _: viewer + b', "variables": {"a": "' + b"x" * 10_000_000 + b'"}}',
        ),
        Hostile(
            "a text of 250 KB", frozenset({VALID}), lambda n: _json({"query": f"# {n}" + "#" * 250_000 + "\n{ a }"})
        ),
        Hostile("JSON nested 100,000 deep", frozenset({INPUT}), lambda _: b"[" * 100_000 + b"]" * 100_000),
        Hostile(
            "JSON objects nested 40,000 deep", frozenset({INPUT}), lambda _: b'{"a":' * 40_000 + b"1" + b"}" * 40_000
        ),
        Hostile(
            "variables nested 1,000 deep",
            frozenset({INPUT, "answered"}),
            lambda n: viewer + b', "variables": {"a":' + b"[" * 1_000 + b"]" * 1_000 + b"}}",
        ),
        Hostile(
            "a member 20,000 times",
            frozenset({INPUT}),
            lambda _: b"{" + b",".join([b'"query": "{"'] * 17_000) + b', "query": 1}',
        ),
        Hostile("a batch of 1,000", frozenset({INPUT}), lambda _: b"[" + b",".join([viewer + b"}"] * 1_000) + b"]"),
        Hostile("half of a body", frozenset({INPUT}), lambda _: viewer + b', "variables": {"a": [' + b"1," * 50_000),
        Hostile("a body of zero bytes of text", frozenset({INPUT}), lambda _: b"\0" * 200_000),
        Hostile(
            "a body that isn't UTF-8", frozenset({INPUT}), lambda _: b'{"query": "' + b"\xff\xfe" * 100_000 + b'"}'
        ),
        Hostile(
            "a number of 200,000 digits",
            frozenset({INPUT, "answered"}),
            lambda _: viewer + b', "variables": {"a": ' + b"9" * 200_000 + b"}}",
        ),
        Hostile("200,000 escapes", frozenset({PARSE}), lambda n: b'{"query": "' + b"\\u007b" * 5_000 + b'"}'),
        Hostile(
            "10,000 hashes of documents",
            frozenset({INPUT}),
            lambda n: _json(
                {"extensions": {f"persistedQuery{k}": {"version": 1, "sha256Hash": f"{k:064}"} for k in range(1_500)}}
            ),
        ),
        Hostile(
            "a documentId of 200,000 characters",
            frozenset({INPUT}),
            lambda _: _json({"documentId": "sha256:" + "0" * 200_000}),
        ),
        Hostile(
            "extensions of 10,000 members",
            frozenset({"answered"}),
            lambda n: viewer + b', "extensions": ' + _json({f"e{k}": k for k in range(10_000)}) + b"}",
        ),
    ]


def _operation(
    name: str,
    codes: Sequence[str],
    text: str,
    variables: dict[str, Any] | None = None,
    operation_name: str | None = None,
) -> Hostile:
    rest = {"variables": variables, "operationName": operation_name}

    def body(run: int) -> bytes:
        # In another line each time: the same text is another operation.
        return _json({"query": "\n" * run + text, **rest})

    return Hostile(name, frozenset(codes or ("answered",)), body)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _nested(innermost: Any, levels: int) -> Any:
    value = innermost
    for _ in range(levels):
        value = [value] if isinstance(innermost, list) else {"a": value}
    return value


def _connection(**members: Any) -> dict[str, Any]:
    return {"organizationId": "org_x", "service": "github", "credential": {"token": {"token": "x"}}, **members}


def _settings(settings: Any) -> dict[str, Any]:
    return {"input": _connection(settings=settings)}
