"""Limits on an operation's size, checked after parsing and before validation, whose work grows with more than the size.

Used by `gql/schema.py`. What an operation may ask of the database is limited where its documents are bound.
"""

from collections import Counter
from collections.abc import Iterator

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gql.input_limits import exceeding_literal
from gql.limit_settings import Limits

_INTROSPECTIONS = ("__schema", "__type")
_LISTS_OF_TYPES = ("types", "fields", "inputFields", "interfaces", "possibleTypes")
"""Those of an introspection by which one comes from types to types."""


def oversize(document: DocumentNode, limits: Limits) -> GraphQLError | None:
    """Why a document's operations are more than can be answered; None where they aren't."""
    too_much = exceeding_literal(document, limits)
    if too_much is not None:
        return GraphQLError(f"This operation has {too_much}.")
    if len(document.definitions) > limits.definitions:
        more = document.definitions[limits.definitions]
        return GraphQLError(f"A document has at most {limits.definitions} operations and fragments.", more)
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    visited = 0
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            counted = _Counted(fragments, limits.tokens, visited)
            for what, limit in _exceeded(operation, counted, limits):
                return GraphQLError(f"This operation has more than {limit} {what}. Ask for less at once.", operation)
            visited = counted.visited
    return None


def _exceeded(operation: OperationDefinitionNode, counted: "_Counted", limits: Limits) -> Iterator[tuple[str, int]]:
    counted.count(operation.selection_set, 1, frozenset(), Counter())
    for what, amount, limit in (
        ("levels of fields", counted.depth, limits.depth),
        ("aliases", counted.aliases, limits.aliases),
        ("root fields", counted.root_fields, limits.root_fields),
        ("directives", counted.directives, limits.directives),
        ("introspections", counted.introspections, limits.introspections),
        ("lists of an introspection within each other", counted.introspection_depth, limits.introspection_depth),
        ("fields, with its fragments spread", counted.visited, limits.tokens),
        ("variables", len(operation.variable_definitions or ()), limits.variables),
        ("variables of the type Boolean", _booleans(operation), limits.boolean_variables),
        ("fields that it asks for twice", counted.repeats, limits.repeated_fields),
    ):
        if amount > limit:
            yield what, limit


def _booleans(operation: OperationDefinitionNode) -> int:
    count = 0
    for variable in operation.variable_definitions or ():
        type_ = variable.type.type if isinstance(variable.type, NonNullTypeNode) else variable.type
        count += isinstance(type_, NamedTypeNode) and type_.name.value == "Boolean"
    return count


class _Counted:
    """What an operation amounts to with its fragments spread; counting stops where that alone is too much.

    `visited` goes on from the operations before it, which may all spread the same fragments.
    """

    def __init__(self, fragments: dict[str, FragmentDefinitionNode], most: int, visited: int) -> None:
        self._fragments = fragments
        self._most = most
        self.visited = visited
        self.depth = self.aliases = self.repeats = self.root_fields = 0
        self.directives = self.introspections = self.introspection_depth = 0

    def count(self, selections: SelectionSetNode, depth: int, within: frozenset[str], keys: Counter[str]) -> None:
        """`depth`: 1 for root fields, 0 and less below an introspection. `keys`: met in this object.

        Tools send introspections deep; there each list of types takes one from the depth.
        """
        for selection in selections.selections:
            self.visited += 1
            if self.visited > self._most:
                return
            self.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                self._count_field(selection, depth, within, keys)
            elif isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                if name in self._fragments and name not in within:
                    self.count(self._fragments[name].selection_set, depth, within | {name}, keys)
            elif isinstance(selection, InlineFragmentNode):
                self.count(selection.selection_set, depth, within, keys)

    def _count_field(self, field: FieldNode, depth: int, within: frozenset[str], keys: Counter[str]) -> None:
        introspects = field.name.value in _INTROSPECTIONS
        within_introspection = depth <= 0
        self.introspections += introspects
        if field.alias is not None and (within_introspection or field.name.value == "__schema"):
            self.introspections += 1  # no tool needs any, and it asks for as much again
        self.depth = max(self.depth, depth)
        self.aliases += field.alias is not None
        self.root_fields += depth == 1
        key = (field.alias or field.name).value
        keys[key] += 1
        self.repeats += keys[key] > 1
        if field.selection_set is not None:
            if within_introspection:
                below = depth - (field.name.value in _LISTS_OF_TYPES)
                self.introspection_depth = max(self.introspection_depth, -below)
            else:
                below = 0 if introspects else depth + 1
            self.count(field.selection_set, below, within, Counter())
