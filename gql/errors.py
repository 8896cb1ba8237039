"""Errors as clients see them: the one place that turns every exception into a message, a code and the request's id.

Called by `gql/schema.py` for each result. What nobody meant to raise is logged with the request's id, and masked.
"""

import logging
from collections.abc import Mapping
from typing import Final

from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError

from domain.errors import (
    BadUserInput,
    CostLimitExceeded,
    CursorExpired,
    DomainError,
    Forbidden,
    InvalidInput,
    NotFound,
    PersistedQueryNotFound,
    PersistedQueryNotSupported,
    RateLimited,
    ServiceUnavailable,
    StatementLimitExceeded,
    TooMuchOpen,
    Unauthenticated,
)
from gql.value_errors import without_value

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
BAD_USER_INPUT = BadUserInput.code
INTERNAL = "INTERNAL_SERVER_ERROR"
RATE_LIMITED = "RATE_LIMITED"

NO_QUERY = "There is no query: the operation's text."
NO_SUCH_OPERATION = "operationName names no operation of this query."

_PUBLIC = (
    Unauthenticated,
    Forbidden,
    BadUserInput,
    PersistedQueryNotFound,
    PersistedQueryNotSupported,
    CostLimitExceeded,
    StatementLimitExceeded,
    CursorExpired,
    RateLimited,
    TooMuchOpen,
    ServiceUnavailable,
)
_LONGEST_MESSAGE: Final = 500
"""A name that nobody knows is repeated, however long it is."""
_log = logging.getLogger("tether.errors")


def public_error(error: GraphQLError, request_id: str, *, before_execution: bool) -> GraphQLError:
    """The error as the client may see it. `before_execution`: it came up while parsing or validating."""
    cause = _cause(error)
    if isinstance(cause, DomainError):
        code, message = _of_domain(cause)
    elif isinstance(cause, GraphQLSyntaxError):
        code, message = PARSE_FAILED, without_value(cause)
    elif isinstance(cause, CannotGetOperationTypeError):
        code, message = BAD_USER_INPUT, NO_SUCH_OPERATION
    elif isinstance(cause, MissingQueryError):
        code, message = BAD_USER_INPUT, NO_QUERY
    elif isinstance(cause, GraphQLError) and before_execution:
        code, message = VALIDATION_FAILED, cause.message
    elif isinstance(cause, GraphQLError):
        code, message = BAD_USER_INPUT, without_value(error)
    else:
        code, message = INTERNAL, ""
    if code == INTERNAL:
        _log.error("Request %s failed at %s", request_id, _place(error), exc_info=cause)
        message = masked(request_id)
    return GraphQLError(
        message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…",
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={"code": code, "requestId": request_id, **_details(cause)},
    )


def masked(request_id: str) -> str:
    """What is told of a failure that nobody meant."""
    return f"Something went wrong in Tether. Its operators find it in their logs by {request_id}."


def took_too_long(seconds: float) -> ServiceUnavailable:
    """An operation hasn't come to its end in time."""
    return ServiceUnavailable(f"This took longer than {seconds:.0f} s and was given up. Ask for less at once.")


def request_error(code: str, message: str, request_id: str) -> dict[str, object]:
    """An error of a request that never became an operation, in the same form."""
    return {"message": message, "extensions": {"code": code, "requestId": request_id}}


def _cause(error: GraphQLError) -> Exception:
    """The exception behind an error, which may be an error located several times."""
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _of_domain(error: DomainError) -> tuple[str, str]:
    if isinstance(error, _PUBLIC):
        return error.code, error.message
    if isinstance(error, InvalidInput):
        return BAD_USER_INPUT, error.message
    if isinstance(error, NotFound):
        return Forbidden.code, error.message
    return INTERNAL, ""


def _details(cause: Exception) -> Mapping[str, object]:
    return cause.details if isinstance(cause, _PUBLIC) else {}


def _place(error: GraphQLError) -> str:
    return ".".join(map(str, error.path)) if error.path else "no field"
