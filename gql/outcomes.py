"""What came of a mutation: its payload, or what the caller has to mend. Used by every mutation."""

from collections.abc import Awaitable
from typing import TypeVar

from domain.errors import DomainError
from gql.payloads import Payload
from gql.user_errors import user_error_of

Outcome = TypeVar("Outcome", bound=Payload)


async def outcome(payload: type[Outcome], work: Awaitable[Outcome]) -> Outcome:
    """What came of the work, or what the caller has to mend. Other errors go on, to become the operation's."""
    try:
        return await work
    except DomainError as error:
        user_error = user_error_of(error)
        if user_error is None:
            raise
        return payload(user_errors=[user_error])
