"""Waiting for what has to come true. Used by the tests in place of sleeping."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Value = TypeVar("Value")

DEADLINE_SECONDS = 10.0
_PAUSE_SECONDS = 0.02


async def eventually(ask: Callable[[], Awaitable[Value | None]], *, within_seconds: float = DEADLINE_SECONDS) -> Value:
    """Ask until there is an answer other than None or False, and give it. Fails the test at the deadline."""
    async with asyncio.timeout(within_seconds):
        while True:
            if answer := await ask():
                return answer
            await asyncio.sleep(_PAUSE_SECONDS)
