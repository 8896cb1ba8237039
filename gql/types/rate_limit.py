"""RateLimit as clients see it: what is left of the caller's budget. Used by `Query.rateLimit`."""

from datetime import datetime

import strawberry

from gql.charge import charged


@strawberry.type(
    description="What the caller may still ask of this server, in points: the budget of a person, whichever keys and "
    "browsers they ask by. An operation's cost is worked out before it runs."
)
class RateLimit:
    cost: int = strawberry.field(description="What this operation costs. `rateLimit` itself costs nothing.")
    limit: int = strawberry.field(description="How large the budget is when it is full.")
    remaining: int = strawberry.field(description="What is left of it, this operation paid.")
    reset_at: datetime = strawberry.field(description="When all of it is there again, if nothing more is asked.")


def rate_limit() -> RateLimit:
    """The running operation's."""
    charge = charged.get()
    if charge is None:
        raise AssertionError("an operation that a viewer runs is charged")
    standing = charge.standing()
    return RateLimit(cost=charge.cost, limit=standing.limit, remaining=standing.remaining, reset_at=standing.reset_at)
