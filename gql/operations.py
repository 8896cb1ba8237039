"""Operations that have been seen: each text is parsed and validated once, and the shape of its variables is known.

Used by `gql/schema.py`, which fills the cache, and by the executor, which finds document plans by shape.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    is_input_type,
    type_from_ast,
)

OPERATIONS_KEPT = 1_000

_MISSING = object()
_Shaper = Callable[[Any], Hashable]


@dataclass(frozen=True, slots=True)
class Operation:
    """A valid document and, for the operation that is run of it, what its variables look like."""

    key: Hashable
    document: DocumentNode
    definition: OperationDefinitionNode
    shapers: tuple[tuple[str, _Shaper], ...]

    def shape(self, variables: Mapping[str, Any]) -> Hashable:
        """What a plan may depend on: which variables and members are given, and the values of booleans and enums."""
        return tuple(shaper(variables.get(name, _MISSING)) for name, shaper in self.shapers)


class OperationCache:
    """The operations used latest, by their text and operation name. Only valid ones are kept."""

    def __init__(self) -> None:
        self._operations: OrderedDict[Hashable, Operation] = OrderedDict()
        self._by_definition: dict[int, Operation] = {}
        self.validated = 0

    def find(self, text: str, operation_name: str | None) -> Operation | None:
        """The operation, if it has been seen."""
        key = _key(text, operation_name)
        operation = self._operations.get(key)
        if operation is not None:
            self._operations.move_to_end(key)
        return operation

    def add(
        self,
        text: str,
        operation_name: str | None,
        document: DocumentNode,
        definition: OperationDefinitionNode,
        schema: GraphQLSchema,
    ) -> None:
        """Keep an operation that is valid."""
        key = _key(text, operation_name)
        operation = Operation(key, document, definition, _shapers(definition, schema))
        self._operations[key] = operation
        self._by_definition[id(definition)] = operation
        self.validated += 1
        if len(self._operations) > OPERATIONS_KEPT:
            _, oldest = self._operations.popitem(last=False)
            self._by_definition.pop(id(oldest.definition), None)

    def running(self, definition: OperationDefinitionNode) -> Operation | None:
        """The operation whose definition this very object is."""
        operation = self._by_definition.get(id(definition))
        return operation if operation is not None and operation.definition is definition else None


def _key(text: str, operation_name: str | None) -> Hashable:
    return sha256(text.encode()).digest(), operation_name


def _shapers(definition: OperationDefinitionNode, schema: GraphQLSchema) -> tuple[tuple[str, _Shaper], ...]:
    shapers: list[tuple[str, _Shaper]] = []
    for variable in definition.variable_definitions or ():
        type_ = type_from_ast(schema, variable.type)
        if type_ is None or not is_input_type(type_):
            raise AssertionError("a validated operation has variables of input types")
        shapers.append((variable.variable.name.value, _shaper(type_)))
    return tuple(shapers)


def _shaper(type_: GraphQLInputType) -> _Shaper:
    if isinstance(type_, GraphQLNonNull):
        return _shaper(type_.of_type)
    if isinstance(type_, GraphQLEnumType) or type_ is GraphQLBoolean:
        return _itself
    if isinstance(type_, GraphQLInputObjectType):
        members = [(name, _shaper(field.type)) for name, field in type_.fields.items()]

        def shape(value: Any) -> Hashable:
            if value is None or value is _MISSING:
                return value
            return tuple(shaper(value.get(name, _MISSING)) for name, shaper in members)

        return shape
    return _presence


def _itself(value: Any) -> Hashable:
    shape: Hashable = value
    return shape


def _presence(value: Any) -> Hashable:
    return value if value is None or value is _MISSING else 1
