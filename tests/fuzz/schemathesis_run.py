"""Schemathesis' GraphQL mode: what it makes of the introspected schema, for each field of Query and Mutation.

It judges each answer by its own checks, and so does `judge.py`. Used by test_fuzz.py and `python -m tests.fuzz`.
"""

from collections.abc import Sequence
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error, positive_data_acceptance
from schemathesis.core.result import Ok
from schemathesis.graphql import nodes

from tests.fuzz.callers import Caller
from tests.fuzz.judge import judge


def run_schemathesis(url: str, caller: Caller, *, examples: int, seed: int, secrets: Sequence[str]) -> dict[str, int]:
    """So many operations for each root field; gives how many there were of each."""
    for name in ("DateTime", "URL"):
        schemathesis.graphql.scalar(
            name, st.sampled_from(["2026-11-23T00:00:00Z", "https://a.example", ""]).map(nodes.String)
        )
    schemathesis.graphql.scalar("JSON", st.sampled_from(["{}", "x"]).map(nodes.String))
    headers = {"Authorization": f"Bearer {caller.token}"}
    schema = schemathesis.graphql.from_url(f"{url}/graphql", headers=headers)
    sent = dict[str, int]()
    with requests.Session() as session:
        session.trust_env = False
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found

            def send(case: Any) -> None:
                response = case.call(session=session, headers=headers)
                assert response.status_code == 200, response.text
                # It takes any error with a path for a server's, whose code judge() looks at; it knows no @oneOf, so
                # what it takes for valid need not be.
                case.validate_response(response, excluded_checks=[not_a_server_error, positive_data_acceptance])
                judge(case.body, response.json(), response.headers["x-request-id"][0], None, secrets)
                label = case.operation.label
                sent[label] = sent.get(label, 0) + 1

            limits = settings(
                max_examples=examples,
                database=None,
                deadline=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            )
            seeded(seed)(limits(given(case=found.ok().as_strategy())(send)))()
    return sent
