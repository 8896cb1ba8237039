"""Where a request came from: bound by the server for as long as it is answered, and kept with what it changed.

Read by whatever writes audit records and events. Background work has none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """`address`: the client's, as the server saw it; `request_id`: what logs and errors call the request."""

    address: str | None = None
    request_id: str | None = None


@contextmanager
def request_from(origin: RequestOrigin) -> Iterator[None]:
    """Within the block what is changed was asked for from there."""
    token = _current.set(origin)
    try:
        yield
    finally:
        _current.reset(token)


def request_origin() -> RequestOrigin:
    """Of the request that is being answered here and now."""
    return _current.get()


_NOWHERE: Final = RequestOrigin()
_current: Final[ContextVar[RequestOrigin]] = ContextVar("request origin", default=_NOWHERE)
