"""What operations cost: the examples of docs/limits.md, the table of weights, and what the numbers promise."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import pytest
from graphql import (
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    get_operation_ast,
    is_composite_type,
    is_list_type,
    parse,
    validate,
)
from hypothesis import given
from hypothesis import strategies as st

from gql.cost import Part, cost_of
from gql.cost_sizes import Sizes
from gql.cost_weights import MUTATION, PAGE, PLAIN, TOTAL_COUNT, WEIGHTS, Weight
from gql.limit_settings import Limits
from gql.schema import build_schema
from tests.documented_examples import ROOT
from tests.documents.world_maker import NOW
from tests.gql.server import TetherServer

SCHEMA: Final = build_schema()._schema  # graphql-core's schema, which Strawberry keeps to itself
PAGE_TEXT: Final = (ROOT / "docs/limits.md").read_text("utf-8")


def part_of(text: str, name: str | None = None, limits: Limits = Limits()) -> Part:  # noqa: B008 - it is frozen
    document = parse(text)
    assert validate(SCHEMA, document) == []
    operation = get_operation_ast(document, name)
    assert operation is not None
    return cost_of(operation, document, SCHEMA, Sizes(limits, lambda: NOW))


def cost(text: str, **variables: Any) -> int:
    return part_of(text).of(variables)


def test_the_examples_of_the_page_cost_what_it_says() -> None:
    examples = re.findall(r"^```graphql\n(.+?)^```\n\ncosts \*\*([\d,]+)\*\*", PAGE_TEXT, re.MULTILINE | re.DOTALL)
    assert len(examples) == 5
    assert [cost(text) for text, _ in examples] == [int(number.replace(",", "")) for _, number in examples]


def test_the_table_of_weights_is_the_codes() -> None:
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (\d+)(, with all below)? \| ?(\d*) \|$", PAGE_TEXT, re.MULTILINE)
    told = {name: Weight(int(points), int(items or 1), bool(whole)) for name, points, whole, items in rows}
    assert told == dict(WEIGHTS)
    for what, weight in (("field", PLAIN), ("page of a list", PAGE), ("mutation", MUTATION)):
        assert re.search(rf"^\| .*{what} \| {weight.points} \|", PAGE_TEXT, re.MULTILINE), what
    assert f"| `totalCount` of a page | {TOTAL_COUNT.points} |" in PAGE_TEXT


def test_every_weight_is_of_a_field_and_every_list_of_objects_has_a_size() -> None:
    fields = {
        f"{type_.name}.{name}": field
        for type_ in SCHEMA.type_map.values()
        if isinstance(type_, GraphQLObjectType)
        for name, field in type_.fields.items()
    }
    assert set(WEIGHTS) - set(fields) == {"Query.__schema", "Query.__type"}
    unsized = {
        name
        for name, field in fields.items()
        if is_list_type(get_nullable_type(field.type))
        and is_composite_type(get_named_type(field.type))
        and not name.startswith("__")
        and name.rpartition(".")[2] not in {"nodes", "edges", "userErrors"}
    }
    by_arguments = {"ConnectionHealth.series", "CommandAvailability.connections"}
    assert {name for name in unsized if WEIGHTS.get(name, PLAIN).items == 1} == by_arguments


@pytest.mark.anyio
async def test_the_assumed_sizes_are_enough_for_the_services_that_there_are(shared_server: TetherServer) -> None:
    services = list(shared_server.tether.catalogue)
    assert len(services) <= WEIGHTS["Query.services"].items
    assert max(len(service.scopes) for service in services) <= WEIGHTS["Service.scopes"].items
    assert max(len(list(service.commands or ())) for service in services) <= WEIGHTS["Service.commands"].items
    commands = sum(len(list(service.commands or ())) for service in services)
    assert commands <= WEIGHTS["Organization.commands"].items


def test_the_connections_of_a_command_count_by_how_many_are_asked_for() -> None:
    around = "{{ organization(by: {{slug: $slug}}) {{ commands {{ connections{} {{ usable }} }} }} }}".format
    for arguments, variables, each in [
        ("", {}, 5),
        ("(first: 2)", {}, 2),
        ("(first: $first)", {"first": 7}, 7),
        ("(first: 1000)", {}, 50),
        ("(first: $first)", {"first": -1}, 50),
    ]:
        declared = 'query ($slug: String = "acme", $first: Int! = 5) ' if "$first" in arguments else _WITH_SLUG
        points = WEIGHTS["Organization.commands"]
        assert cost(declared + around(arguments), **variables) == 1 + points.points + points.items * (1 + each)


_WITH_SLUG: Final = 'query ($slug: String = "acme") '


@pytest.mark.parametrize(
    ("arguments", "variables", "items"),
    [
        ("", {}, 25),
        ("first: null", {}, 25),
        ("first: 3", {}, 3),
        ("last: 4", {}, 4),
        ("first: 0", {}, 0),
        ("first: $first", {"first": 5}, 5),
        ("first: $first", {"first": None}, 25),
        ("first: $first", {}, 25),
        ("last: $last", {}, 7),
        ("last: $last", {"last": 9}, 9),
        ("first: $first, last: $last", {"last": None}, 25),
        # what is refused when it runs
        ("first: 1000", {}, 100),
        ("first: $first", {"first": -1}, 100),
        ("first: $first", {"first": 10**30}, 100),
        ("first: $first", {"first": 5.0}, 100),
        ("first: $first", {"first": float("nan")}, 100),
        ("first: $first", {"first": "5"}, 100),
        ("first: $first", {"first": True}, 100),
        ("first: $first", {"first": [5]}, 100),
    ],
)
def test_a_page_counts_by_its_size(arguments: str, variables: dict[str, Any], items: int) -> None:
    declared = [each for each in ("$first: Int", "$last: Int = 7") if each.partition(":")[0] in arguments]
    head = f"query ({', '.join(declared)})" if declared else ""
    page = f"memberships({arguments})" if arguments else "memberships"
    text = f"{head} {{ viewer {{ {page} {{ nodes {{ role }} }} }} }}"
    assert cost(text, **variables) == 1 + PAGE.points + 1 + items


def test_a_smaller_largest_page_is_the_default_too() -> None:
    text = "{ viewer { memberships { nodes { role } } } }"
    assert part_of(text, limits=Limits(page_size=10)).of({}) == 1 + PAGE.points + 1 + 10
    assert part_of(text, limits=Limits(page_size=200)).of({}) == 1 + PAGE.points + 1 + 25


def test_nodes_and_edges_both_count() -> None:
    page = "{ viewer { memberships(first: 10) { nodes { role } edges { cursor node { role } } } } }"
    assert cost(page) == 1 + PAGE.points + 1 + 10 + 1 + 10 * 3


def test_ids_count_as_many_as_are_given_and_the_dearest_type_of_an_object_counts() -> None:
    text = "query Q($ids: [ID!]!) { nodes(ids: $ids) { id ... on User { name } ... on Organization { name slug } } }"
    assert [cost(text, ids=ids) for ids in (["a"], ["a"] * 7, ["a"] * 1_000, "a")] == [4, 22, 301, 4]
    assert cost('{ nodes(ids: ["a", "b"]) { __typename } }') == 3


def test_a_series_counts_by_its_points() -> None:
    text = (
        'query Q($since: DateTime!, $bucket: SeriesBucket! = DAY) { node(id: "a") { ... on ServiceConnection { '
        "health { series(since: $since, bucket: $bucket) { start } } } } }"
    )
    alone = 2 + WEIGHTS["ConnectionHealth.series"].points
    days = (NOW - timedelta(days=3)).isoformat()
    assert cost(text, since=days) == alone + 5
    assert cost(text, since=days, bucket="HOUR") == alone + 74
    assert cost(text, since=days, bucket="WEEK") == alone + 2
    assert cost(text, since="0001-01-01T00:00:00Z") == alone + 400
    for wrong in ("soon", None, 5, "2026-11-01T00:00:00"):
        assert cost(text, since=wrong) == alone + 400


def test_what_is_asked_for_twice_counts_once_and_aliases_each() -> None:
    assert cost("{ viewer { user { id } ...F } } fragment F on Viewer { user { id name } }") == 4
    assert cost("{ viewer { a: user { id } b: user { id } } }") == 5
    assert cost('{ node(id: "a") { ... on Node { id } ... on User { id } } }') == 2


@pytest.mark.parametrize(
    ("directive", "variables", "costs"),
    [
        ("@include(if: true)", {}, 3),
        ("@include(if: false)", {}, 1),
        ("@skip(if: true)", {}, 1),
        ("@skip(if: $b) @include(if: $c)", {"b": False, "c": True}, 3),
        ("@skip(if: $b) @include(if: $c)", {"b": True, "c": True}, 1),
        ("@skip(if: $b) @include(if: $c)", {"b": False}, 1),
    ],
)
def test_what_is_left_out_does_not_count(directive: str, variables: dict[str, Any], costs: int) -> None:
    declared = "($b: Boolean!, $c: Boolean! = false)" if "$" in directive else ""
    assert cost(f"query Q{declared} {{ viewer {{ user {directive} {{ id }} }} }}", **variables) == max(costs, 1)
    nested = f"query Q{declared} {{ viewer {{ ...F {directive} }} }} fragment F on Viewer {{ user {{ id }} }}"
    assert cost(nested, **variables) == max(costs, 1)


def test_a_field_counts_where_any_of_its_places_asks_for_it() -> None:
    text = (
        "query Q($a: Boolean!, $b: Boolean!) "
        "{ viewer { user @include(if: $a) { id } ... @include(if: $b) { user { name email } } } }"
    )
    assert [cost(text, a=a, b=b) for a in (False, True) for b in (False, True)] == [1, 4, 3, 5]


@given(small=st.tuples(*[st.integers(0, 100)] * 3), more=st.tuples(*[st.integers(0, 100)] * 3))
def test_the_cost_grows_with_first(small: tuple[int, ...], more: tuple[int, ...]) -> None:
    large = [min(100, one + another) for one, another in zip(small, more, strict=True)]
    sizes: list[Mapping[str, int]] = [dict(zip("abc", values, strict=True)) for values in (small, large)]
    part = part_of(
        "query Q($a: Int!, $b: Int!, $c: Int!) { viewer { memberships(last: $a) { totalCount nodes { organization { "
        "connections(first: $b) { edges { node { id "
        "repositories(first: $c) { nodes { id } pageInfo { endCursor } } } } } } } } } }"
    )
    cheap, dear = (part.of(each) for each in sizes)
    assert cheap <= dear
    assert (cheap == dear) == all(small[i] == large[i] or 0 in large[:i] for i in range(3))
