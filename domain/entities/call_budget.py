"""CallBudget: how many calls a service takes for one account, and who has them. A token bucket, kept for all processes.

Services say how large theirs are; CallBudgets takes from them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class CallAllowance:
    """So many calls an hour in the long run, and so many at once after a pause."""

    per_hour: int
    at_once: int

    @property
    def each(self) -> timedelta:
        """How long it takes for one call more to be allowed."""
        return timedelta(hours=1) / self.per_hour


@dataclass(frozen=True, slots=True)
class BudgetKey:
    """Whose calls a service counts together: those for one account, `holder`, by whatever credential."""

    service: str
    host: str
    holder: str


@dataclass(frozen=True, slots=True)
class Block:
    """Calls that a process may make without asking again, and when there is one more."""

    calls: int
    again_at: datetime
