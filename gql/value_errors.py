"""What clients are told of a value that doesn't fit: where it stands and what belongs there, never the value itself.

A value in the wrong place may be a secret, and answers end up in logs. GraphQL's own messages quote values, so each of
them is cut here to a form that is known to quote none. Used by `gql/schema.py` and `gql/errors.py`.
"""

import re
from typing import Final

from graphql import ASTValidationRule, GraphQLError, GraphQLSyntaxError, ValuesOfCorrectTypeRule, specified_rules


def without_value(error: GraphQLError) -> str:
    """The message of an error about a value or about syntax, without what the client wrote there."""
    if isinstance(error, GraphQLSyntaxError):
        return _TOKEN.sub(r"\1", error.message)
    inner = error.original_error
    if isinstance(inner, GraphQLError):  # the place, such as "Variable '$input' has invalid value at .name: ", and why
        return error.message.removesuffix(inner.message) + without_value(inner)
    if about_enum := _ENUM.search(error.message):
        return f"The value {about_enum[0]}"
    known = _KNOWN.match(error.message)
    return _sentence(known[0]) if known else "A value isn't of the type that belongs there."


class ValuesFit(ValuesOfCorrectTypeRule):
    """GraphQL's rule that literals are of the right type, in our words."""

    def report_error(self, error: GraphQLError) -> None:
        super().report_error(GraphQLError(without_value(error), error.nodes))


RULES: Final[tuple[type[ASTValidationRule], ...]] = tuple(
    ValuesFit if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules
)
"""GraphQL's rules for operations. The others name fields, types and variables, but quote no value."""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


_TOKEN: Final = re.compile(r"\b(Name|String|BlockString|Int|Float|Comment) '.*'(?=\.$| is reserved)", re.DOTALL)
_ENUM: Final = re.compile(r"does not exist in '\w+' enum\.(?: Did you mean [\w', ]+\?)?$")
_TYPE: Final = r"'[\w!\[\]]+'"
_FIELD: Final = r"'\w{1,30}'"  # a longer one is no mistyped name
_KNOWN: Final = re.compile(
    "|".join(
        (
            r"(?:String|ID|Int|Float|Boolean) cannot represent (?:a )?[a-z0-9 -]+(?=: )",
            r"Enum '\w+' cannot represent non-\w+ value(?=: )",
            rf"Expected a value of non-null type {_TYPE} to be provided",
            rf"Expected value of non-null type {_TYPE} not to be None",
            rf"Expected value of type {_TYPE} to be an object",
            rf"Expected value of type {_TYPE} to include required field '\w+'",
            rf"Expected value of type {_TYPE} not to include unknown field {_FIELD}(?:\. Did you mean [\w', ]+\?)?",
            rf"Expected variable '\$\w+' provided to type {_TYPE} to provide a runtime value",
            rf"Expected variable '\$\w+' provided to non-null type {_TYPE} not to be None",
            r"OneOf Input Object '\w+' must specify exactly one key",
            r"Value for member field '\w+' must be non-null",
            rf"Within OneOf Input Object type {_TYPE}, exactly one field must be specified",
            r"Variable values are nested too deeply",
            r"Too many errors processing variables, error limit reached",
            r"A DateTime .*",  # the scalar's own words
        )
    )
)
