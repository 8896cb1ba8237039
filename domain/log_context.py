"""What every line of the log says beside its message, for as long as a request or a task goes on.

Bound by whatever begins such work; `gql/log.py` writes it. Work that is begun within it has it too.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final


@contextmanager
def log_context(**values: str) -> Iterator[None]:
    """Within the block every line has these as well."""
    token = _bound.set(MappingProxyType({**_bound.get(), **values}))
    try:
        yield
    finally:
        _bound.reset(token)


def logged_context() -> Mapping[str, str]:
    """What is bound here and now."""
    return _bound.get()


_bound: Final[ContextVar[Mapping[str, str]]] = ContextVar("log context", default=MappingProxyType({}))
