"""OperationBudget: how much one person may ask of this server in GraphQL. A token bucket of points, for all processes.

OperationBudgets takes from it; `gql/cost.py` says how many points an operation costs.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OperationAllowance:
    """So many points after a pause, and so many a minute in the long run."""

    points: int
    per_minute: int

    @property
    def each_seconds(self) -> float:
        """How long it takes for one point more to be there."""
        return 60 / self.per_minute


@dataclass(frozen=True, slots=True)
class OperationBlock:
    """Points that a process has taken, to spend without asking again; `left` are in the bucket after that."""

    points: int
    left: int


@dataclass(slots=True)  # not frozen: one is made for each operation, which would take twice as long
class Standing:
    """What a person may still spend, in points, and when all of it is there again."""

    limit: int
    remaining: int
    reset_at: datetime
