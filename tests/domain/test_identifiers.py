"""Ids grow with time, and the text in which clients see them has one spelling."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.identifiers import Kind, new_id, parse_id, split_id, typed_id

KINDS = st.sampled_from(Kind)
A_UUID = "0192f0c1-7e1a-7abc-8def-0123456789ab"


def test_later_ids_sort_after_earlier_ones() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert ids == sorted(set(ids))


def test_ids_of_many_threads_differ_and_grow_in_each() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: [new_id() for _ in range(2_000)], range(8)))
    assert all(ids == sorted(ids) for ids in made)
    assert len({id_ for ids in made for id_ in ids}) == 16_000


def test_an_id_is_of_version_7_and_says_when_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    id_ = new_id()
    assert (id_.version, id_.variant) == (7, "specified in RFC 4122")
    assert before <= id_.int >> 80 <= time.time_ns() // 1_000_000 + 1


@given(KINDS, st.uuids())
def test_a_typed_id_is_read_as_it_was_written(kind: Kind, value: UUID) -> None:
    text = typed_id(kind, value)
    assert split_id(text) == (kind, value)
    assert parse_id(kind, text) == value


@given(KINDS, KINDS, st.uuids())
def test_an_id_of_another_kind_is_none(kind: Kind, asked: Kind, value: UUID) -> None:
    assert parse_id(asked, typed_id(kind, value)) == (value if kind is asked else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "_",
        "conn",
        "conn_",
        A_UUID,
        f"_{A_UUID}",
        f"Conn_{A_UUID}",
        f"unknown_{A_UUID}",
        f"conn_{A_UUID.upper()}",
        f"conn_{A_UUID} ",
        f" conn_{A_UUID}",
        f"conn_{A_UUID}\n",
        f"conn__{A_UUID}",
        f"conn_{A_UUID}0",
        f"conn_{A_UUID[:-1]}",
        f"conn_{A_UUID.replace('-', '')}",
        f"conn_{{{A_UUID}}}",
        f"conn_urn:uuid:{A_UUID}",
        f"conn_{A_UUID[:-1]}g",
        f"conn_{A_UUID[:-1]}\N{ARABIC-INDIC DIGIT ONE}",
        f"conn_{A_UUID.replace('-', '_')}",
        "conn_" + "-" * 36,
        "conn_0192f0c17-e1a-7abc-8def-0123456789ab",
    ],
)
def test_a_malformed_id_is_none(text: str) -> None:
    assert split_id(text) is None
    assert parse_id(Kind.CONNECTION, text) is None


@given(st.text(max_size=60) | st.from_regex(r"conn_[0-9a-fA-F-]{36}", fullmatch=True))
def test_any_text_is_either_the_one_spelling_of_an_id_or_none(text: str) -> None:
    parsed = split_id(text)
    assert parsed is None or typed_id(*parsed) == text
