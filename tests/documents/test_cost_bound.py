"""An answer never has more fields than its operation was said to cost, whatever is asked and whatever is stored."""

import random
from hashlib import sha256
from typing import Any

import pytest
from graphql import DocumentNode, FieldNode, GraphQLSchema, TypeInfo, TypeInfoVisitor, Visitor, get_named_type, visit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gql.limit_settings import Limits
from tests.documents.data import World
from tests.documents.generator import generate
from tests.documents.reading import Reading
from tests.documents.slow_evaluator import plain_schema
from tests.documents.values import Values

pytestmark = pytest.mark.anyio


@settings(suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
async def test_no_answer_has_more_fields_than_points(seed: int, world: World, sqlite_reading: Reading) -> None:
    values = Values(world)
    schema = plain_schema(sqlite_reading.schema.as_str())
    query = generate(schema, values, seed)
    viewer = values.viewer(random.Random(seed))  # noqa: S311 - a draw, not a secret

    answer = await sqlite_reading.answer(query.text, viewer, query.variables)

    known = sqlite_reading.schema.operations.known(sha256(query.text.encode()).digest(), None)
    assert known is not None
    cost = known.cost.of(query.variables)
    fields = _fields(answer.value, _keys_of_json(schema, query.document))
    assert fields <= cost, f"seed {seed}\n{query.text}\n{query.variables}"
    if cost > Limits().cost:
        assert answer.error[0] == "COST_LIMIT_EXCEEDED"


async def test_a_full_page_of_full_lists_costs_just_what_it_has(world: World, sqlite_reading: Reading) -> None:
    """So the bound is no empty one: where every page is full, only weights are above it."""
    viewer = Values(world).viewers()[0]
    text = (
        '{ organization(by: {slug: "acme"}) { name connections(first: 2) { nodes { id name health { status } } } '
        "members(first: 1) { edges { cursor node { role } } } } }"
    )
    data = await sqlite_reading.data(text, viewer)
    known = sqlite_reading.schema.operations.known(sha256(text.encode()).digest(), None)
    assert known is not None
    assert known.cost.of({}) == _fields(data, set()) + 2 * (10 - 1), "two pages, at 10 points rather than one"


def _fields(value: Any, keys_of_json: set[str]) -> int:
    """How many fields the objects of an answer have, not counting those within JSON values."""
    if isinstance(value, list):
        return sum(_fields(each, keys_of_json) for each in value)
    if not isinstance(value, dict):
        return 0
    return sum(1 + (0 if key in keys_of_json else _fields(each, keys_of_json)) for key, each in value.items())


def _keys_of_json(schema: GraphQLSchema, document: DocumentNode) -> set[str]:
    """By which keys an answer has values of the type JSON."""
    info = TypeInfo(schema)
    found: set[str] = set()

    class Looking(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            type_ = info.get_type()
            if type_ is not None and get_named_type(type_).name == "JSON":
                found.add((node.alias or node.name).value)

    visit(document, TypeInfoVisitor(info, Looking()))
    return found
