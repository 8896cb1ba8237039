"""What comes of a task's turn, as the work says and the runner then writes it down.

Returned by everything that `domain/periodic_work.py` names.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from domain.entities.task import Task


@dataclass(frozen=True, slots=True)
class Again:
    """It is done for now, and has its next turn at that moment."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """It has no further turn, even if its kind has them: what it is about is gone, or needs it no more."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It couldn't be done: it is tried again, ever more seldom, and not before that moment."""

    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The work has finished or repeated the task itself, in the unit of work that stored its result."""


TaskOutcome = Again | Ended | Failed | Settled | None
"""None: it is done, and has its next turn as often as its kind has one."""

Work = Callable[[Task], Awaitable[TaskOutcome]]
"""Does one task. It may be done twice, after a crash, and mustn't do harm by it.

NotFound means Ended: what the task is about is gone. Any other exception is logged, and means Failed.
"""
