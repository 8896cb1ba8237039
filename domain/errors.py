"""Every error that Tether raises on purpose: one tree, each with a stable code and words for people.

Raised by entities, managers and repositories; `gql/errors.py` turns each into what the contract says. A message
never holds a secret, a statement or a path of the server.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from domain.entities.connection_status import ConnectionStatus
    from domain.entities.health import Remedy
    from domain.entities.user import Role


class DomainError(Exception):
    """The root. `code` is stable: clients and operators may rely on it; `message` is for people and may improve."""

    code: ClassVar[str]
    details: Mapping[str, object] = MappingProxyType({})
    """What programs are told besides, where it is an error of an operation: in its `extensions`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class PersistedQueryNotFound(DomainError):
    """No document is known by the id that was sent. Clients look for the code, and may send the text then."""

    code = "PERSISTED_QUERY_NOT_FOUND"


class PersistedQueryNotSupported(DomainError):
    """Documents have no ids here. Clients look for the code, and send texts from then on."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"


class InvalidInput(DomainError):
    """The caller's input can't be used. `field` is the path to it, such as ("input", "settings", "requiredScopes")."""

    code = "INVALID_INPUT"

    def __init__(self, message: str, field: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.field = tuple(field)


class NameTaken(InvalidInput):
    """Another connection or organization carries that name (or slug) already."""

    code = "NAME_TAKEN"


class IdempotencyKeyReused(InvalidInput):
    """The idempotency key was used before, with another input."""

    code = "IDEMPOTENCY_KEY_REUSED"


class AlreadyMember(InvalidInput):
    """Whoever is invited belongs to the organization already."""

    code = "ALREADY_MEMBER"


class LastOwner(InvalidInput):
    """An organization always has an owner, and this is the last one."""

    code = "LAST_OWNER"


class NotFound(DomainError):
    """What the id names doesn't exist, or isn't the caller's to see: the two are never told apart."""

    code = "NOT_FOUND"

    def __init__(self, message: str, field: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.field = tuple(field)

    @classmethod
    def organization(cls) -> Self:
        return cls("There is no organization with this id.", ("input", "organizationId"))

    @classmethod
    def connection(cls) -> Self:
        return cls("There is no connection with this id.", ("input", "connectionId"))

    @classmethod
    def repository(cls) -> Self:
        return cls("There is no repository with this id.", ("input", "repositoryId"))

    @classmethod
    def member(cls) -> Self:
        return cls("There is no member with this id.", ("input", "userId"))

    @classmethod
    def invitation(cls) -> Self:
        return cls("There is no invitation with this id.", ("input", "invitationId"))

    @classmethod
    def api_key(cls) -> Self:
        return cls("There is no API key with this id.", ("input", "apiKeyId"))


class InvalidTransition(DomainError):
    """The status machine has no such step for this cause. `allowed` is where a person may go from here."""

    code = "INVALID_TRANSITION"

    def __init__(
        self,
        current: "ConnectionStatus",
        wanted: "ConnectionStatus",
        allowed: Sequence["ConnectionStatus"],
        message: str,
    ) -> None:
        super().__init__(message)
        self.current = current
        self.wanted = wanted
        self.allowed = tuple(allowed)


class VersionConflict(DomainError):
    """Someone else changed the object first. `current_version` is the one to read and to decide anew on."""

    code = "VERSION_CONFLICT"

    def __init__(self, current_version: int) -> None:
        super().__init__(
            f"It was changed meanwhile and is now at version {current_version}. Read it again, then decide."
        )
        self.current_version = current_version


class AccountMismatch(DomainError):
    """The new credential belongs to another account at the service than the connection's."""

    code = "ACCOUNT_MISMATCH"

    def __init__(self, expected: str, actual: str, field: Sequence[str] = ("input", "credential")) -> None:
        super().__init__(
            f"This credential belongs to {actual}, but the connection is {expected}'s. "
            f"Use a credential of {expected}, or create another connection."
        )
        self.expected = expected
        self.actual = actual
        self.field = tuple(field)


class FailureAtService(DomainError):
    """What was wanted of a service wasn't done, as far as is known. `failure_code` is the instance's own code."""

    code = "FAILURE_AT_SERVICE"

    def __init__(
        self,
        *,
        code: str,
        service: str,
        message: str,
        remedy: "Remedy",
        retry_after_seconds: int | None = None,
        field: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.failure_code = code
        self.service = service
        self.remedy = remedy
        self.retry_after_seconds = retry_after_seconds
        self.field = tuple(field)


class ServiceFailure(FailureAtService):
    """The outside service refused, failed or couldn't be reached, so that nothing was changed.

    `code` is the instance's: CREDENTIAL_REFUSED, SERVICE_UNREACHABLE, SERVICE_RATE_LIMITED or SERVICE_REFUSED.
    """

    code = "SERVICE_FAILURE"


class InvalidArguments(InvalidInput):
    """A command's arguments aren't what it takes. `problems`: each thing that is wrong, with the path to it."""

    def __init__(self, problems: Sequence[InvalidInput]) -> None:
        super().__init__(problems[0].message, problems[0].field)
        self.problems = tuple(problems)


class CommandFailure(FailureAtService):
    """A command can't be run now, wasn't done, or nobody knows whether it was. `code` is the instance's."""

    code = "COMMAND_FAILURE"


class Unauthenticated(DomainError):
    """Nobody is asking: no token, or one that isn't, or is no longer, a key of this server."""

    code = "UNAUTHENTICATED"


class Forbidden(DomainError):
    """The viewer is known, and a member, but their role doesn't reach."""

    code = "FORBIDDEN"

    @classmethod
    def for_role(cls, needed: "Role", acting: "Role") -> Self:
        return cls(f"This takes the role {needed} in the organization; you act in it as {acting}.")


class BadUserInput(DomainError):
    """An argument of a read can't be used: a page size, a cursor, a filter."""

    code = "BAD_USER_INPUT"


class CostLimitExceeded(DomainError):
    """An operation could take more than is done at once. `dearest`: the field that most of it is for, and how much."""

    code = "COST_LIMIT_EXCEEDED"

    def __init__(self, cost: int, limit: int, dearest: tuple[str, int]) -> None:
        field, part = dearest
        super().__init__(
            f"This operation costs {cost:,} points; {limit:,} are the most, and {part:,} are for {field[:200]}. "
            "Ask for smaller pages, or for less of each item."
        )
        self.details = {"cost": cost, "limit": limit}


class StatementLimitExceeded(DomainError):
    """An operation takes more statements of the database than it may."""

    code = "COST_LIMIT_EXCEEDED"

    def __init__(self, limit: int) -> None:
        super().__init__(f"This operation takes more than {limit:,} statements of the database. Ask for less at once.")
        self.details = {"limit": limit}


class RateLimited(DomainError):
    """Whoever asks has spent what they may for now."""

    code = "RATE_LIMITED"

    def __init__(self, cost: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"This operation costs {cost:,} points, more than you have left. Try again in {retry_after_seconds} s; "
            "`rateLimit` tells what you have, and costs nothing."
        )
        self.retry_after_seconds = retry_after_seconds
        self.details = {"retryAfterSeconds": retry_after_seconds}


class TooMuchOpen(DomainError):
    """Some of what is open has to end before more can begin. `message` says how much there may be."""

    code = "RATE_LIMITED"


class CursorExpired(DomainError):
    """The feed no longer goes back to this cursor. Read the state anew, then follow from `Organization.eventCursor`."""

    code = "CURSOR_EXPIRED"

    def __init__(self, oldest_kept: datetime | None = None) -> None:
        super().__init__(
            "The event feed no longer reaches back to this cursor. "
            "Read the current state with its eventCursor, and subscribe after that."
        )
        self.oldest_kept = oldest_kept


class ServiceUnavailable(DomainError):
    """Tether itself can't answer now: its database is gone or all its connections are in use."""

    code = "SERVICE_UNAVAILABLE"

    def __init__(self, message: str = "Tether can't reach its database. Try again in a few seconds.") -> None:
        super().__init__(message)


class LeaseLost(DomainError):
    """What was to be written was leased to somebody else meanwhile, who writes it now. Nothing was changed."""

    code = "LEASE_LOST"

    def __init__(self) -> None:
        super().__init__("Another process has taken this over. Nothing was changed here.")


class CredentialUnreadable(DomainError):
    """A sealed credential doesn't open: tampered with, moved to another row, or sealed by a key not in the ring."""

    code = "CREDENTIAL_UNREADABLE"


class EncryptionKeyMismatch(DomainError):
    """The operator's encryption key isn't the one that this database's data keys were wrapped with."""

    code = "ENCRYPTION_KEY_MISMATCH"
