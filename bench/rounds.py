"""Rounds: every server in turn, again and again, so that whatever else the machine does meets them all alike.

Used by `scenarios.py`. Processor time is what to compare by: unlike requests per second, it hardly depends on who else
runs at the time.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.load_generator import load
from bench.processors import processor_ms
from bench.servers import Server

Questions = Callable[[int], Iterator[bytes]]
"""The bodies to send in a round, without end; the same for the same number."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure."""

    rounds: int
    seconds: float
    warm_up_seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds. Processor times in ms per request; `database_ms` is 0 where the server does it all."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    server_ms: float
    database_ms: float

    @property
    def together_ms(self) -> float:
        """The processor time of server and database for one request."""
        return self.server_ms + self.database_ms


async def measure(contenders: Sequence[tuple[Server, Questions]], plan: Plan) -> list[Figures]:
    """Figures of each contender, in their order. Raises WrongAnswer."""
    for server, questions in contenders:
        await load(server.url, server.headers, questions(0), plan.warm_up_seconds)
    measured: list[list[Figures]] = [[] for _ in contenders]
    for number in range(1, plan.rounds + 1):
        for (server, questions), rounds in zip(contenders, measured, strict=True):
            rounds.append(await _round(server, questions(number), plan.seconds))
    return [_median(rounds) for rounds in measured]


async def _round(server: Server, bodies: Iterator[bytes], seconds: float) -> Figures:
    before = _spent(server)
    done = await load(server.url, server.headers, bodies, seconds)
    server_ms, database_ms = (after - earlier for after, earlier in zip(_spent(server), before, strict=True))
    latencies, requests = sorted(done.latencies), len(done.latencies)
    return Figures(
        requests_per_second=requests / done.seconds,
        p50_ms=latencies[requests // 2],
        p99_ms=latencies[requests * 99 // 100],
        server_ms=server_ms / requests,
        database_ms=database_ms / requests,
    )


def _spent(server: Server) -> tuple[float, float]:
    of_database = 0.0 if server.database_process is None else processor_ms(server.database_process)
    return processor_ms(server.process), of_database


def _median(rounds: Sequence[Figures]) -> Figures:
    def of(read: Callable[[Figures], float]) -> float:
        return statistics.median(map(read, rounds))

    return Figures(
        of(lambda each: each.requests_per_second),
        of(lambda each: each.p50_ms),
        of(lambda each: each.p99_ms),
        of(lambda each: each.server_ms),
        of(lambda each: each.database_ms),
    )
