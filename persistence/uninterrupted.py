"""A step of a database driver, brought to its end even where whoever waits for it is cancelled meanwhile.

Used by Database, Transaction and the unit of work. A step that is dropped half-way leaves its connection with a
transaction that nobody ends: on SQLite the one writer would be locked out by it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

Value = TypeVar("Value")

PATIENCE_SECONDS: Final = 6.0
"""A second more than the databases give a statement. What takes longer has lost its other side."""


async def uninterrupted(step: Coroutine[Any, Any, Value]) -> Value:
    """What the step gives or raises. A cancellation goes on when the step has ended, or after `PATIENCE_SECONDS`."""
    task = asyncio.ensure_future(step)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        await _end(task)
        raise
    return task.result()


async def _end(task: asyncio.Task[Any]) -> None:
    """Wait for it, however often that is cancelled. What came of it is told to nobody."""
    give_up = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, task.cancel)
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue  # the first one goes on, when this is over
    give_up.cancel()
    if not task.cancelled():
        task.exception()
