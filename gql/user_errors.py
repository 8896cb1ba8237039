"""UserError: what a caller can mend, told in the payload rather than as a failure of the operation.

`user_error_of` turns the domain's errors into these; what it doesn't know stays a top-level error.
"""

from collections.abc import Sequence
from enum import StrEnum

import strawberry

from domain import errors
from domain.entities.connection_status import ConnectionStatus
from domain.entities.health import Remedy
from gql.types.described import described


class UserErrorCode(StrEnum):
    """What a caller has to mend, for programs."""

    INVALID_INPUT = "INVALID_INPUT"
    NAME_TAKEN = "NAME_TAKEN"
    ALREADY_MEMBER = "ALREADY_MEMBER"
    LAST_OWNER = "LAST_OWNER"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    INVALID_TRANSITION = "INVALID_TRANSITION"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    NOT_FOUND = "NOT_FOUND"
    ACCOUNT_MISMATCH = "ACCOUNT_MISMATCH"
    CREDENTIAL_REFUSED = "CREDENTIAL_REFUSED"
    SERVICE_UNREACHABLE = "SERVICE_UNREACHABLE"
    SERVICE_RATE_LIMITED = "SERVICE_RATE_LIMITED"
    SERVICE_REFUSED = "SERVICE_REFUSED"
    CONNECTION_NOT_IN_USE = "CONNECTION_NOT_IN_USE"
    SCOPE_MISSING = "SCOPE_MISSING"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"


described(
    UserErrorCode,
    "A stable name for what went wrong.",
    {
        UserErrorCode.INVALID_INPUT: "The input can't be used as it is.",
        UserErrorCode.NAME_TAKEN: "Another one has that name or slug already.",
        UserErrorCode.ALREADY_MEMBER: "Whoever is invited belongs to the organization already.",
        UserErrorCode.LAST_OWNER: "An organization always has an owner, and this is the last one.",
        UserErrorCode.IDEMPOTENCY_KEY_REUSED: "The key was used before, with another input.",
        UserErrorCode.INVALID_TRANSITION: "The connection can't go from its status to that one.",
        UserErrorCode.VERSION_CONFLICT: "It was changed since the caller read it.",
        UserErrorCode.NOT_FOUND: "There is none, or none that the caller may see.",
        UserErrorCode.ACCOUNT_MISMATCH: "The credential belongs to another account.",
        UserErrorCode.CREDENTIAL_REFUSED: "The service doesn't accept the credential.",
        UserErrorCode.SERVICE_UNREACHABLE: "The service can't be reached, or answers with an error of its own.",
        UserErrorCode.SERVICE_RATE_LIMITED: "The service takes no more calls for now.",
        UserErrorCode.SERVICE_REFUSED: "The service refuses this very request, or has a rule against it, which an "
        "administrator there can change.",
        UserErrorCode.CONNECTION_NOT_IN_USE: "The connection isn't ACTIVE.",
        UserErrorCode.SCOPE_MISSING: "The connection's credential isn't allowed what it takes.",
        UserErrorCode.OUTCOME_UNKNOWN: "Nobody knows whether the command was done.",
    },
)


@strawberry.interface(description="Something that the caller can mend.")
class UserError:
    message: str = strawberry.field(description="What is wrong and what to do, for a person.")
    code: UserErrorCode = strawberry.field(description="What is wrong, for a program.")
    field: list[str] | None = strawberry.field(
        description='The way to it from the arguments, such as ["input", "name"].'
    )


@strawberry.type(description="The input can't be used.")
class InvalidInput(UserError):
    pass


@strawberry.type(description="The status machine has no such step.")
class InvalidTransition(UserError):
    from_: ConnectionStatus = strawberry.field(name="from", description="The connection's status.")
    to: ConnectionStatus = strawberry.field(description="The one that was asked for.")
    allowed: list[ConnectionStatus] = strawberry.field(description="Those that may be asked for.")


@strawberry.type(description="It was changed since the caller read it.")
class VersionConflict(UserError):
    current_version: int = strawberry.field(description="The version that it has now.")


@strawberry.type(description="There is none, or none that the caller may see.")
class NotFound(UserError):
    pass


@strawberry.type(description="The credential belongs to another account than the connection.")
class AccountMismatch(UserError):
    expected: str = strawberry.field(description="The connection's account.")
    actual: str = strawberry.field(description="The credential's.")


@strawberry.type(description="The outside service refused, failed or couldn't be reached. Nothing was changed.")
class ServiceFailure(UserError):
    service: strawberry.ID = strawberry.field(description="Which service, such as `github`.")
    remedy: Remedy = strawberry.field(description="What to do about it.")
    retry_after_seconds: int | None = strawberry.field(description="When it is worth trying again.")


@strawberry.type(
    description="A command can't be run through this connection now, wasn't done, or, where the code is "
    "OUTCOME_UNKNOWN, may have been done."
)
class CommandFailure(UserError):
    service: strawberry.ID = strawberry.field(description="Which service, such as `github`.")
    remedy: Remedy = strawberry.field(description="What to do about it.")
    retry_after_seconds: int | None = strawberry.field(description="When it is worth trying again.")


USER_ERRORS = (
    InvalidInput,
    InvalidTransition,
    VersionConflict,
    NotFound,
    AccountMismatch,
    ServiceFailure,
    CommandFailure,
)


def user_errors_of(errors_: Sequence[errors.DomainError]) -> list[UserError]:
    """The errors for the payload."""
    return [told for error in errors_ if (told := user_error_of(error)) is not None]


def user_error_of(error: errors.DomainError) -> UserError | None:
    """The error for the payload; None for one that isn't the caller's to mend there."""
    match error:
        case errors.InvalidInput():
            return InvalidInput(message=error.message, code=UserErrorCode(error.code), field=_path(error.field))
        case errors.NotFound():
            return NotFound(message=error.message, code=UserErrorCode.NOT_FOUND, field=_path(error.field))
        case errors.InvalidTransition():
            return InvalidTransition(
                message=error.message,
                code=UserErrorCode.INVALID_TRANSITION,
                field=["input", "status"],
                from_=error.current,
                to=error.wanted,
                allowed=list(error.allowed),
            )
        case errors.VersionConflict():
            return VersionConflict(
                message=error.message,
                code=UserErrorCode.VERSION_CONFLICT,
                field=["input", "expectedVersion"],
                current_version=error.current_version,
            )
        case errors.AccountMismatch():
            return AccountMismatch(
                message=error.message,
                code=UserErrorCode.ACCOUNT_MISMATCH,
                field=_path(error.field),
                expected=error.expected,
                actual=error.actual,
            )
        case errors.FailureAtService():
            told = CommandFailure if isinstance(error, errors.CommandFailure) else ServiceFailure
            return told(
                message=error.message,
                code=UserErrorCode(error.failure_code),
                field=_path(error.field),
                service=strawberry.ID(error.service),
                remedy=error.remedy,
                retry_after_seconds=error.retry_after_seconds,
            )
    return None


def _path(field: Sequence[str]) -> list[str] | None:
    return list(field) or None
