"""StatementWatch: tells of each statement how long it took, and what kind it was; never its text or its values.

Made by Database, and used where statements are run: by itself for documents and the feed, by Transaction for writes.
"""

import asyncio
import time
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import Executable

from domain.errors import StatementLimitExceeded
from domain.observation import Observation
from domain.own_work import is_own_work
from domain.tracing import Span

READ: Final = "READ"
COMMIT: Final = "COMMIT"
_KINDS: Final = {"select": "SELECT", "insert": "INSERT", "update": "UPDATE", "delete": "DELETE"}
_OTHER: Final = "OTHER"
KINDS: Final = (READ, *_KINDS.values(), COMMIT, _OTHER)


class StatementWatch:
    """One a database."""

    def __init__(self, observation: Observation, system: str) -> None:
        self.measurements = observation.measurements
        self.tracing = observation.tracing
        self.system = system

    def watching(self, kind: str) -> "_Watched":
        """For the time of one statement, also of one that fails."""
        return _Watched(self, kind)


class _Watched:
    """A context manager of its own, since one made of a generator takes longer than all that it would do."""

    __slots__ = ("_kind", "_opened", "_span", "_started", "_watch")

    def __init__(self, watch: StatementWatch, kind: str) -> None:
        self._watch = watch
        self._kind = kind
        self._opened: AbstractContextManager[Span] | None = None

    def __enter__(self) -> Self:
        """Raises StatementLimitExceeded for one more than may be run."""
        watch = self._watch
        if (allowed := _allowed.get()) is not None and self._kind is not COMMIT:
            allowed.count()
        if watch.tracing.active:
            attributes = {"db.system.name": watch.system, "db.operation.name": self._kind}
            self._opened = watch.tracing.span("statement", attributes)
            self._span = self._opened.__enter__()
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watch.measurements.statement(self._kind, time.perf_counter() - self._started)
        if self._opened is not None:
            self._opened.__exit__(kind, error, traceback)

    def is_sql(self, sql: str) -> None:
        """Say which statement it is: the trace shows a hash of its text, which is the same for other values."""
        if self._opened is not None:
            self._span.set("tether.statement.hash", _hash(sql))


@dataclass(slots=True)
class _Allowed:
    """How many statements an operation may run, and how many it has run.

    What it has begun may outlive it, such as work that others wait for, too: that isn't held to it any longer. Nor is
    what has to be finished once it has begun.
    """

    most: int
    task: "asyncio.Task[Any] | None"
    run: int = 0
    ended: bool = False

    def count(self) -> None:
        if self.ended or is_own_work() or (self.task is not None and self.task.done()):
            return
        self.run += 1
        if self.run > self.most:
            raise StatementLimitExceeded(self.most)


_allowed: Final[ContextVar[_Allowed | None]] = ContextVar("allowed statements", default=None)


def limit_statements(most: int | None) -> None:
    """Have what runs in this context from now on, and what it begins, run at most so many; None: as many as it likes.

    Commits don't count: what has been done is kept.
    """
    _allowed.set(None if most is None else _Allowed(most, asyncio.current_task()))


def end_statement_limit() -> None:
    """The operation of this context has ended."""
    allowed = _allowed.get()
    if allowed is not None:
        allowed.ended = True


def kind_of(statement: Executable) -> str:
    return _KINDS.get(getattr(statement, "__visit_name__", ""), _OTHER)


@lru_cache(maxsize=1_000)
def _hash(sql: str) -> str:
    return sha256(sql.encode()).hexdigest()[:16]
