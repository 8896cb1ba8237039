"""Work that goes on when whoever has begun it goes away, since it has to be finished: a token that a service has given,
say, is lost unless it is stored. It knows who has begun it, and is held to none of their limits.

Begun by CredentialRefresher and CommandRuns; asked for where an operation's statements are counted.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from typing import Any, Final, TypeVar

Result = TypeVar("Result")


def begin_own_work(work: Coroutine[Any, Any, Result], name: str) -> asyncio.Task[Result]:
    """As a task, which the caller has to keep."""
    context = copy_context()
    context.run(_is_own.set, True)
    return asyncio.create_task(work, name=name, context=context)


def is_own_work() -> bool:
    """Whether what runs here is such work, or was begun by it."""
    return _is_own.get()


_is_own: Final[ContextVar[bool]] = ContextVar("own work", default=False)
