"""The scalars DateTime, JSON and URL, and the Python types that stand for them. Used by the types and the schema."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NewType

import strawberry
from graphql import GraphQLError

from persistence.column_types import timestamp_text

URL = NewType("URL", str)
if TYPE_CHECKING:
    from domain.entities.health import Json

    JSON = Json
else:
    JSON = NewType("JSON", object)  # Strawberry finds a scalar by a type of its own


def parse_moment(value: object) -> datetime:
    """A moment from a client's text. Raises GraphQLError with words for the client."""
    if not isinstance(value, str):
        raise GraphQLError('A DateTime is text, such as "2026-09-25T00:59:03.120Z".')
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise GraphQLError('A DateTime is RFC 3339, such as "2026-09-25T00:59:03.120Z".') from None
    if moment.tzinfo is None:
        raise GraphQLError('A DateTime names its zone, such as the Z in "2026-09-25T00:59:03.120Z".')
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise GraphQLError("A DateTime lies between the years 1 and 9999 in UTC.") from None


def _as_is(value: Any) -> Any:
    return value


SCALARS: dict[object, Any] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description='A moment, RFC 3339 in UTC with microseconds, such as "2026-09-25T00:59:03.12+00:00".',
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc3339",
        serialize=timestamp_text,
        parse_value=parse_moment,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description='Any JSON value, such as {"team": "platform"}.',
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc8259",
        serialize=_as_is,
        parse_value=_as_is,
    ),
    URL: strawberry.scalar(
        name="URL",
        description='An absolute address, such as "https://github.com/acme".',
        specified_by_url="https://datatracker.ietf.org/doc/html/rfc3986",
        serialize=_as_is,
        parse_value=_as_is,
    ),
}
"""For `StrawberryConfig.scalar_map`."""
