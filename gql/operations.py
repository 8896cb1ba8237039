"""Operations that have been seen: each text is parsed and validated once, and the shape of its variables is known.

Used by `gql/schema.py`, which keeps what is valid, and by the executor, which finds document plans by shape.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Any, Generic, TypeVar

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
from strawberry.types.graphql import OperationType

from gql.cost import Part

OPERATIONS_KEPT = 1_000
OPERATION_CHARACTERS_KEPT = 1_000_000
"""Of their documents' texts together. Parsed, a document takes up to 300 bytes of memory for each character."""

HASH_DIGITS = 16

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_MISSING = object()
_Known = tuple[bytes | str, str | None]
_Shaper = Callable[[Any], Hashable]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document. `serial` is its alone for as long as the process lives."""

    serial: int
    definition: OperationDefinitionNode
    shapers: tuple[tuple[str, _Shaper], ...]

    def shape(self, variables: Mapping[str, Any]) -> Hashable:
        """What a plan may depend on: which variables and members are given, and the values of booleans and enums."""
        return tuple(shaper(variables.get(name, _MISSING)) for name, shaper in self.shapers)


@dataclass(frozen=True, slots=True)
class KnownOperation:
    """What may be told of a text that was found valid. `kind`: query, mutation or subscription.

    `trusted`: it was published, and is answered whatever it costs.
    """

    document: DocumentNode
    text: str
    kind: OperationType
    name: str | None
    hash: str
    trusted: bool
    cost: Part


class OperationCache:
    """The documents and operations used latest. `validated` counts the documents that had to be validated.

    A document's key is the SHA-256 of its text, or its id where it is trusted: what one may do, the other may not.
    """

    def __init__(self) -> None:
        self._known: _Latest[_Known, KnownOperation] = _Latest(_text_length)
        self._operations: _Latest[int, Operation] = _Latest(_source_length)
        self._serials = count(1)
        self.validated = 0

    def known(self, key: bytes | str, operation_name: str | None) -> KnownOperation | None:
        """What was found valid for this operation name."""
        return self._known.get((key, operation_name))

    def add(
        self,
        text: str,
        key: bytes | str,
        operation_name: str | None,
        document: DocumentNode,
        to_run: OperationDefinitionNode,
        cost: Part,
    ) -> KnownOperation:
        """Keep a document that is valid, with the operation of it that is to run."""
        known = KnownOperation(
            document=document,
            text=text,
            kind=OperationType(to_run.operation.value),
            name=None if to_run.name is None else to_run.name.value,
            hash=sha256(text.encode()).hexdigest()[:HASH_DIGITS],
            trusted=isinstance(key, str),
            cost=cost,
        )
        self._known.put((key, operation_name), known)
        self.validated += 1
        return known

    def running(self, definition: OperationDefinitionNode, schema: GraphQLSchema) -> Operation:
        """The operation whose definition this very object is; it may have run for days, as subscriptions do."""
        operation = self._operations.get(id(definition))
        if operation is None or operation.definition is not definition:
            operation = Operation(next(self._serials), definition, _shapers(definition, schema))
            self._operations.put(id(definition), operation)
        return operation


class _Latest(Generic[Key, Value]):
    """A mapping that forgets what was used longest ago. `characters`: of the document that a value keeps in memory."""

    def __init__(self, characters: Callable[[Value], int]) -> None:
        self._characters_of = characters
        self._characters = 0
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Key, value: Value) -> None:
        replaced = self._values.pop(key, None)
        if replaced is not None:
            self._characters -= self._characters_of(replaced)
        self._values[key] = value
        self._characters += self._characters_of(value)
        while len(self._values) > OPERATIONS_KEPT or (
            self._characters > OPERATION_CHARACTERS_KEPT and len(self._values) > 1
        ):
            _, forgotten = self._values.popitem(last=False)
            self._characters -= self._characters_of(forgotten)


def _text_length(known: KnownOperation) -> int:
    return len(known.text)


def _source_length(operation: Operation) -> int:
    """Of the whole text, whose other parts a definition holds by its place in it."""
    place = operation.definition.loc
    return 0 if place is None else len(place.source.body)


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
