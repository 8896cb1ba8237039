"""Manifests: which are read, and what an operator is told of those that can't be published."""

import hashlib
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.entities.trusted_document import id_of_text, parse_document_id
from gql.document_manifest import APOLLO, read_manifest
from gql.limit_settings import Limits
from gql.operator_error import OperatorError
from gql.schema import TetherSchema, build_schema

VIEWER = "query Viewer { viewer { user { name } } }"
TWO = "query A { services { id } } query B { services { name } }"


@cache
def schema() -> TetherSchema:
    return build_schema(Limits(aliases=2))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def problems(manifest: Any) -> list[str]:
    """What is told of it, in which nothing is left of a traceback."""
    content = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    with pytest.raises(OperatorError) as refused:
        read_manifest(content, schema())
    return list(refused.value.problems)


@pytest.mark.parametrize(
    "manifest",
    [
        {sha256(VIEWER): VIEWER, "md5-or-what": TWO},
        {f"sha256:{sha256(VIEWER)}": VIEWER, "md5-or-what": TWO, sha256(VIEWER): VIEWER},
        {
            "format": APOLLO,
            "version": 1,
            "operations": [
                {"id": sha256(VIEWER), "name": "Viewer", "type": "query", "body": VIEWER},
                {"id": "md5-or-what", "name": "A", "type": "query", "body": TWO},
            ],
        },
    ],
    ids=["graphql-codegen and Relay", "with prefixes", "Apollo"],
)
def test_each_tools_manifest_is_read(manifest: Any) -> None:
    expected = [(id_of_text(VIEWER), VIEWER, "Viewer"), ("md5-or-what", TWO, "A, B")]
    assert read_manifest(json.dumps(manifest).encode(), schema()) == expected
    assert read_manifest(json.dumps(manifest).encode("utf-8-sig"), schema()) == expected


def test_all_that_is_wrong_is_told_a_document_a_line() -> None:
    told = problems(
        {
            "fine": VIEWER,
            "nothing": "{ nothing }",
            "broken": "{\n viewer {",
            "large": "{ a: services { id } b: services { id } c: services { id } }",
            "fragment": "fragment F on Service { id }",
            "number": 1,
            "null": None,
            "nul": "{ services { id } } # \0",
            "half a pair": VIEWER,
            "lone": '{ node(id: "\ud800") { id } }',
            sha256(VIEWER): VIEWER + " ",
        }
    )
    assert [line.partition(":")[0] for line in told] == [
        *("nothing", "broken", "large", "fragment", "number", "null", "nul", "half a pair", "lone", sha256(VIEWER)),
        "Nothing was published.",
    ]
    assert told[0] == "nothing: Cannot query field 'nothing' on type 'Query'. (line 1)"
    assert told[1].endswith("(line 2)")
    assert "more than 2 aliases" in told[2]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"1", b'"x"', b"[]", b"{}", b'[["a", "{ a }"]]', b"NaN"),
        b'{"format": "%s"}' % APOLLO.encode(),
        b'{"format": "%s", "version": 2, "operations": []}' % APOLLO.encode(),
        b'{"format": "%s", "version": 1, "operations": {}}' % APOLLO.encode(),
        b'{"format": "%s", "version": 1, "operations": []}' % APOLLO.encode(),
    ],
)
def test_what_is_no_manifest_is_refused_in_one_line(content: bytes) -> None:
    [told] = problems(content)
    assert told.startswith("The ")


def test_an_id_that_stands_there_twice_has_one_text() -> None:
    same = b'{"a": "{ services { id } }", "a": "{ services { id } }"}'
    assert [id_ for id_, *_ in read_manifest(same, schema())] == ["a"]
    assert "twice" in problems(b'{"a": "{ services { id } }", "a": "{ services { name } }"}')[0]
    many = {f"id-{number}": VIEWER for number in range(200)}
    assert len(read_manifest(json.dumps(many).encode(), schema())) == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from([VIEWER, APOLLO, "format", sha256(VIEWER)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["format", "version", "operations", "id", "body"]) | st.text(), inner)
    ),
    max_leaves=12,
)


@given(JSON | st.dictionaries(st.text(), st.text() | JSON) | st.binary())
@example({"format": APOLLO, "version": 1, "operations": [None, {"id": "a", "body": VIEWER}]})
def test_whatever_is_read_is_published_whole_or_refused_with_words(manifest: Any) -> None:
    content = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    try:
        read, told = read_manifest(content, schema()), list[str]()
    except OperatorError as refused:
        read, told = [], list(refused.problems)
    assert bool(read) != bool(told)
    assert all(line and line.isprintable() for line in told)
    assert all(parse_document_id(id_) == id_ and schema().validated(text) for id_, text, _ in read)


@given(st.text(max_size=250) | st.from_regex(r"(sha256:)?[0-9a-fA-F]{64}|(x-[a-z]+:)?[\w.~-]{1,205}", fullmatch=True))
def test_an_id_has_one_form(written: str) -> None:
    parsed = parse_document_id(written)
    if parsed is not None:
        assert parse_document_id(parsed) == parsed
        assert parsed.lower() == written.lower() or parsed == f"sha256:{written.lower()}"
        assert parsed.isascii()
        assert len(parsed) <= 200
