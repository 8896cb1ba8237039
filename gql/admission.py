"""Admission: whether an operation that is valid may run now, with these variables, for this caller.

Called by `gql/schema.py` for each request, also for operations that were seen before: nothing here reads their text.
"""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError
from strawberry.types.graphql import OperationType

from domain.errors import BadUserInput, CostLimitExceeded, DomainError, RateLimited
from gql.charge import Charge, charged
from gql.context import Context
from gql.cost_weights import SHORT_TEXT
from gql.input_limits import exceeding_variable
from gql.limit_settings import Limits
from gql.operations import KnownOperation
from gql.watched_operations import note_cost
from persistence.statement_watch import limit_statements


class Admission:
    """By one server's limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def reading_refusal(self, text: str, context: Context) -> GraphQLError | None:
        """Why a text that isn't known isn't even parsed; None where it is, and its length has been paid."""
        charged.set(None)
        points = min(len(text) - SHORT_TEXT, self._limits.cost)  # which everybody's budget is large enough for
        if points > 0 and context.known_viewer is not None:
            try:
                await context.budgets.spend(context.known_viewer.user_id, points)
            except RateLimited as refused:
                return GraphQLError(refused.message, original_error=refused)
        return None

    async def refusal(
        self, known: KnownOperation, variables: Mapping[str, Any] | None, context: Context
    ) -> GraphQLError | None:
        """Why the operation isn't run; None where it is, and has been charged."""
        charged.set(None)
        viewer, budgets = context.known_viewer, context.budgets
        try:
            cost = self._cost(known, variables or {})
            if viewer is not None:
                charged.set(Charge(cost, budgets, viewer.user_id))
                if not budgets.spend_held(viewer.user_id, cost):
                    await budgets.spend(viewer.user_id, cost)
        except DomainError as refused:
            return GraphQLError(refused.message, original_error=refused)
        limit_statements(None if known.kind is OperationType.SUBSCRIPTION else self._limits.statements)
        return None

    def _cost(self, known: KnownOperation, variables: Mapping[str, Any]) -> int:
        """What is to be paid: all of a full budget where a trusted document costs more than anybody ever has.

        Raises BadUserInput and CostLimitExceeded.
        """
        what = exceeding_variable(variables, self._limits)
        if what is not None:
            raise BadUserInput(f"This operation has {what}.")
        cost = known.cost.of(variables)
        note_cost(cost)
        if cost > self._limits.cost and not known.trusted:
            raise CostLimitExceeded(cost, self._limits.cost, known.cost.dearest(variables))
        return min(cost, self._limits.budget_points)
