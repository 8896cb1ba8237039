"""Validation: whether a document fits the schema, and what is wrong with it where it doesn't. Used by `gql/schema.py`.

The first few errors are told. Each can cost milliseconds, since it repeats what was asked and looks for names that are
like it; who sends hundreds of wrong names learns no more by hearing of all.
"""

import re
from typing import Final

from graphql import DocumentNode, GraphQLError, GraphQLSchema, validate
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gql.value_errors import RULES

MOST_ERRORS: Final = 5

_ALL_RULES: Final = (
    *RULES,
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)  # those of Strawberry are for its inputs


def errors_in(document: DocumentNode, schema: GraphQLSchema, *, suggests: bool) -> list[GraphQLError]:
    """None where it is valid. `suggests`: "Did you mean …?", by which somebody could learn the schema bit by bit."""
    errors = validate(schema, document, _ALL_RULES, max_errors=MOST_ERRORS, hide_suggestions=not suggests)
    if len(errors) > MOST_ERRORS:
        errors[MOST_ERRORS:] = [GraphQLError(f"There are more than {MOST_ERRORS} errors; these are the first.")]
    if not suggests:
        for error in errors:  # not every rule knows that it is to suggest nothing
            error.message = _SUGGESTION.sub("", error.message)
    return errors


_SUGGESTION: Final = re.compile(r" Did you mean .*\?$")
