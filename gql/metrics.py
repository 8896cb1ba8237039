"""Metrics: what Tether measures of itself, kept for Prometheus, which reads it at `/metrics`. One a running Tether.

Labels are of bounded sets: services that this server knows, enums' words, kinds of tasks; never a name or an id. What
is told is added up in memory; what stands at the moment of reading is in `gql/scraped_state.py`.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from persistence.statement_watch import KINDS

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter, which nobody asks for

OTHER: Final = "other"
"""A service or issuer that this server doesn't know (any more), or a call that is none of a service's."""

BREAKER_STATES: Final = ("CLOSED", "OPEN", "HALF_OPEN")

_SHORT: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_POINTS: Final = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000)


class Metrics:
    """Implements Measurements, and what only the web tells. `kept`: name, labels and meaning of all, for the docs."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.kept: list[tuple[str, Sequence[str], str]] = []
        self._services: frozenset[str] = frozenset()
        self._issuers: frozenset[str] = frozenset()

        self._requests = self._counter(
            "tether_graphql_requests_total", "GraphQL operations that have ended.", "kind", "outcome"
        )
        self._request_seconds = self._histogram(
            "tether_graphql_request_duration_seconds", "How long queries and mutations took.", _SHORT, "kind"
        )
        self._persisted_queries = self._counter(
            "tether_persisted_queries_total", "Operations that were asked for by an id, or had to be.", "outcome"
        )
        self._cost = self._histogram(
            "tether_graphql_cost_points", "What operations cost, also those that were refused for it.", _POINTS, "kind"
        )
        self._sockets = self._gauge("tether_graphql_sockets", "WebSockets that are open.")
        self._streams = self._gauge("tether_graphql_streams", "Subscriptions that are answered over HTTP.")
        self._statements = self._histogram(
            "tether_statement_duration_seconds", "How long statements of the database took.", _SHORT, "kind"
        )
        self._calls = self._counter("tether_calls_total", "Outgoing calls that have ended.", "service", "outcome")
        self._call_seconds = self._histogram(
            "tether_call_duration_seconds", "How long outgoing calls took, with a second try.", _LONG, "service"
        )
        self._checks = self._counter("tether_checks_total", "Health checks that have ended.", "service", "outcome")
        self._check_seconds = self._histogram(
            "tether_check_duration_seconds", "How long health checks took.", _LONG, "service"
        )
        self._check_lag = self._histogram(
            "tether_check_lag_seconds", "How long after they were due scheduled checks began.", _LONG
        )
        self._claims = self._counter("tether_checks_claimed_total", "Scheduled checks that were claimed.", "service")
        self._leases = self._counter(
            "tether_leases_lost_total", "Work that another process took over, since its lease had ended.", "kind"
        )
        self._breaker = self._gauge(
            "tether_breaker_state",
            "1 for the state that a breaker of the service was last seen in.",
            "service",
            "state",
        )
        self._breaker_changes = self._counter(
            "tether_breaker_changes_total", "Changes of breakers into a state.", "service", "state"
        )
        self._refreshes = self._counter(
            "tether_refreshes_total", "Refreshes for which a service was asked.", "service", "outcome"
        )
        self._command_runs = self._counter(
            "tether_command_runs_total", "Runs of commands that have ended.", "service", "command", "outcome"
        )
        self._command_run_seconds = self._histogram(
            "tether_command_run_duration_seconds", "How long calls for commands took, with all tries.", _LONG, "service"
        )
        self._tasks = self._counter("tether_tasks_total", "Turns of tasks that have ended.", "kind", "outcome")
        self._task_seconds = self._histogram(
            "tether_task_duration_seconds", "How long turns of tasks took.", _LONG, "kind"
        )
        self._webhooks = self._counter(
            "tether_webhooks_received_total", "Webhooks with a valid signature, repeats too.", "service"
        )
        self._tokens = self._counter(
            "tether_bearer_tokens_total",
            "Bearer tokens of identity providers that were looked into.",
            "issuer",
            "outcome",
        )
        self._providers = self._counter(
            "tether_identity_provider_fetches_total", "Fetches of an identity provider's keys.", "issuer", "outcome"
        )
        ProcessCollector(registry=self.registry)
        # What is told with each request isn't looked up by its labels each time, which costs as much as the rest of it.
        self._by_statement = {kind: self._statements.labels(kind) for kind in KINDS}
        self._by_request = cache(self._requests.labels)
        self._seconds_by_kind = cache(self._request_seconds.labels)
        self._by_persisted_query = cache(self._persisted_queries.labels)

    def know_services(self, services: Iterable[str]) -> None:
        """Whose ids may be labels."""
        self._services = frozenset(services)

    def know_issuers(self, issuers: Iterable[str]) -> None:
        """Whose names may be labels."""
        self._issuers = frozenset(issuers)

    def requested(self, kind: str, outcome: str, seconds: float) -> None:
        """An operation has ended: OK, or with the code of its first error. Subscriptions last, and aren't timed."""
        self._by_request(kind, outcome).inc()
        if kind != "subscription":
            self._seconds_by_kind(kind).observe(seconds)

    def persisted_query(self, outcome: str) -> None:
        self._by_persisted_query(outcome).inc()

    def weighed(self, kind: str, points: int) -> None:
        """An operation has ended of which it was known what it costs."""
        self._cost.labels(kind).observe(points)

    def socket_opened(self) -> None:
        self._sockets.inc()

    def socket_closed(self) -> None:
        self._sockets.dec()

    @contextmanager
    def open_stream(self) -> Iterator[None]:
        """For as long as the block."""
        self._streams.inc()
        try:
            yield
        finally:
            self._streams.dec()

    def checked(self, service: str, outcome: str, seconds: float) -> None:
        service = self._known(service)
        self._checks.labels(service, outcome).inc()
        self._check_seconds.labels(service).observe(seconds)

    def check_lag(self, seconds: float) -> None:
        self._check_lag.observe(seconds)

    def checks_claimed(self, service: str, count: int) -> None:
        self._claims.labels(self._known(service)).inc(count)

    def lease_lost(self, kind: str) -> None:
        self._leases.labels(kind).inc()

    def breaker(self, service: str, state: str) -> None:
        service = self._known(service)
        self._breaker_changes.labels(service, state).inc()
        for each in BREAKER_STATES:
            self._breaker.labels(service, each).set(each == state)

    def refreshed(self, service: str, outcome: str) -> None:
        self._refreshes.labels(self._known(service), outcome).inc()

    def command_run(self, service: str, command: str, outcome: str, seconds: float) -> None:
        self._command_runs.labels(self._known(service), command, outcome).inc()
        self._command_run_seconds.labels(self._known(service)).observe(seconds)

    def task_done(self, kind: str, outcome: str, seconds: float) -> None:
        self._tasks.labels(kind, outcome).inc()
        self._task_seconds.labels(kind).observe(seconds)

    def webhook_received(self, service: str) -> None:
        self._webhooks.labels(self._known(service)).inc()

    def called(self, service: str, outcome: str, seconds: float) -> None:
        service = self._known(service)
        self._calls.labels(service, outcome).inc()
        self._call_seconds.labels(service).observe(seconds)

    def statement(self, kind: str, seconds: float) -> None:
        self._by_statement[kind].observe(seconds)

    def token_verified(self, issuer: str, outcome: str) -> None:
        self._tokens.labels(issuer if issuer in self._issuers else OTHER, outcome).inc()

    def provider_asked(self, issuer: str, outcome: str) -> None:
        self._providers.labels(issuer if issuer in self._issuers else OTHER, outcome).inc()

    def _known(self, service: str) -> str:
        return service if service in self._services else OTHER

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        self.kept.append((name, labels, meaning))
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        self.kept.append((name, labels, meaning))
        return Gauge(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: Sequence[float], *labels: str) -> Histogram:
        self.kept.append((name, labels, meaning))
        return Histogram(name, meaning, labels, registry=self.registry, buckets=buckets)
