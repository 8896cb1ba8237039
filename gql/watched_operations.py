"""WatchedOperations: each GraphQL operation, from its arrival to its answer, as a measurement and as a span.

Used by the view for HTTP and by sockets. Its name is traced, since it stands in the operation's text; never a value.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from graphql import GraphQLError

from domain.errors import DomainError
from domain.tracing import Tracing
from gql.asked_document import AskedDocument
from gql.errors import INTERNAL
from gql.metrics import Metrics
from gql.operations import HASH_DIGITS, KnownOperation, OperationCache
from gql.refusal_log import RefusalLog

OK: Final = "OK"
CANCELLED: Final = "CANCELLED"
"""Nobody waits for the answer any more."""

UNREADABLE: Final = "unreadable"
"""The kind of what is no valid operation."""

_LONGEST_NAME: Final = 100
_TOLD_ELSEWHERE: Final = {OK, CANCELLED, INTERNAL}


@dataclass(slots=True)
class RunningOperation:
    """`outcome` is OK, or the code of the first error; `known` what it is, and `cost` what it costs, once found out.

    `asked`: what came of it that a document was named by an id, or had to be.
    """

    outcome: str = OK
    asked: str | None = None
    known: KnownOperation | None = None
    cost: int | None = None


class WatchedOperations:
    """Those of one schema."""

    def __init__(self, operations: OperationCache, metrics: Metrics, tracing: Tracing, refusals: RefusalLog) -> None:
        self._operations = operations
        self._metrics = metrics
        self._tracing = tracing
        self._refusals = refusals

    @contextmanager
    def watching(self, text: str, operation_name: str | None) -> Iterator[RunningOperation]:
        """For the time of one operation."""
        started, running = time.perf_counter(), RunningOperation()
        token = _running.set(running)
        with self._tracing.span("operation", {}) as span:
            try:
                yield running
            except asyncio.CancelledError:
                running.outcome = CANCELLED
                raise
            except DomainError as error:
                running.outcome = error.code
                raise
            except Exception:
                running.outcome = INTERNAL if running.outcome == OK else running.outcome
                raise
            finally:
                _running.reset(token)
                known = running.known or self._operations.known(sha256(text.encode()).digest(), operation_name)
                kind = UNREADABLE if known is None else known.kind.value
                if kind == "subscription" and running.outcome == CANCELLED:
                    running.outcome = OK  # as they end
                if running.cost is not None:
                    self._metrics.weighed(kind, running.cost)
                if running.asked is not None:
                    self._metrics.persisted_query(running.asked)
                self._metrics.requested(kind, running.outcome, time.perf_counter() - started)
                span.set("graphql.operation.type", kind)
                span.set("tether.operation.outcome", running.outcome)
                if running.outcome not in _TOLD_ELSEWHERE:
                    name = "" if known is None or known.name is None else f" {known.name[:_LONGEST_NAME]}"
                    hash_ = _hash(text) if known is None else known.hash
                    self._refusals.note("%s for %s%s (%s)", running.outcome, kind, name, hash_)
                if known is not None:
                    span.set("graphql.document.hash", known.hash)
                    if known.name is not None:
                        span.set("graphql.operation.name", known.name[:_LONGEST_NAME])


def _hash(text: str) -> str:
    """As that of a valid one; of what was asked for by an id alone, the id."""
    if isinstance(text, AskedDocument) and not text:
        return text.document_id
    return sha256(text.encode()).hexdigest()[:HASH_DIGITS]


def note_error(error: GraphQLError) -> None:
    """The operation that runs in this context has failed with it, as clients see it."""
    running = _running.get()
    if running is not None and running.outcome == OK:
        running.outcome = str((error.extensions or {}).get("code", INTERNAL))


def note_asked(outcome: str) -> None:
    """One of those of `gql/persisted_queries.py`. A stream's operation is looked at twice, and counted once."""
    running = _running.get()
    if running is not None:
        running.asked = outcome


def note_known(known: KnownOperation) -> None:
    """This is what runs in this context."""
    running = _running.get()
    if running is not None:
        running.known = known


def note_cost(points: int) -> None:
    """The operation that runs in this context costs so much, whether it may or not."""
    running = _running.get()
    if running is not None:
        running.cost = points


_running: Final[ContextVar[RunningOperation | None]] = ContextVar("running operation", default=None)
