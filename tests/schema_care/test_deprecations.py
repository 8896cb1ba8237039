"""What is deprecated says what to use instead and the day on which it goes, and is gone by then."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from graphql import (
    DirectiveNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    InputValueDefinitionNode,
    Node,
    StringValueNode,
    Visitor,
    parse,
    visit,
)

from tests.schema_care.__main__ import ROOT

REASON = re.compile(r"\S.*\. Goes on (\d{4}-\d{2}-\d{2})\.")


def test_every_deprecation_has_its_day_and_none_is_overdue() -> None:
    assert list(wrongs((ROOT / "schema.graphql").read_text("utf-8"), datetime.now(UTC).date())) == []


@pytest.mark.parametrize(
    ("deprecated", "wrong"),
    [
        ('@deprecated(reason: "Use `name`. Goes on 2027-06-01.")', None),
        ('@deprecated(reason: "Use `name`. Goes on 2027-05-31.")', "a: is overdue since 2027-05-31"),
        ("@deprecated", "a: says no day"),
        ('@deprecated(reason: "Use `name`.")', "a: says no day"),
        ('@deprecated(reason: "Goes on 2027-06-01.")', "a: says no day"),
        ('@deprecated(reason: "Use `name`. Goes on 2027-06-31.")', "a: 2027-06-31 is no day"),
    ],
)
def test_a_deprecation_without_a_day_or_past_it_is_found(deprecated: str, wrong: str | None) -> None:
    today = date(2027, 6, 1)
    for place in (
        "type A {{ a: Int {} }}",
        "enum A {{ a {} }}",
        "input A {{ a: Int {} }}",
        "type A {{ b(a: Int {}): Int }}",
    ):
        assert list(wrongs(place.format(deprecated), today)) == ([] if wrong is None else [wrong])


def wrongs(schema: str, today: date) -> Iterator[str]:
    """Each deprecation that isn't as it should be."""
    for name, reason in _deprecations(schema):
        matched = REASON.fullmatch(reason)
        if matched is None:
            yield f"{name}: says no day"
            continue
        try:
            day = date.fromisoformat(matched[1])
        except ValueError:
            yield f"{name}: {matched[1]} is no day"
            continue
        if day < today:
            yield f"{name}: is overdue since {day}"


def _deprecations(schema: str) -> list[tuple[str, str]]:
    """Names with reasons."""
    found: list[tuple[str, str]] = []

    class Finding(Visitor):
        def enter(self, node: Node, *_: object) -> None:
            if isinstance(node, FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode):
                deprecated = (one for one in node.directives or () if one.name.value == "deprecated")
                found.extend((node.name.value, _reason(one)) for one in deprecated)

    visit(parse(schema), Finding())
    return found


def _reason(directive: DirectiveNode) -> str:
    values = [one.value for one in directive.arguments or () if one.name.value == "reason"]
    return values[0].value if values and isinstance(values[0], StringValueNode) else ""
