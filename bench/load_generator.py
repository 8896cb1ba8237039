"""The client: a few connections that each send the next request as soon as the last one is answered.

Used by `rounds.py`. One small protocol on uvloop rather than a tool from outside: every answer is read and looked at,
and every server gets the same questions in the same order.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import cast
from urllib.parse import urlsplit

CONNECTIONS = 8
_LAST_ANSWERS_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did under load. Latencies in ms, in no order."""

    seconds: float
    latencies: list[float]

    @property
    def requests(self) -> int:
        return len(self.latencies)


class WrongAnswer(Exception):
    """A server didn't answer, or answered with an error."""


async def load(url: str, headers: Mapping[str, str], bodies: Iterator[bytes], seconds: float) -> Load:
    """Ask for so many seconds, and wait for what was asked by then. Raises WrongAnswer."""
    address = urlsplit(url)
    lines = [f"POST {address.path} HTTP/1.1", f"Host: {address.netloc}", "Content-Type: application/json"]
    head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "Content-Length: "])
    questions = (f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies)
    loop, latencies = asyncio.get_running_loop(), list[float]()
    begin = time.perf_counter()
    clients = [_Client(questions, begin + seconds, latencies, loop.create_future()) for _ in range(CONNECTIONS)]
    for client in clients:
        await loop.create_connection(partial(_itself, client), address.hostname or "", address.port or 80)
    async with asyncio.timeout(seconds + _LAST_ANSWERS_SECONDS):
        await asyncio.gather(*(client.done for client in clients))
    return Load(time.perf_counter() - begin, latencies)


def _itself(client: "_Client") -> "_Client":
    return client


class _Client(asyncio.Protocol):
    """One connection. It knows as much of HTTP/1.1 as these servers answer with: a length, or chunks."""

    def __init__(
        self, questions: Iterator[bytes], end: float, latencies: list[float], done: asyncio.Future[None]
    ) -> None:
        self._questions = questions
        self._end = end
        self._latencies = latencies
        self.done = done
        self._answer = bytearray()
        self._length: int | None = None  # of the whole answer; None until its head has come, and for chunks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if self._length is None:
            self._length = _length(self._answer)
        whole = self._answer.endswith(_LAST_CHUNK) if self._length is None else len(self._answer) == self._length
        if whole:
            self._answered()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(WrongAnswer(f"The server hung up: {error}; {bytes(self._answer[:300])!r}"))

    def _ask(self) -> None:
        self._asked_at = time.perf_counter()
        if self._asked_at < self._end:
            self._transport.write(next(self._questions))
        else:
            self.done.set_result(None)
            self._transport.close()

    def _answered(self) -> None:
        answer, self._answer, self._length = self._answer, bytearray(), None
        if not answer.startswith(b"HTTP/1.1 200 ") or any(error in answer for error in _ERRORS):
            self.done.set_exception(WrongAnswer(bytes(answer[:1_000]).decode()))
            self._transport.close()
            return
        self._latencies.append((time.perf_counter() - self._asked_at) * 1_000)
        self._ask()


_LAST_CHUNK = b"\r\n0\r\n\r\n"
_ERRORS = (b'"errors":', b'"userErrors":[{')


def _length(answer: bytearray) -> int | None:
    """Of the whole answer, where its head tells."""
    end = answer.find(b"\r\n\r\n")
    lines = answer[: max(end, 0)].lower().split(b"\r\n")
    announced = [line.partition(b":")[2] for line in lines if line.startswith(b"content-length:")]
    return end + 4 + int(announced[0]) if announced else None
