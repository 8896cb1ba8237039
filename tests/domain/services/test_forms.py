"""Forms: what each kind of field takes, what it says of everything else, and that its schema says no less."""

from typing import Final

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.health import Json
from domain.services.field_lists import ObjectList, TextList, TextMap
from domain.services.fields import Choice, Flag, Text, WholeNumber
from domain.services.form import Form

NAME: Final = Text("name", "What it is called.", "Uploads", required=True, max_length=12)
CODE: Final = Text("code", "Its code.", "AB-12", pattern="[A-Z]{2}-[0-9]{2}", form="two letters, a dash and two digits")
STORY: Final = Text("story", "What it is about.", "Once.", max_length=100, lines=True, blank=True)
COUNT: Final = WholeNumber("count", "How many.", 1, 90, default=7)
SURE: Final = Flag("sure", "Whether it is certain.")
KIND: Final = Choice("kind", "Which kind.", ("big", "small"))
TAGS: Final = TextList("tags", "Tags.", Text("tag", "A tag.", "red", max_length=5), max_items=3)
INPUTS: Final = TextMap(
    "inputs",
    "Inputs.",
    name=Text("input", "A name.", "COLOUR", pattern="[A-Z]+", form="a name in capitals"),
    value=Text("value", "A value.", "red", max_length=5, blank=True),
    max_items=2,
)
PARTS: Final = ObjectList("parts", "Parts.", (NAME, SURE), max_items=2, required=False)
FORM: Final = Form("A thing", "A thing", "field", (NAME, CODE, STORY, COUNT, SURE, KIND, TAGS, INPUTS, PARTS))

GOOD: Final[list[dict[str, Json]]] = [
    {"name": "x"},
    {
        "name": "Größe 📏",
        "code": "AB-12",
        "story": "One\n\ttwo\r\n",
        "count": 90.0,
        "sure": True,
        "kind": "small",
        "tags": ["red", "blue"],
        "inputs": {"COLOUR": "", "SIZE": "big"},
        "parts": [{"name": "a"}, {"name": "b", "sure": False}],
    },
    {"name": "x", "story": "", "tags": [], "inputs": {}, "parts": []},
]
WRONG: Final[list[tuple[Json, tuple[str, ...], str]]] = [
    ([], (), "The fields are an object, such as {}."),
    ({}, ("name",), "name is missing: What it is called."),
    ({"name": "x", "nmae": 1}, ("nmae",), "A thing has no field 'nmae'. It knows: name, code, "),
    ({"name": 1}, ("name",), "name is a text, such as 'Uploads'."),
    ({"name": None}, ("name",), "name is a text, such as 'Uploads'."),
    ({"name": "x" * 13}, ("name",), "name has at most 12 characters; this has 13."),
    ({"name": " \u200b"}, ("name",), "name is empty: there is nothing in it that can be seen."),
    ({"name": "a\nb"}, ("name",), "name holds a line break or another control character, which can't be sent."),
    ({"name": "a\ud800"}, ("name",), "which can't be sent."),
    ({"name": "x", "story": "a\0b"}, ("story",), "story holds a control character"),
    ({"name": "x", "code": "AB-12\n"}, ("code",), "code is two letters, a dash and two digits, such as 'AB-12'."),
    ({"name": "x", "count": 0}, ("count",), "count is a whole number from 1 to 90."),
    ({"name": "x", "count": True}, ("count",), "count is a whole number from 1 to 90."),
    ({"name": "x", "count": float("inf")}, ("count",), "count is a whole number from 1 to 90."),
    ({"name": "x", "sure": 1}, ("sure",), "sure is true or false."),
    ({"name": "x", "kind": "huge"}, ("kind",), "kind is one of big, small."),
    ({"name": "x", "kind": ["big"]}, ("kind",), "kind is one of big, small."),
    ({"name": "x", "tags": "red"}, ("tags",), "tags is a list of texts, such as ['red']."),
    ({"name": "x", "tags": ["a", "b", "c", "d"]}, ("tags",), "tags has at most 3 items; this has 4."),
    ({"name": "x", "tags": ["a", 1]}, ("tags", "1"), "tag is a text, such as 'red'."),
    ({"name": "x", "tags": ["a", "a"]}, ("tags", "1"), "tags holds this twice."),
    ({"name": "x", "inputs": []}, ("inputs",), 'inputs is an object of texts, such as {"COLOUR": "red"}.'),
    ({"name": "x", "inputs": {"A": "", "B": "", "C": ""}}, ("inputs",), "inputs has at most 2 entries; this has 3."),
    ({"name": "x", "inputs": {"a": ""}}, ("inputs", "a"), "input is a name in capitals, such as 'COLOUR'."),
    ({"name": "x", "inputs": {"A": 1}}, ("inputs", "A"), "value is a text, such as 'red'."),
    ({"name": "x", "parts": {}}, ("parts",), "parts is a list of at most 2 objects."),
    ({"name": "x", "parts": [1]}, ("parts", "0"), "parts holds something that is no object."),
    ({"name": "x", "parts": [{}]}, ("parts", "0", "name"), "name is missing: What it is called."),
    ({"name": "x", "parts": [{"name": "x", "size": 1}]}, ("parts", "0", "size"), "parts has no field 'size'."),
]


@pytest.mark.parametrize("value", GOOD)
def test_what_is_good_is_valid_to_the_schema(value: dict[str, Json]) -> None:
    assert list(FORM.problems(value)) == []
    assert jsonschema_rs.validator_for(FORM.schema()).is_valid(value)


@pytest.mark.parametrize(("value", "path", "message"), WRONG)
def test_what_is_wrong_is_told_with_the_path_to_it(value: Json, path: tuple[str, ...], message: str) -> None:
    (problem,) = FORM.problems(value)

    assert problem.path == path
    assert message in problem.message


def test_all_that_is_wrong_is_told_at_once() -> None:
    value: Json = {"x": 1, "count": 0, "tags": [1, 2]}

    assert [problem.path for problem in FORM.problems(value)] == [
        ("x",),
        ("name",),
        ("count",),
        ("tags", "0"),
        ("tags", "1"),
    ]


def test_what_is_left_out_is_read_as_its_default() -> None:
    nothing: dict[str, Json] = {}
    assert (NAME.read(nothing), COUNT.read(nothing), SURE.read(nothing), KIND.read(nothing)) == ("", 7, False, "big")
    assert (TAGS.read(nothing), INPUTS.read(nothing)) == ([], {})
    given_all = GOOD[1]
    assert (NAME.read(given_all), COUNT.read(given_all), SURE.read(given_all)) == ("Größe 📏", 90, True)
    assert (KIND.read(given_all), TAGS.read(given_all)) == ("small", ["red", "blue"])
    assert INPUTS.read(given_all) == {"COLOUR": "", "SIZE": "big"}


scalars = st.none() | st.booleans() | st.integers(-2, 100) | st.floats() | st.text(max_size=14)
values: st.SearchStrategy[Json] = st.recursive(
    scalars | st.sampled_from(["red", "big", "AB-12"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "sure", "A", "B"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.fixed_dictionaries({}, optional={field.key: values for field in FORM.fields}))
def test_the_form_takes_nothing_that_the_schema_refuses(value: dict[str, Json]) -> None:
    if any(FORM.problems(value)):
        return
    assert jsonschema_rs.validator_for(FORM.schema()).is_valid(value)


def test_the_schema_is_one() -> None:
    jsonschema_rs.meta.validate(FORM.schema())
