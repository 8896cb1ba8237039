"""What a hostile request costs a server, and how it is answered. Used by test_hostile.py and `python -m tests.hostile`."""

from dataclasses import dataclass
from typing import Any

import httpx2

from tests.hostile.corpus import Hostile
from tests.hostile.measured_server import MeasuredServer


@dataclass(frozen=True, slots=True)
class Cost:
    """`processor_ms` is the least of several runs, since other processes make each of them dearer."""

    name: str
    processor_ms: float
    outcome: str
    wrong: str = ""
    """Why the answer isn't what it should be."""


async def cost_of(hostile: Hostile, server: MeasuredServer, runs: int) -> Cost:
    """Send it several times."""
    least, outcome, wrong = float("inf"), "", ""
    for run in range(runs):
        body = hostile.body(run)
        before = server.processor_ms()
        response = await server.http.post("/graphql", content=body)
        least = min(least, server.processor_ms() - before)
        outcome, wrong = _judged(hostile, response)
    return Cost(hostile.name, least, outcome, wrong)


def _judged(hostile: Hostile, response: httpx2.Response) -> tuple[str, str]:
    try:
        body = response.json()
    except ValueError:
        return str(response.status_code), "isn't JSON"
    errors: list[dict[str, Any]] = body.get("errors", [])
    codes = {error.get("extensions", {}).get("code") for error in errors}
    outcome = ", ".join(sorted(map(str, codes))) or "answered"
    if response.status_code >= 500:
        return outcome, f"has the status {response.status_code}"
    if not (codes or {"answered"}) <= hostile.codes:
        return outcome, f"is told as {outcome} instead of {', '.join(hostile.codes)}: {str(errors)[:300]}"
    for error in errors:
        if error["extensions"].get("requestId") != response.headers["x-request-id"]:
            return outcome, "has an error without the request's id"
        if not error["message"] or len(error["message"]) > 600:
            return outcome, f"has a message of {len(error['message'])} characters"
    if len(errors) > 100:
        return outcome, f"has {len(errors)} errors"
    return outcome, ""
