"""Limits on an operation's size, checked while it is validated: one rule, made once, so that validation can be cached.

Used by `gql/schema.py`. Introspection is exempt: tools send the same large, harmless document.
"""

from typing import Any

from graphql import (
    ASTValidationRule,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

DEEPEST = 12
MOST_TOKENS = 2_000
MOST_ALIASES = 30
MOST_ROOT_FIELDS = 20
MOST_DIRECTIVES = 50


class OperationLimits(ASTValidationRule):
    """Refuses operations that are too deep, or have too many aliases, root fields or directives."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        counted = _Counted(
            {d.name.value: d for d in self.context.document.definitions if isinstance(d, FragmentDefinitionNode)}
        )
        counted.count(node.selection_set, 1, frozenset())
        for what, amount, limit in (
            ("fields deep", counted.depth, DEEPEST),
            ("aliases", counted.aliases, MOST_ALIASES),
            ("root fields", counted.root_fields, MOST_ROOT_FIELDS),
            ("directives", counted.directives, MOST_DIRECTIVES),
        ):
            if amount > limit:
                self.report_error(
                    GraphQLError(f"This operation has more than {limit} {what}. Ask for less at once.", node)
                )


class _Counted:
    """What an operation amounts to with its fragments spread; counting stops where every limit is passed."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self.depth = self.aliases = self.root_fields = self.directives = self.visited = 0

    def count(self, selections: SelectionSetNode, depth: int, within: frozenset[str]) -> None:
        for selection in selections.selections:
            self.visited += 1
            if self.visited > MOST_TOKENS:
                self.aliases = MOST_ALIASES + 1  # fragments that spread each other multiply: that is enough
                return
            self.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                if selection.name.value.startswith("__"):
                    continue
                self.depth = max(self.depth, depth)
                self.aliases += selection.alias is not None
                self.root_fields += depth == 1
                if selection.selection_set is not None:
                    self.count(selection.selection_set, depth + 1, within)
            elif isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                if name in self._fragments and name not in within:
                    self.count(self._fragments[name].selection_set, depth, within | {name})
            elif isinstance(selection, InlineFragmentNode):
                self.count(selection.selection_set, depth, within)
