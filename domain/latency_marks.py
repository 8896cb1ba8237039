"""Latency marks: the few latencies, each a fifth more than the one before, to which each check's is rounded.

Days that count checks by marks add up to percentiles over any range, which no two percentiles do. From 1 ms to 60 s a
mark is at most a tenth off the latency that it stands for; what took longer counts as a minute. Pure; used where days
are counted (`domain/health_days.py`) and where documents count checks of today in the same way.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

LONGEST_MS: Final = 60_000


def _classes() -> Iterator[tuple[int, int]]:
    """Each class of latencies: the least of them, and the mark that stands for all."""
    least = 0
    while least < LONGEST_MS:
        above = max(least + 1, least * 6 // 5)
        yield least, round((least * (above - 1)) ** 0.5)
        least = above
    yield LONGEST_MS, LONGEST_MS


CLASSES: Final = tuple(_classes())
"""From the shortest to the longest. The stored days are counted by them: they never change."""

_LEAST: Final = [least for least, _ in CLASSES]


def latency_mark(latency_ms: int) -> int:
    """The mark of a latency."""
    return CLASSES[bisect_right(_LEAST, max(latency_ms, 0)) - 1][1]
