"""OpenStreams: how many sockets and streamed answers are open in this process, of whom, and what runs on them.

Used by the sockets and by streams over HTTP, which share one, made by the view. What is open costs memory and a part
of the work for each event, so that nobody may open without end. Each process counts for itself.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Final

from domain.errors import TooMuchOpen
from gql.limit_settings import Limits

Caller = Hashable
"""Whom it counts for: the user's id of who has shown who they are, the network of a stranger (`client_network`); None
for strangers behind a proxy that isn't trusted, who can't be told apart."""


class OpenStreams:
    """One a process."""

    def __init__(self, limits: Limits) -> None:
        self._all = _Count(
            limits.open_streams, "This server keeps at most {} sockets and streams open. Try again later."
        )
        self._of_one = _Count(
            limits.caller_streams, "You have {} sockets and streams open, which is the most. Close one first."
        )
        self._operations = _Count(
            limits.caller_operations, "You run {} operations on sockets and streams, which is the most. Complete one."
        )

    @contextmanager
    def open(self, caller: Caller) -> Iterator["OpenStream"]:
        """One socket or streamed answer more, as long as the block. Raises TooMuchOpen before it begins."""
        with self._all.one_more(_EVERYBODY):
            stream = OpenStream(self._of_one, self._operations, caller)
            try:
                yield stream
            finally:
                stream.close()


class OpenStream:
    """One that is open."""

    def __init__(self, streams: "_Count", operations: "_Count", caller: Caller) -> None:
        streams.add(caller)
        self._streams = streams
        self._operations = operations
        self._caller = caller

    def belongs_to(self, caller: Caller) -> None:
        """It has turned out who that is. Raises TooMuchOpen where they have as many as may be."""
        if caller != self._caller:
            self._streams.add(caller)
            self._streams.remove(self._caller)
            self._caller = caller

    @contextmanager
    def operation(self) -> Iterator[None]:
        """One operation more that runs on it, as long as the block. Raises TooMuchOpen before it begins."""
        with self._operations.one_more(self._caller):
            yield

    def close(self) -> None:
        self._streams.remove(self._caller)


_EVERYBODY: Final = "everybody"


class _Count:
    """How many there are for each key that isn't None."""

    def __init__(self, most: int, refusal: str) -> None:
        self._most = most
        self._refusal = refusal.format(f"{most:,}")
        self._counted: Counter[Hashable] = Counter()

    @contextmanager
    def one_more(self, key: Hashable) -> Iterator[None]:
        self.add(key)
        try:
            yield
        finally:
            self.remove(key)

    def add(self, key: Hashable) -> None:
        if key is None:
            return
        if self._counted[key] >= self._most:
            raise TooMuchOpen(self._refusal)
        self._counted[key] += 1

    def remove(self, key: Hashable) -> None:
        if key is None:
            return
        self._counted[key] -= 1
        if not self._counted[key]:
            del self._counted[key]  # callers come and go
