"""What keeps a command from being done, in words for whoever asked: faults of our own, and the errors of runs.

Used by CommandRuns and its parts, and by the mutation, which tells a run's error beside the run.
"""

from collections.abc import Sequence
from typing import Final

from domain.entities.command_run import CommandRun, CommandRunError, CommandRunStatus
from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import Remedy
from domain.entities.service_connection import ServiceConnection
from domain.errors import CommandFailure, InvalidInput
from domain.service_failures import CREDENTIAL_UNREADABLE, FAILURE_CODE
from domain.services.commands import Command
from domain.services.service_fault import FaultKind, ServiceFault

NOT_IN_USE: Final = "connection_not_in_use"
SCOPE_MISSING: Final = "connection_lacks_scopes"
TIMED_OUT: Final = "command_timed_out"
BROKEN: Final = "command_broken"
OUTCOME_UNKNOWN: Final = "OUTCOME_UNKNOWN"

_REMEDY: Final = {
    ConnectionStatus.PENDING: Remedy.WAIT,
    ConnectionStatus.INACTIVE: Remedy.CONTACT_ADMIN,
    ConnectionStatus.EXPIRED: Remedy.RECONNECT,
    ConnectionStatus.REVOKED: Remedy.RECONNECT,
    ConnectionStatus.ERROR: Remedy.WAIT,
}


def not_in_use(connection: ServiceConnection) -> ServiceFault | None:
    """None for a connection that is ACTIVE."""
    if connection.status is ConnectionStatus.ACTIVE:
        return None
    why = "" if connection.status_reason is None else f" {connection.status_reason.message}"
    message = f"The connection is {connection.status}; commands are run through ACTIVE ones.{why}"
    return ServiceFault(FaultKind.REQUEST_REFUSED, NOT_IN_USE, message, _REMEDY[connection.status])


def lacks_scopes(command: Command, missing: Sequence[str]) -> ServiceFault:
    """The connection's credential isn't allowed what the command needs."""
    message = f"The connection's credential may not do this: it lacks {', '.join(missing)}, which {command.id} needs."
    return ServiceFault(FaultKind.SCOPE_MISSING, SCOPE_MISSING, message, Remedy.GRANT_SCOPES)


def timed_out(command: Command, seconds: float) -> ServiceFault:
    """Tether waits no longer for the service."""
    message = f"The service had no answer within {seconds:.0f} seconds, and Tether stopped waiting."
    return ServiceFault(FaultKind.SERVICE_ERROR, TIMED_OUT, message, Remedy.WAIT, may_have_happened=command.mutating)


def broken_here(command: Command) -> ServiceFault:
    """A mistake in Tether itself, which the log tells of."""
    message = "Tether made a mistake in running this. Whoever operates it finds the reason in its log."
    return ServiceFault(
        FaultKind.SERVICE_ERROR,
        BROKEN,
        message,
        Remedy.CONTACT_ADMIN,
        may_have_happened=command.mutating,
    )


DATABASE_AWAY: Final = ServiceFault(
    FaultKind.UNREACHABLE,
    "database_unreachable",
    "Tether couldn't reach its own database, so the service wasn't asked.",
    Remedy.WAIT,
)
CONNECTION_GONE: Final = ServiceFault(
    FaultKind.REQUEST_REFUSED,
    "connection_deleted",
    "The connection was deleted before the command could be run.",
    Remedy.NONE,
)
ASKER_GONE: Final = ServiceFault(
    FaultKind.REQUEST_REFUSED,
    "asker_gone",
    "Whoever asked for this went away before it had begun, so the service wasn't asked.",
    Remedy.NONE,
)
ASKER_NOT_ALLOWED: Final = ServiceFault(
    FaultKind.REQUEST_REFUSED,
    "asker_not_allowed",
    "Whoever asked for this may no longer run it: their role or their API key was taken away before its turn came.",
    Remedy.CONTACT_ADMIN,
)
COMMAND_GONE: Final = ServiceFault(
    FaultKind.REQUEST_REFUSED,
    "command_unknown",
    "This server no longer has the command.",
    Remedy.CONTACT_ADMIN,
)
CREDENTIAL_ENDED: Final = ServiceFault(
    FaultKind.CREDENTIAL_REFUSED,
    "credential_ended",
    "The connection's credential has ended, so the service wasn't asked.",
    Remedy.RECONNECT,
)

SIGHT_LOST: Final = CommandRunError(
    FaultKind.SERVICE_ERROR,
    "outcome_unknown",
    "The process that called the service ended before it could tell what came of it. Look at the service before you "
    "run this again.",
    Remedy.NONE,
)
TRIED_OFTEN: Final = CommandRunError(
    FaultKind.SERVICE_ERROR,
    "given_up",
    "Every process that called the service for this ended before it could tell what came of it.",
    Remedy.CONTACT_ADMIN,
)


OWN_CODES: Final = frozenset(
    {
        *(NOT_IN_USE, SCOPE_MISSING, TIMED_OUT, BROKEN),
        *(each.code for each in (DATABASE_AWAY, CONNECTION_GONE, ASKER_GONE, ASKER_NOT_ALLOWED)),
        *(each.code for each in (COMMAND_GONE, CREDENTIAL_ENDED, CREDENTIAL_UNREADABLE)),
        *(each.code for each in (SIGHT_LOST, TRIED_OFTEN)),
    }
)
"""What `CommandRun.error` may be that isn't a service's."""


def error_of(fault: ServiceFault) -> CommandRunError:
    """What a run keeps of the fault that it ended with."""
    return CommandRunError(
        fault.kind, fault.code, fault.message, fault.remedy, fault.retry_after_seconds, fault.argument
    )


def refused(service_id: str, fault: ServiceFault) -> CommandFailure:
    """What to tell of a command that isn't run at all."""
    return _failure(service_id, error_of(fault), _code(error_of(fault)))


def failure_of(run: CommandRun) -> CommandFailure | InvalidInput | None:
    """What to tell beside a run that didn't succeed, also where it has ended before; None for the others."""
    if run.error is None:
        return None
    service_id = run.command.partition(".")[0]
    if run.status is CommandRunStatus.UNKNOWN:
        return _failure(service_id, run.error, OUTCOME_UNKNOWN)
    if run.error.argument is not None:
        return InvalidInput(run.error.message, ("input", "arguments", run.error.argument))
    return _failure(service_id, run.error, _code(run.error))


def _code(error: CommandRunError) -> str:
    if error.code == NOT_IN_USE:
        return "CONNECTION_NOT_IN_USE"
    return "SCOPE_MISSING" if error.kind is FaultKind.SCOPE_MISSING else FAILURE_CODE[error.kind]


def _failure(service_id: str, error: CommandRunError, code: str) -> CommandFailure:
    return CommandFailure(
        code=code,
        service=service_id,
        message=error.message,
        remedy=error.remedy,
        retry_after_seconds=error.retry_after_seconds,
    )
