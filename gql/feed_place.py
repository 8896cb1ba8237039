"""FeedPlace: how far a client has come that follows a feed by a stream over HTTP, and where it goes on.

Set by `gql/http/streamed_operation.py` for what runs in it; read and told by the subscriptions. A stream's client keeps
the place by itself, since each of its results carries it; that of a socket asks for the field `cursor`.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class FeedPlace:
    """`resume_after`: the cursor that the client saw last, before it came again; `cursor`: that of the last event."""

    resume_after: str | None = None
    cursor: str | None = None


def feed_place() -> FeedPlace:
    """That of the operation which runs in this context; nobody's where it doesn't run in a stream."""
    return place_of_stream.get() or FeedPlace()


place_of_stream: Final[ContextVar[FeedPlace | None]] = ContextVar("place of a stream", default=None)
