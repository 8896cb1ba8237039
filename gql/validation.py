"""Validation: whether a document fits the schema, and what is wrong with it where it doesn't. Used by `gql/schema.py`.

The first few errors are told. Each can cost milliseconds, since it repeats what was asked and looks for names that are
like it; who sends hundreds of wrong names learns no more by hearing of all.
"""

import re
from typing import Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NonNullTypeNode,
    OperationDefinitionNode,
    ValidationRule,
    is_input_object_type,
    is_non_null_type,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule

from gql.value_errors import RULES

MOST_ERRORS: Final = 5


def errors_in(document: DocumentNode, schema: GraphQLSchema, *, suggests: bool) -> list[GraphQLError]:
    """None where it is valid. `suggests`: "Did you mean …?", by which somebody could learn the schema bit by bit."""
    errors = validate(schema, document, _ALL_RULES, max_errors=MOST_ERRORS, hide_suggestions=not suggests)
    if len(errors) > MOST_ERRORS:
        errors[MOST_ERRORS:] = [GraphQLError(f"There are more than {MOST_ERRORS} errors; these are the first.")]
    if not suggests:
        for error in errors:  # not every rule knows that it is to suggest nothing
            error.message = _SUGGESTION.sub("", error.message)
    return errors


class OneOfVariables(ValidationRule):
    """That a variable for a member of a @oneOf input can't be null, also where that input can't be null itself.

    GraphQL's rule sees only inputs that may be null, and Strawberry's fails on variables of fragments.
    """

    def leave_operation_definition(self, operation: OperationDefinitionNode, *_: object) -> None:
        declared = {each.variable.name.value: each for each in operation.variable_definitions or ()}
        for usage in self.context.get_recursive_variable_usages(operation):
            name, place = usage.node.name.value, usage.parent_type
            definition = declared.get(name)
            if definition is None or isinstance(definition.type, NonNullTypeNode) or not is_non_null_type(place):
                continue
            if is_input_object_type(place.of_type) and place.of_type.is_one_of:
                message = f"Variable '${name}' can't be null: it is for a member of the OneOf '{place.of_type}'."
                self.report_error(GraphQLError(message, [definition, usage.node]))


_ALL_RULES: Final = (*RULES, OneOfVariables, MaybeNullValidationRule)  # the last is Strawberry's, for its inputs
_SUGGESTION: Final = re.compile(r" Did you mean .*\?$")
