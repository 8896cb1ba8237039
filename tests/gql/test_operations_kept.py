"""The cache of operations, which keeps neither too many documents nor too large ones."""

import pytest
from graphql import OperationDefinitionNode, parse

from gql.cost import Part
from gql.operations import OPERATION_CHARACTERS_KEPT, OPERATIONS_KEPT, OperationCache
from gql.schema import build_schema

_SCHEMA = build_schema()._schema


def _text(number: int, length: int) -> str:
    return f"{{ services {{ id }} }} # {number} ".ljust(length, "x")


def _add(cache: OperationCache, text: str) -> None:
    document = parse(text)
    [definition] = document.definitions
    assert isinstance(definition, OperationDefinitionNode)
    cache.add(text, text.encode(), None, document, definition, Part("", 0))
    cache.running(definition, _SCHEMA)


@pytest.mark.parametrize(
    ("length", "kept"),
    [(40, OPERATIONS_KEPT), (32_000, OPERATION_CHARACTERS_KEPT // 32_000), (OPERATION_CHARACTERS_KEPT + 1, 1)],
)
def test_the_latest_are_kept_as_far_as_there_is_room_for_their_texts(length: int, kept: int) -> None:
    cache, number = OperationCache(), min(kept + 5, OPERATIONS_KEPT + 5)
    texts = [_text(each, length) for each in range(number)]
    for text in [*texts, *texts[-1:]]:  # the last one twice, which counts once
        _add(cache, text)
    assert [text for text in texts if cache.known(text.encode(), None)] == texts[-kept:]
    assert len(cache._operations._values) <= kept
