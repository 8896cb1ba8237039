"""Measurements: what is told of work as it goes on, so that whoever operates Tether can see it from outside.

Told by the domain, persistence and the web; `gql/metrics.py` keeps them for Prometheus. Every word among the arguments
is of a bounded set: a service's id, an enum's value, never a name or an id that somebody chose. Nothing here waits.
"""

from typing import Final, Protocol


class Measurements(Protocol):
    """Durations are in seconds."""

    def checked(self, service: str, outcome: str, seconds: float) -> None:
        """A health check has run; `outcome` is a HealthStatus or a Verdict."""

    def check_lag(self, seconds: float) -> None:
        """A scheduled check begins, so long after it was due."""

    def checks_claimed(self, service: str, count: int) -> None: ...

    def lease_lost(self, kind: str) -> None:
        """Work of this kind was taken over by another process, since its lease had ended."""

    def breaker(self, service: str, state: str) -> None:
        """It is CLOSED, OPEN or HALF_OPEN from now on."""

    def refreshed(self, service: str, outcome: str) -> None:
        """A credential's refresh has ended: REFRESHED, NOT_REFRESHABLE, ENDED, or the fault for which it failed."""

    def command_run(self, service: str, command: str, outcome: str, seconds: float) -> None:
        """A command of the catalogue has been run: SUCCEEDED, FAILED or UNKNOWN."""

    def task_done(self, kind: str, outcome: str, seconds: float) -> None:
        """A turn of a task has ended: DONE, AGAIN, ENDED, FAILED or SETTLED."""

    def webhook_received(self, service: str) -> None:
        """A webhook that is really the service's, also where it is a repeat."""

    def called(self, service: str, outcome: str, seconds: float) -> None:
        """An outgoing call has ended: with a class of HTTP status, such as 2XX, or an HttpFaultKind."""

    def statement(self, kind: str, seconds: float) -> None:
        """The database has answered a statement: READ for documents and the feed, else SELECT, INSERT and the like."""

    def token_verified(self, issuer: str, outcome: str) -> None:
        """A bearer token was ACCEPTED, refused for a reason (a Refusal), or its issuer UNAVAILABLE.

        `issuer` is the operator's name for it; empty for none that is known here.
        """

    def provider_asked(self, issuer: str, outcome: str) -> None:
        """An issuer was asked for its metadata and its keys: OK or FAILED."""


class NoMeasurements:
    """For where nobody looks."""

    def checked(self, service: str, outcome: str, seconds: float) -> None: ...

    def check_lag(self, seconds: float) -> None: ...

    def checks_claimed(self, service: str, count: int) -> None: ...

    def lease_lost(self, kind: str) -> None: ...

    def breaker(self, service: str, state: str) -> None: ...

    def refreshed(self, service: str, outcome: str) -> None: ...

    def command_run(self, service: str, command: str, outcome: str, seconds: float) -> None: ...

    def task_done(self, kind: str, outcome: str, seconds: float) -> None: ...

    def webhook_received(self, service: str) -> None: ...

    def called(self, service: str, outcome: str, seconds: float) -> None: ...

    def statement(self, kind: str, seconds: float) -> None: ...

    def token_verified(self, issuer: str, outcome: str) -> None: ...

    def provider_asked(self, issuer: str, outcome: str) -> None: ...


NO_MEASUREMENTS: Final[Measurements] = NoMeasurements()
