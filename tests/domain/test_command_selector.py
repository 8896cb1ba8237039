"""CommandSelector: the filter and the order, for whatever candidates there are."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.command_availability import Reason, ReasonCode, usable
from domain.command_explanation import REASONS
from domain.command_selector import BEST_FIT, Candidate, CommandSelector, Criterion, place_of, score_of
from domain.connection_states import WHOLE_QUOTA, StandingConnection
from domain.entities.health import HealthStatus, Remedy

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
BLOCKING = Reason(ReasonCode.STATUS, "It is paused.", Remedy.NONE)
WARNING = Reason(ReasonCode.DEGRADED, "It limps.", Remedy.WAIT, blocking=False)

connections = st.builds(
    StandingConnection,
    id=st.integers(1, 40).map(lambda number: UUID(int=number)),
    name=st.just("Any"),
    explicit=st.booleans(),
    bound=st.integers(0, 2),
    quota_left=st.integers(0, WHOLE_QUOTA),
    last_used_at=st.none() | st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours)),
)
candidates = st.builds(
    Candidate,
    command_id=st.sampled_from(["github.comment", "github.create_issue", "slack.post_message"]),
    connection=connections,
    health=st.sampled_from(HealthStatus),
    reasons=st.sampled_from([(), (), (WARNING,), (BLOCKING,), (WARNING, BLOCKING)]),
    fit=st.integers(1, BEST_FIT),
    missing_arguments=st.integers(0, 3),
)
many = st.lists(candidates, max_size=30, unique_by=lambda each: (each.command_id, each.connection.id))
choose = CommandSelector().choose


@given(many)
def test_nothing_that_the_filter_refused_is_chosen_and_nothing_is_lost(given_: list[Candidate]) -> None:
    choice = choose(given_)
    left = [] if choice.chosen is None else [choice.chosen, *(each.candidate for each in choice.runners_up)]
    assert all(usable(each.reasons) for each in left)
    assert not any(usable(each.reasons) for each in choice.refused)
    assert (choice.chosen is None) is not any(usable(each.reasons) for each in given_)
    assert sorted([*left, *choice.refused], key=place_of) == sorted(given_, key=place_of)


@given(many, st.integers(0, 2**32))
def test_the_choice_depends_on_no_order(given_: list[Candidate], seed: int) -> None:
    shuffled = list(given_)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - an order, not a secret
    assert choose(shuffled) == choose(given_)


@given(many)
def test_the_order_is_total(given_: list[Candidate]) -> None:
    assert len({place_of(each) for each in given_}) == len(given_)


@given(many, candidates)
def test_one_more_that_cannot_be_used_changes_nothing(given_: list[Candidate], other: Candidate) -> None:
    refused = Candidate("gitlab.comment", other.connection, other.health, (BLOCKING,), other.fit)
    with_it, without = choose([*given_, refused]), choose(given_)
    assert (with_it.chosen, with_it.decided_by, with_it.runners_up) == (
        without.chosen,
        without.decided_by,
        without.runners_up,
    )


@given(many)
def test_the_explanation_names_the_first_criterion_in_which_the_next_one_differs(given_: list[Candidate]) -> None:
    choice = choose(given_)
    if choice.chosen is None:
        assert choice.decided_by is None
        return
    for runner_up in choice.runners_up:
        assert runner_up.decided_by is _expected(choice.chosen, runner_up.candidate)
    assert choice.decided_by is (choice.runners_up[0].decided_by if choice.runners_up else None)
    assert REASONS[choice.decided_by]


def _expected(chosen: Candidate, other: Candidate) -> Criterion:
    """By the documented order, restated."""
    one, two = chosen.connection, other.connection
    health = [HealthStatus.HEALTHY, HealthStatus.UNKNOWN, HealthStatus.DEGRADED, HealthStatus.UNHEALTHY]
    never = datetime.min.replace(tzinfo=UTC)
    pairs = [
        (Criterion.EXPLICIT, one.explicit, two.explicit),
        (Criterion.FIT, chosen.fit, other.fit),
        (Criterion.BOUND, one.bound, two.bound),
        (Criterion.HEALTH, -health.index(chosen.health), -health.index(other.health)),
        (Criterion.QUOTA, one.quota_left, two.quota_left),
        (Criterion.RECENTLY_USED, one.last_used_at or never, two.last_used_at or never),
        (Criterion.ARGUMENTS, -chosen.missing_arguments, -other.missing_arguments),
    ]
    for criterion, better, worse in pairs:
        if better != worse:
            assert better > worse  # type: ignore[operator]
            return criterion
    return Criterion.ID


@given(many)
def test_scores_never_grow_along_the_order(given_: list[Candidate]) -> None:
    choice = choose(given_)
    if choice.chosen is not None:
        scores = [score_of(choice.chosen), *(score_of(each.candidate) for each in choice.runners_up)]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
