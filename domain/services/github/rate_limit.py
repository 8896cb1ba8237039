"""GitHub's quota, as its headers tell it, and its refusals for calling too often. Called by answers.py."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final

from domain.entities.health import Remedy, ServiceRateLimit
from domain.http import HttpAnswer, retry_after_seconds
from domain.services.boundary import LONGEST_WAIT_SECONDS
from domain.services.service_fault import FaultKind, ServiceFault

SECONDARY_LIMIT_SECONDS: Final = 60
"""GitHub asks for at least this where it doesn't say how long."""


def rate_limit(headers: Mapping[str, str]) -> ServiceRateLimit | None:
    """The quota in an answer's headers; None where they tell none."""
    limit, remaining = _number(headers, "x-ratelimit-limit"), _number(headers, "x-ratelimit-remaining")
    reset = _number(headers, "x-ratelimit-reset", digits=10)
    if limit is None and remaining is None and reset is None:
        return None
    return ServiceRateLimit(limit, remaining, None if reset is None else datetime.fromtimestamp(reset, UTC))


def limited(answer: HttpAnswer, message: str, now: datetime) -> ServiceFault | None:
    """The fault for a 403 or 429 that says we call too often; None for a 403 that says something else.

    `message`: GitHub's own words, in lower case.
    """
    quota = rate_limit(answer.headers) or ServiceRateLimit()
    used_up = quota.remaining == 0
    asked_seconds = retry_after_seconds(answer.headers, now)
    told = any(words in message for words in ("rate limit", "abuse detection", "login attempts exceeded"))
    if answer.status != 429 and not used_up and asked_seconds is None and not told:
        return None
    waits = [] if asked_seconds is None else [asked_seconds]
    if used_up and quota.reset_at is not None:
        waits.append(ceil((quota.reset_at - now).total_seconds()))
    wait_seconds = min(max(1, *waits) if waits else SECONDARY_LIMIT_SECONDS, LONGEST_WAIT_SECONDS)
    blocked_until = now + timedelta(seconds=wait_seconds)
    return ServiceFault(
        FaultKind.RATE_LIMITED,
        "github_rate_limited" if used_up else "github_secondary_limit",
        f"GitHub limits how often we may call. It answers again at {blocked_until:%Y-%m-%d %H:%M:%S} UTC.",
        Remedy.WAIT,
        retry_after_seconds=wait_seconds,
        rate_limit=replace(quota, blocked_until=blocked_until),
        latency_ms=answer.latency_ms,
    )


def _number(headers: Mapping[str, str], name: str, *, digits: int = 9) -> int | None:
    """A header's number. Nine digits fit wherever numbers are kept and shown; a moment has ten."""
    text = headers.get(name, "").strip()
    return int(text) if re.fullmatch(rf"[0-9]{{1,{digits}}}", text) else None
