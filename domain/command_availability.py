"""Whether a command can be run through a connection, and each reason why not: THE rules, from stored state alone.

Pure. Asked by CommandPreflight for each command and each group of connections that are alike.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.connection_states import ConnectionState, Ending, StandingConnection
from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import HealthStatus, Remedy
from domain.entities.service_incident import ServiceIncident
from domain.entities.user import Role
from domain.services.commands import Command, Commands, TargetKind


class ReasonCode(StrEnum):
    """Why a command can't be run through a connection, or may soon not be."""

    ROLE_TOO_SMALL = "ROLE_TOO_SMALL"
    SERVICE_DOWN = "SERVICE_DOWN"
    NOT_CONNECTED = "NOT_CONNECTED"
    STATUS = "STATUS"
    CREDENTIAL_MISSING = "CREDENTIAL_MISSING"
    CREDENTIAL_EXPIRED = "CREDENTIAL_EXPIRED"
    CREDENTIAL_EXPIRING = "CREDENTIAL_EXPIRING"
    SCOPES_MISSING = "SCOPES_MISSING"
    QUOTA_USED_UP = "QUOTA_USED_UP"
    UNHEALTHY = "UNHEALTHY"
    DEGRADED = "DEGRADED"
    REPOSITORY_UNREACHABLE = "REPOSITORY_UNREACHABLE"


@dataclass(frozen=True, slots=True)
class Reason:
    """One of them. `until`: when it ends by itself, or what it warns of begins. What isn't `blocking` is a warning."""

    code: ReasonCode
    message: str
    remedy: Remedy
    until: datetime | None = None
    blocking: bool = True


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds for all connections of a service. `repository_asked`: whether it is to be for a repository."""

    role: Role
    incident: ServiceIncident | None
    repository_asked: bool


def of_command(command: Command, circumstances: Circumstances) -> tuple[Reason, ...]:
    """What stands against a command, whatever the connection."""
    return tuple(_of_command(command, circumstances))


def of_connection(
    command: Command, commands: Commands, state: ConnectionState, circumstances: Circumstances
) -> tuple[Reason, ...]:
    """What stands against a command through a connection in that state, those of the command itself left out.

    Moments are still to be filled in, by `dated`.
    """
    return tuple(_of_connection(command, commands, state, circumstances))


def dated(reasons: tuple[Reason, ...], connection: StandingConnection) -> tuple[Reason, ...]:
    """The reasons with the moments of one connection of the group."""
    if not any(reason.code in _DATED for reason in reasons):
        return reasons
    return tuple(_DATED[reason.code](reason, connection) if reason.code in _DATED else reason for reason in reasons)


def usable(reasons: tuple[Reason, ...]) -> bool:
    """Whether none of them stands in the way."""
    return not any(reason.blocking for reason in reasons)


def _of_command(command: Command, circumstances: Circumstances) -> Iterator[Reason]:
    if not circumstances.role.covers(command.least_role):
        yield Reason(
            ReasonCode.ROLE_TOO_SMALL,
            f"It takes the role {command.least_role} to run this; you act as {circumstances.role}.",
            Remedy.CONTACT_ADMIN,
        )
    if (incident := circumstances.incident) is not None:
        yield Reason(
            ReasonCode.SERVICE_DOWN,
            f"The service is down since {incident.started_at:%Y-%m-%d %H:%M} UTC: {incident.message}",
            Remedy.WAIT,
        )


def _of_connection(
    command: Command, commands: Commands, state: ConnectionState, circumstances: Circumstances
) -> Iterator[Reason]:
    if state.status is not ConnectionStatus.ACTIVE:
        message, remedy = _STATUS[state.status]
        told = None if state.remedy is Remedy.NONE else state.remedy
        yield Reason(ReasonCode.STATUS, message, told or remedy)
    yield from _of_credential(state)
    if state.kind is not None and state.scopes is not None:
        needed = commands.needed_grants(command, state.kind)
        missing = [grant.name for grant in needed if not grant.granted_by & state.scopes]
        if missing:
            what = "permission" if state.scopes and command.required_permissions else "scope"
            yield Reason(
                ReasonCode.SCOPES_MISSING,
                f"The credential lacks the {what}{'s' if len(missing) > 1 else ''} {', '.join(missing)}.",
                Remedy.GRANT_SCOPES,
            )
    if state.limited:
        yield Reason(ReasonCode.QUOTA_USED_UP, "The service takes no more calls for now.", Remedy.WAIT)
    if state.status is ConnectionStatus.ACTIVE and state.health in _HEALTH:
        code, message, blocking = _HEALTH[state.health]
        yield Reason(code, message, Remedy.WAIT, blocking=blocking)
    target = command.target
    if circumstances.repository_asked and not state.reaches and target and target.kind is TargetKind.REPOSITORY:
        yield Reason(
            ReasonCode.REPOSITORY_UNREACHABLE,
            "The repository isn't among those that this connection reaches.",
            Remedy.CONTACT_ADMIN,
        )


def _of_credential(state: ConnectionState) -> Iterator[Reason]:
    if state.kind is None:
        yield Reason(ReasonCode.CREDENTIAL_MISSING, "It has no credential.", Remedy.RECONNECT)
    elif state.ending is Ending.ENDED:
        yield Reason(ReasonCode.CREDENTIAL_EXPIRED, "Its credential has ended.", Remedy.RECONNECT)
    elif state.ending is Ending.SOON:
        yield Reason(ReasonCode.CREDENTIAL_EXPIRING, "Its credential ends soon.", Remedy.RECONNECT, blocking=False)


def _ended(reason: Reason, connection: StandingConnection) -> Reason:
    return replace(reason, message=f"Its credential ended at {connection.ends_at:%Y-%m-%d %H:%M} UTC.")


def _expiring(reason: Reason, connection: StandingConnection) -> Reason:
    ends_at = connection.ends_at
    return replace(reason, message=f"Its credential ends at {ends_at:%Y-%m-%d %H:%M} UTC.", until=ends_at)


def _used_up(reason: Reason, connection: StandingConnection) -> Reason:
    until = connection.limited_until
    return replace(reason, message=f"The service takes no more calls until {until:%Y-%m-%d %H:%M:%S} UTC.", until=until)


_DATED: Final[Mapping[ReasonCode, Callable[[Reason, StandingConnection], Reason]]] = {
    ReasonCode.CREDENTIAL_EXPIRED: _ended,
    ReasonCode.CREDENTIAL_EXPIRING: _expiring,
    ReasonCode.QUOTA_USED_UP: _used_up,
}
_STATUS: Final[Mapping[ConnectionStatus, tuple[str, Remedy]]] = {
    ConnectionStatus.PENDING: ("The connection waits for its first passing check.", Remedy.WAIT),
    ConnectionStatus.INACTIVE: ("The connection is paused.", Remedy.CONTACT_ADMIN),
    ConnectionStatus.EXPIRED: ("The service refuses the connection's credential.", Remedy.RECONNECT),
    ConnectionStatus.REVOKED: ("The service withdrew the connection's grant.", Remedy.RECONNECT),
    ConnectionStatus.ERROR: ("Several checks of the connection in a row have failed.", Remedy.WAIT),
}
_HEALTH: Final[Mapping[HealthStatus, tuple[ReasonCode, str, bool]]] = {
    HealthStatus.UNHEALTHY: (ReasonCode.UNHEALTHY, "The latest check of the connection failed.", False),
    HealthStatus.DEGRADED: (ReasonCode.DEGRADED, "The latest check of the connection found a problem.", False),
}
"""Warnings: a run is a better proof than a check of a while ago, and whatever is healthier goes first."""
NOT_CONNECTED: Final = Reason(
    ReasonCode.NOT_CONNECTED, "The organization has no connection to the service.", Remedy.CONTACT_ADMIN
)
