"""CommandSelector: which command, through which connection, and why not the others. Pure; asked by CommandSelections.

What can't be used is filtered out first, whatever else speaks for it. What is left is put in one order that depends on
nothing but the candidates themselves, by the criteria of `Criterion` in their order; the answer says which decided.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.command_availability import Reason, usable
from domain.connection_states import WHOLE_QUOTA, StandingConnection
from domain.entities.health import HealthStatus

BEST_FIT: Final = 10
"""How well a command fits what was asked for is told in tenths."""


class Criterion(StrEnum):
    """What one candidate is put before another by: the first of these in which they differ."""

    EXPLICIT = "EXPLICIT"  # its connection was named
    FIT = "FIT"  # its command fits the text better
    BOUND = "BOUND"  # its connection is bound to the repository or channel
    HEALTH = "HEALTH"
    QUOTA = "QUOTA"  # its connection has more calls left
    RECENTLY_USED = "RECENTLY_USED"
    ARGUMENTS = "ARGUMENTS"  # fewer of its arguments are missing
    ID = "ID"  # nothing else, so that the answer is the same each time


@dataclass(frozen=True, slots=True)
class Candidate:
    """A command through a connection, with what stands against it. `fit`: in tenths, of what was asked for."""

    command_id: str
    connection: StandingConnection
    health: HealthStatus
    reasons: tuple[Reason, ...]
    fit: int = BEST_FIT
    missing_arguments: int = 0


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """`decided_by`: in what it falls behind the chosen one."""

    candidate: Candidate
    decided_by: Criterion


@dataclass(frozen=True, slots=True)
class Choice:
    """`decided_by`: in what the chosen one is before the next; None where nothing else was left, or nothing at all."""

    chosen: Candidate | None
    decided_by: Criterion | None
    runners_up: Sequence[RunnerUp]
    refused: Sequence[Candidate]


class CommandSelector:
    """Chooses. It has no state: the same candidates give the same choice, in whatever order they come."""

    def choose(self, candidates: Iterable[Candidate]) -> Choice:
        """No two candidates are of the same command and connection."""
        left: list[Candidate] = []
        refused: list[Candidate] = []
        for candidate in candidates:
            (left if usable(candidate.reasons) else refused).append(candidate)
        left.sort(key=place_of)
        refused.sort(key=place_of)
        if not left:
            return Choice(None, None, (), refused)
        chosen, *others = left
        runners_up = [RunnerUp(other, _difference(chosen, other)) for other in others]
        return Choice(chosen, runners_up[0].decided_by if runners_up else None, runners_up, refused)


def score_of(candidate: Candidate) -> float:
    """Where it stands between 0 and 1, by the criteria that have degrees: it never grows along the order."""
    connection = candidate.connection
    score = 0
    for digit, base in (
        (int(connection.explicit), 2),
        (candidate.fit, BEST_FIT + 1),
        (connection.bound, 3),
        (_HEALTH[candidate.health], 4),
        (connection.quota_left, WHOLE_QUOTA + 1),
    ):
        score = score * base + digit
    return round(score / _MOST, 6)


def place_of(candidate: Candidate) -> tuple[float | str, ...]:
    """By which candidates are sorted: best first."""
    return (*(measure(candidate) for _, measure in _CRITERIA), candidate.connection.id.hex)


def _difference(better: Candidate, worse: Candidate) -> Criterion:
    return next((one for one, measure in _CRITERIA if measure(better) != measure(worse)), Criterion.ID)


def _recency(candidate: Candidate) -> float:
    used_at = candidate.connection.last_used_at
    return 0.0 if used_at is None else -used_at.timestamp()


_HEALTH: Final = {HealthStatus.HEALTHY: 3, HealthStatus.UNKNOWN: 2, HealthStatus.DEGRADED: 1, HealthStatus.UNHEALTHY: 0}
_MOST: Final = 2 * (BEST_FIT + 1) * 3 * 4 * (WHOLE_QUOTA + 1) - 1
_CRITERIA: Final[Sequence[tuple[Criterion, Callable[[Candidate], float | str]]]] = (
    (Criterion.EXPLICIT, lambda each: not each.connection.explicit),
    (Criterion.FIT, lambda each: -each.fit),
    (Criterion.BOUND, lambda each: -each.connection.bound),
    (Criterion.HEALTH, lambda each: -_HEALTH[each.health]),
    (Criterion.QUOTA, lambda each: -each.connection.quota_left),
    (Criterion.RECENTLY_USED, _recency),
    (Criterion.ARGUMENTS, lambda each: each.missing_arguments),
    (Criterion.ID, lambda each: each.command_id),
)
"""Each with its measure: the smaller goes first."""
