"""From an operation's syntax to a Selection: fragments, aliases, merging, @skip and @include are worked in here.

Called by the executor where a document's plan is missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_object_type,
    visit,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.values import get_argument_values

from persistence.documents.selection import Arguments, Selected, Selection


def selection_of(executor: Executor[Any], return_type: GraphQLOutputType, field_details: FieldDetailsList) -> Selection:
    """What is selected below a field, per concrete type that its value can have; empty for a leaf."""
    named = get_named_type(return_type)
    if is_abstract_type(named):
        possible = executor.schema.get_possible_types(named)
        return {type_.name: _fields(executor, type_, field_details) for type_ in possible}
    if is_object_type(named):
        return {named.name: _fields(executor, named, field_details)}
    return {}


def nodes_below(
    executor: Executor[Any], return_type: GraphQLOutputType, details: FieldDetailsList, place: Sequence[str | int]
) -> list[FieldNode]:
    """Where in the operation a field stands that is at this place below another one's value."""
    return [one.node for one in details_below(executor, return_type, details, place)]


def details_below(
    executor: Executor[Any], return_type: GraphQLOutputType, details: FieldDetailsList, place: Sequence[str | int]
) -> FieldDetailsList:
    """What is asked of such a field.

    On the way there may be values of several types, each with what is selected from it: all that lead there count.
    """
    found = [(return_type, details)]
    for key in place:
        if isinstance(key, str):
            found = [member for type_, at in found for member in _members(executor, type_, at, key)]
    return [one for _, at in found for one in at]


def _members(
    executor: Executor[Any], type_: GraphQLOutputType, details: FieldDetailsList, key: str
) -> Iterator[tuple[GraphQLOutputType, FieldDetailsList]]:
    """The members of that key which a value may have: their types, and where they are selected."""
    named = get_named_type(type_)
    for possible in executor.schema.get_possible_types(named) if is_abstract_type(named) else [named]:
        if is_object_type(possible):
            below = executor.collect_subfields(possible, details).grouped_field_set.get(key)
            field = below and executor.schema.get_field(possible, below[0].node.name.value)
            if below and field:
                yield field.type, below


def _fields(executor: Executor[Any], type_: GraphQLObjectType, field_details: FieldDetailsList) -> tuple[Selected, ...]:
    collected = executor.collect_subfields(type_, field_details)
    return tuple(_selected(executor, type_, key, details) for key, details in collected.grouped_field_set.items())


def _selected(executor: Executor[Any], type_: GraphQLObjectType, key: str, details: FieldDetailsList) -> Selected:
    node = details[0].node
    definition = executor.schema.get_field(type_, node.name.value)
    if definition is None:
        raise AssertionError("a validated operation selects fields that exist")
    below = selection_of(executor, definition.type, details)
    return Selected(key, node.name.value, _arguments(executor, definition, node), below)


def _arguments(executor: Executor[Any], definition: GraphQLField, node: FieldNode) -> Arguments | None:
    """How to get a field's arguments in each call. Where no variable stands in them, they are worked out once."""
    if not definition.args:
        return None
    if _has_variables(node):
        return lambda variables: get_argument_values(definition, node, variables)
    values: Mapping[str, Any] = get_argument_values(definition, node, executor.variable_values)
    return lambda variables: values


def _has_variables(node: FieldNode) -> bool:
    finder = _VariableFinder()
    for argument in node.arguments or ():
        visit(argument, finder)
    return finder.found


class _VariableFinder(Visitor):
    """Notes whether it has met a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_variable(self, *_: Any) -> None:
        self.found = True
