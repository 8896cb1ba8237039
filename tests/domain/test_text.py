"""What texts become before they are kept, and which are refused."""

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.text import (
    LABELS_MOST,
    NAME_LENGTH,
    REASON_LENGTH,
    clean_labels,
    clean_name,
    clean_reason,
    has_visible_character,
    numbered_names,
    search_key,
)
from domain.errors import InvalidInput

FIELD = ("input", "name")


@given(st.text())
def test_a_clean_name_is_whole_bounded_and_stays_as_it_is(text: str) -> None:
    try:
        name = clean_name(text, FIELD)
    except InvalidInput:
        bounded = 1 <= len(unicodedata.normalize("NFC", text).strip()) <= NAME_LENGTH
        assert any(map(_is_control, text)) or not bounded or not has_visible_character(text)
        return
    assert 1 <= len(name) <= NAME_LENGTH
    assert name == name.strip() == unicodedata.normalize("NFC", name)
    assert clean_name(name, FIELD) == name
    name.encode()  # no lone surrogate is left


@pytest.mark.parametrize(
    "text", ["", "   ", "\u3000", "a\x00b", "a\nb", "a\x7fb", "a\ud800", "x" * 101, "\u200b", "\u2060 \u3164"]
)
def test_names_that_cannot_be_shown_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_name(text, FIELD)
    assert refusal.value.field == FIELD


def test_two_spellings_of_a_name_are_one() -> None:
    assert clean_name(" Cafe\u0301 ", FIELD) == "Caf\u00e9"
    assert search_key("STRASSE") == search_key("straße")
    assert search_key("ΣΊΣΥΦΟΣ") == search_key("σίσυφος")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=90).filter(has_visible_character))
def test_numbered_names_are_all_usable_and_all_different(text: str) -> None:
    names = list(itertools.islice(numbered_names(text), 12))
    assert len({search_key(name) for name in names}) == 12
    assert [clean_name(name, FIELD) for name in names] == names


def test_numbered_names_count_from_two() -> None:
    assert list(itertools.islice(numbered_names(" acme "), 3)) == ["acme", "acme 2", "acme 3"]
    assert list(itertools.islice(numbered_names("x" * 300), 2)) == ["x" * 100, "x" * 98 + " 2"]


@given(st.text(max_size=REASON_LENGTH * 2))
def test_a_clean_reason_is_one_line_of_bounded_length_or_none(text: str) -> None:
    reason = clean_reason(text)
    if reason is None:
        assert not "".join(c for c in text if not _is_control(c)).strip()
        return
    assert 1 <= len(reason) <= REASON_LENGTH
    assert not any(map(_is_control, reason))
    assert clean_reason(reason) == reason


def test_no_reason_is_none() -> None:
    assert clean_reason(None) is None
    assert clean_reason(" \n ") is None


label_keys = (
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=63)
    .map(lambda key: unicodedata.normalize("NFC", key))
    .filter(lambda key: len(key) <= 63)
)
label_values = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=255)


@given(st.dictionaries(label_keys, label_values, max_size=LABELS_MOST))
def test_labels_are_kept_as_given_in_the_order_of_their_keys(labels: dict[str, str]) -> None:
    cleaned = clean_labels(dict(labels), ("input", "labels"))
    assert cleaned == labels
    assert list(cleaned) == sorted(labels)


def test_two_spellings_of_a_labels_key_are_one() -> None:
    assert clean_labels({"e\u0301quipe": "a"}, ()) == {"\u00e9quipe": "a"}
    with pytest.raises(InvalidInput, match="same key") as refusal:
        clean_labels({"e\u0301": "a", "\u00e9": "b"}, ("labels",))
    assert refusal.value.field == ("labels", "\u00e9")


def test_no_labels_are_none_at_all() -> None:
    assert clean_labels(None, ()) == {}


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        (["team"], ("labels",)),
        ("team", ("labels",)),
        (True, ("labels",)),
        ({"": "x"}, ("labels",)),
        ({"k" * 64: "x"}, ("labels",)),
        ({"a\tb": "x"}, ("labels",)),
        ({"a\udc00": "x"}, ("labels",)),
        ({str(n): "x" for n in range(33)}, ("labels",)),
        ({"team": None}, ("labels", "team")),
        ({"team": ["x"]}, ("labels", "team")),
        ({"team": "x" * 256}, ("labels", "team")),
        ({"team": "x\x00"}, ("labels", "team")),
    ],
)
def test_labels_of_another_form_are_refused_with_their_place(labels: object, field: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        clean_labels(labels, ("labels",))  # type: ignore[arg-type] # JSON, from outside
    assert refusal.value.field == field


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"}
