"""The weights of fields: what those cost that cost more than a point, and how many objects are in a list.

Read by `cost.py`. A point is about what it takes to read and to write one plain field of one object; the others were
measured against that. `docs/limits.md` repeats this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.command_selection import REFUSED, RUNNERS_UP
from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import HealthStatus


@dataclass(frozen=True, slots=True)
class Weight:
    """`points`: of the field itself, each time. `items`: the most objects in a list that no argument bounds.

    `whole`: the points stand for the field with all that is selected from it.
    """

    points: int = 1
    items: int = 1
    whole: bool = False


PLAIN: Final = Weight()
"""Of every field that the table doesn't name."""

MUTATION: Final = Weight(100)
"""It is a transaction of its own, with an event and an audit record."""

CALLING_MUTATION: Final = Weight(500)
"""It asks the service besides, and waits for it."""

PAGE: Final = Weight(10)
"""A page of a list: its rows have to be found, for each object that has the list."""

TOTAL_COUNT: Final = Weight(20)
"""The whole list is counted."""

SHORT_TEXT: Final = 200
"""An operation's text that isn't known yet is read for nothing up to so many characters; each one more is a point.

So whoever has nothing left can't have long texts read, valid or not, and still ask for `rateLimit`.
"""

_SERVICES: Final = 20
_COMMANDS: Final = 30
_HISTORY: Final = Weight(25)
_IMPACT: Final = Weight(20)

WEIGHTS: Final[Mapping[str, Weight]] = {
    "Query.rateLimit": Weight(0, whole=True),  # so that who has nothing left can ask until when
    "Query.__schema": Weight(1_000, whole=True),
    "Query.__type": Weight(100, whole=True),
    "Query.services": Weight(items=_SERVICES),
    "Service.scopes": Weight(items=50),
    "Service.commands": Weight(items=20),
    "Organization.connectionSummary": Weight(100),
    "Organization.commands": Weight(200, items=_COMMANDS),
    "Organization.commandSelection": Weight(200),
    "CommandAvailability.reasons": Weight(items=3),
    "ConnectionAvailability.reasons": Weight(items=5),
    "CommandSelection.runnersUp": Weight(items=RUNNERS_UP),
    "CommandSelection.refused": Weight(items=REFUSED),
    "RefusedCommand.reasons": Weight(items=5),
    "CommandRun.arguments": Weight(20),  # a long text, maybe
    "CommandRun.result": Weight(100),  # a whole file, maybe
    "ConnectionSummary.byStatus": Weight(items=len(ConnectionStatus)),
    "ConnectionSummary.byHealth": Weight(items=len(HealthStatus)),
    "ConnectionSummary.byService": Weight(items=_SERVICES),
    "ConnectionSummary.expiringCredentials": Weight(20),
    "ServiceConnection.impact": _IMPACT,
    "UpdateConnectionStatusPayload.impact": _IMPACT,
    "DeleteConnectionPayload.impact": _IMPACT,
    "ConnectionImpact.commandRuns": Weight(50),
    "ConnectionImpact.webhooksReceived": Weight(50),
    "ConnectionHealth.probes": Weight(items=10),
    "ConnectionHealth.uptime": _HISTORY,
    "ConnectionHealth.latency": _HISTORY,
    "ConnectionHealth.series": Weight(100),
    "HealthCheck.probes": Weight(items=10),
    "Mutation.createConnection": CALLING_MUTATION,
    "Mutation.completeAuthorization": CALLING_MUTATION,
    "Mutation.checkConnectionHealth": CALLING_MUTATION,
    "Mutation.rotateCredentials": CALLING_MUTATION,
    "Mutation.syncRepositories": CALLING_MUTATION,
    "Mutation.runCommand": CALLING_MUTATION,
    "Mutation.deleteConnection": CALLING_MUTATION,
}
"""By type and field."""
