"""ScrapedState: the metrics that are read when somebody asks for them, such as how much work waits.

Used by the address `/metrics`. The database is asked once a second at most, however often that is.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from domain.entities.task import TaskKind
from domain.errors import ServiceUnavailable
from gql.metrics import Metrics
from persistence.backlog import COUNTED, Waiting, read_backlog
from persistence.database import Database
from persistence.event_feed import EventFeed

REMEMBERED_SECONDS: Final = 1.0

UP: Final = ("tether_database_up", (), "1 if the database has just answered, else 0.")
DUE: Final = (
    "tether_tasks_due",
    ("kind",),
    f"Tasks that are due and wait, of all processes, webhooks among them; counted to {COUNTED:,}.",
)
OLDEST: Final = ("tether_tasks_oldest_due_seconds", ("kind",), "How long the one has waited that is due longest.")
LAG: Final = ("tether_feed_lag_seconds", (), "How long ago subscribers here were told how far their feeds go.")
SUBSCRIBERS: Final = ("tether_feed_subscribers", (), "Subscriptions that wait for events here.")
IN_USE: Final = ("tether_database_connections_in_use", ("pool",), "Connections that are used just now.")
MOST: Final = ("tether_database_connections_limit", ("pool",), "Connections that can be used at the same time.")
SCRAPED: Final = (UP, DUE, OLDEST, LAG, SUBSCRIBERS, IN_USE, MOST)

_KINDS: Final = [kind.value for kind in TaskKind]


class ScrapedState(Collector):
    """Of one running Tether, registered with its metrics."""

    def __init__(self, metrics: Metrics, database: Database, feed: EventFeed, clock: Callable[[], datetime]) -> None:
        self._metrics = metrics
        self._database = database
        self._feed = feed
        self._clock = clock
        self._lock = asyncio.Lock()
        self._read_at: float | None = None
        self._waiting: Mapping[str, Waiting] | None = None
        metrics.registry.register(self)

    async def scrape(self) -> bytes:
        """All metrics in Prometheus's text form."""
        async with self._lock:
            if self._read_at is None or time.monotonic() - self._read_at >= REMEMBERED_SECONDS:
                try:
                    self._waiting = await read_backlog(self._database, _KINDS, self._clock())
                except ServiceUnavailable:
                    self._waiting = None
                self._read_at = time.monotonic()
            return generate_latest(self._metrics.registry)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """What the registry asks at the beginning, when there is nothing to be read."""
        return [_family(each) for each in SCRAPED]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield _of_one(UP, self._waiting is not None)
        if self._waiting is not None:
            due, oldest, now = _family(DUE), _family(OLDEST), self._clock()
            for kind, waiting in self._waiting.items():
                due.add_metric([kind], waiting.count)
                age = 0.0 if waiting.since is None else (now - waiting.since).total_seconds()
                oldest.add_metric([kind], max(0.0, age))
            yield from (due, oldest)
        yield _of_one(LAG, self._feed.lag_seconds)
        yield _of_one(SUBSCRIBERS, self._feed.watchers)
        in_use, most = _family(IN_USE), _family(MOST)
        for pool, use in self._database.pool_use().items():
            in_use.add_metric([pool], use.in_use)
            most.add_metric([pool], use.most)
        yield from (in_use, most)


def _family(metric: tuple[str, tuple[str, ...], str]) -> GaugeMetricFamily:
    name, labels, meaning = metric
    return GaugeMetricFamily(name, meaning, labels=labels)


def _of_one(metric: tuple[str, tuple[str, ...], str], value: float) -> GaugeMetricFamily:
    family = _family(metric)
    family.add_metric([], value)
    return family
