"""How results that come one after the other are written into one HTTP answer. Used by StreamedOperation.

There are two ways, for two kinds of clients: Server-Sent Events, and the multipart subscriptions of Apollo's.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import orjson

from gql.http.accepted_media import EVENT_STREAM, MULTIPART


class StreamFraming(ABC):
    """One way. Each method gives the bytes that say it; the answer's end is up to the caller."""

    content_type: ClassVar[str]

    @abstractmethod
    def begin(self) -> bytes:
        """Something to read at once, so that nobody on the way waits for more."""

    @abstractmethod
    def result(self, body: Mapping[str, Any], cursor: str | None = None) -> bytes:
        """One result. `cursor`: from where a client that comes again gets what follows."""

    @abstractmethod
    def sign_of_life(self) -> bytes:
        """Nothing, for whoever takes silence for the end."""

    @abstractmethod
    def complete(self) -> bytes:
        """That was all, and the client needn't come again."""

    @abstractmethod
    def shut_out(self, error: Mapping[str, Any]) -> bytes:
        """The caller isn't let in any more; the client needn't come again."""

    @abstractmethod
    def interrupted(self, error: Mapping[str, Any]) -> bytes:
        """The server ends before the operation does; the client may come again at once."""


class EventStream(StreamFraming):
    """graphql-sse's protocol, in its mode of distinct connections. Its clients come again where it wasn't completed."""

    content_type = f"{EVENT_STREAM}; charset=utf-8"

    def begin(self) -> bytes:
        return self.sign_of_life()

    def result(self, body: Mapping[str, Any], cursor: str | None = None) -> bytes:
        place = b"" if cursor is None else b"id: %b\n" % cursor.encode()
        return b"event: next\n%bdata: %b\n\n" % (place, _line(body))

    def sign_of_life(self) -> bytes:
        return b":\n\n"

    def complete(self) -> bytes:
        return b"event: complete\ndata: \n\n"  # browsers ignore an event without data

    def shut_out(self, error: Mapping[str, Any]) -> bytes:
        return self.result({"errors": [error]}) + self.complete()

    def interrupted(self, error: Mapping[str, Any]) -> bytes:
        return b""


class MultipartStream(StreamFraming):
    """Apollo's protocol for subscriptions. A part is read when the boundary after it has come, so it goes along."""

    content_type = f'{MULTIPART};boundary="graphql";subscriptionSpec=1.0'

    def begin(self) -> bytes:
        return _BOUNDARY + self.sign_of_life()

    def result(self, body: Mapping[str, Any], cursor: str | None = None) -> bytes:
        return _part({"payload": body})

    def sign_of_life(self) -> bytes:
        return _part({})

    def complete(self) -> bytes:
        return _part({"payload": None}) + _LAST

    def shut_out(self, error: Mapping[str, Any]) -> bytes:
        return self.interrupted(error)

    def interrupted(self, error: Mapping[str, Any]) -> bytes:
        return _part({"payload": None, "errors": [error]}) + _LAST


def _part(content: Mapping[str, Any]) -> bytes:
    return b"\r\nContent-Type: application/json; charset=utf-8\r\n\r\n%b%b" % (_line(content), _BOUNDARY)


def _line(content: Mapping[str, Any]) -> bytes:
    """As JSON in one line. A document in it (Fragment) is as the database wrote it, perhaps with breaks between."""
    return orjson.dumps(content).replace(b"\r", b" ").replace(b"\n", b" ")


FRAMINGS: Final[Mapping[str, StreamFraming]] = {EVENT_STREAM: EventStream(), MULTIPART: MultipartStream()}
"""By the form that the client takes."""
_BOUNDARY: Final = b"\r\n--graphql"
_LAST: Final = b"--\r\n"
