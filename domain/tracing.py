"""Tracing: where time goes within one piece of work, as spans in each other. Off unless the operator turns it on.

`gql/tracing.py` hands it to OpenTelemetry. An attribute is a name that stands in the code, an enum's value, a number or
a hash: never an id, a path, a query, a value or the words of an exception, any of which may tell a secret.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Protocol

Attribute = str | int | bool


class Span(Protocol):
    """What goes on within a `with` block; an exception that leaves it is noted by its class."""

    def set(self, name: str, value: Attribute) -> None: ...


class Tracing(Protocol):
    """`active`: somebody looks. Where nobody does, attributes that cost something needn't be worked out."""

    @property
    def active(self) -> bool: ...

    def span(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """A span within the one that is open in this asyncio task, or in the task that made it."""


class NoTracing:
    """Nobody looks."""

    active = False

    def span(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        return _NOTHING


class _Nothing:
    """A span of which nothing is kept; one for all."""

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def set(self, name: str, value: Attribute) -> None: ...


_NOTHING: Final = _Nothing()
NO_TRACING: Final[Tracing] = NoTracing()
