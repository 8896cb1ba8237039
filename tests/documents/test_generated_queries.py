"""The document read path answers what the slow evaluator does, key order included, for many generated queries.

`HYPOTHESIS_PROFILE=thorough` makes it some thousands.
"""

import random
import re
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from persistence.documents.reader import TOO_DEEP
from persistence.documents.refusals import MOST_REFUSALS
from tests.documents.data import World
from tests.documents.difference import difference, without_tags
from tests.documents.generator import generate
from tests.documents.reading import Answer, Reading
from tests.documents.slow_evaluator import SlowEvaluator
from tests.documents.slow_lists import is_refusal
from tests.documents.values import Values

pytestmark = pytest.mark.anyio

_SHARE = re.compile(rb"[01]\.[0-9]{6}")


def _examples() -> int:
    return 4 * settings().max_examples


@settings(
    max_examples=_examples(),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32))
async def test_both_databases_answer_as_the_slow_evaluator(
    seed: int, world: World, evaluator: SlowEvaluator, sqlite_reading: Reading, postgresql_reading: Reading
) -> None:
    values = Values(world)
    query = generate(evaluator.schema, values, seed)
    chance = random.Random(seed)  # noqa: S311 - a draw, not a secret
    viewer = values.viewer(chance)
    variables: dict[str, Any] | None = query.variables
    for _ in range(3):
        shown = f"seed {seed}\n{query.text}\n{variables}\n{viewer}"
        sqlite = await sqlite_reading.answer(query.text, viewer, variables)
        postgresql = await postgresql_reading.answer(query.text, viewer, variables)
        expected = evaluator.answer(query.document, variables or {}, viewer)
        answers = [postgresql] if _too_deep(sqlite) else [sqlite, postgresql]
        if all(_codes(answer) == ["COST_LIMIT_EXCEEDED"] for answer in answers):
            return  # a series below lists in lists
        refused = {tuple(error.path or ()) for error in expected.errors or () if is_refusal(error)}
        if len(refused) < len(expected.errors or ()):
            assert all(set(_codes(answer)) - {"FORBIDDEN"} == {"BAD_USER_INPUT"} for answer in answers), shown
            return
        assert all(_codes(answer) == ["FORBIDDEN"] * bool(refused) for answer in answers), shown
        if len(refused) > MOST_REFUSALS:
            return  # then it may be one refusal of the whole
        assert all({tuple(error["path"]) for error in answer.errors} == refused for answer in answers), shown
        assert len({_SHARE.sub(b"", answer.data) for answer in answers}) == 1, shown
        for answer in answers:
            differs = difference(orjson.loads(without_tags(answer.data)), orjson.loads(orjson.dumps(expected.data)))
            assert differs is None, f"{differs}\n{shown}"
        variables = query.going_on(postgresql.value, chance)
        if variables is None:
            return


def _too_deep(answer: Answer) -> bool:
    """Whether older SQLite refuses it, which test_depth.py says when it may."""
    return any(error["message"] == TOO_DEEP for error in answer.errors)


def _codes(answer: Answer) -> list[str]:
    return sorted({error["extensions"]["code"] for error in answer.errors})
