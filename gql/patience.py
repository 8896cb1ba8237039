"""Waiting out an outage of the database, for what outlives one: a subscription goes on where it was.

Used by the subscriptions and, for their documents, by the executor.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from domain.errors import ServiceUnavailable

Value = TypeVar("Value")

RETRY_SECONDS: Final = 0.5


async def patiently(read: Callable[[], Awaitable[Value]]) -> Value:
    """What is read, as soon as the database answers. For reads alone: it may ask several times."""
    while True:
        try:
            return await read()
        except ServiceUnavailable:
            await asyncio.sleep(RETRY_SECONDS)
