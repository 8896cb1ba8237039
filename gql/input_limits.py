"""Limits on what is given to an operation: how deep, long and wide the values of its arguments and variables are.

Used by `gql/limits.py` for literals, before they are validated, and by `gql/schema.py` for each request's variables.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
)

from gql.limit_settings import Limits


def exceeding_literal(document: DocumentNode, limits: Limits) -> str | None:
    """What is too much about a literal in a document; None where nothing is."""
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            for variable in definition.variable_definitions or ():
                if variable.default_value and (what := _literal(variable.default_value, limits, 1)):
                    return what
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            what = _given(definition.directives, limits) or _below(definition.selection_set, limits)
            if what is not None:
                return what
    return None


def exceeding_variable(variables: Mapping[str, Any], limits: Limits) -> str | None:
    """The same of the values of variables, as they came."""
    for value in variables.values():
        kind = value.__class__
        if (kind is dict or kind is list) and (what := _value(value, limits, 1)) is not None:
            return what
    return None


def _value(value: dict[str, Any] | list[Any], limits: Limits, depth: int) -> str | None:
    if depth > limits.input_depth:
        return _depth(limits)
    if isinstance(value, dict):
        if len(value) > limits.input_fields:
            return _fields(limits)
        inner: Iterable[Any] = value.values()
    else:
        if len(value) > limits.input_items:
            return _items(limits)
        inner = value
    for each in inner:
        kind = each.__class__
        if (kind is dict or kind is list) and (what := _value(each, limits, depth + 1)) is not None:
            return what
    return None


def _below(selections: SelectionSetNode, limits: Limits) -> str | None:
    for selection in selections.selections:
        what = _given(selection.directives, limits)
        if what is None and isinstance(selection, FieldNode):
            what = _given([selection], limits)
        inner: SelectionSetNode | None = getattr(selection, "selection_set", None)
        if what is None and inner is not None:
            what = _below(inner, limits)
        if what is not None:
            return what
    return None


def _given(nodes: Iterable[FieldNode | DirectiveNode] | None, limits: Limits) -> str | None:
    for node in nodes or ():
        for argument in node.arguments or ():
            if (what := _literal(argument.value, limits, 1)) is not None:
                return what
    return None


def _literal(value: ValueNode, limits: Limits, depth: int) -> str | None:
    if isinstance(value, ObjectValueNode):
        if len(value.fields) > limits.input_fields:
            return _fields(limits)
        inner = [field.value for field in value.fields]
    elif isinstance(value, ListValueNode):
        if len(value.values) > limits.input_items:
            return _items(limits)
        inner = list(value.values)
    else:
        return None
    if depth > limits.input_depth:
        return _depth(limits)
    for each in inner:
        if (what := _literal(each, limits, depth + 1)) is not None:
            return what
    return None


def _depth(limits: Limits) -> str:
    return f"more than {limits.input_depth} lists and objects within each other in an argument or a variable"


def _fields(limits: Limits) -> str:
    return f"more than {limits.input_fields} fields in an object of an argument or a variable"


def _items(limits: Limits) -> str:
    return f"more than {limits.input_items} items in a list of an argument or a variable"
