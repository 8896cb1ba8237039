"""GraphQLRequest: what a client's HTTP body asks for, or why it can't be read. Used by the GraphQL view.

A request that is refused here never becomes an operation; each refusal has a status, a code and words for the client.
"""

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from gql.errors import BAD_USER_INPUT, NO_QUERY
from gql.http.request_body import read_body
from gql.limit_settings import Limits


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """A request that can't be read. `status` is HTTP's."""

    status: int
    message: str
    code: str = BAD_USER_INPUT


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The parameters of the GraphQL-over-HTTP specification."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None

    @classmethod
    async def read(cls, request: Request, limits: Limits) -> "GraphQLRequest":
        """Read it from a POST. Raises Refusal."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Refusal(415, "Send the operation as JSON, with the header Content-Type: application/json.")
        return cls.parse(await _body(request, limits.body_kilobytes))

    @classmethod
    def parse(cls, body: bytes) -> "GraphQLRequest":
        """Read it from a body. Raises Refusal."""
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Refusal(400, "The body is not JSON in UTF-8.") from None
        if not isinstance(content, dict):
            raise Refusal(400, 'The body is not a JSON object, such as {"query": "{ viewer { user { name } } }"}.')
        query = content.get("query")
        if not isinstance(query, str) or not query.strip():
            raise Refusal(400, NO_QUERY)
        variables, operation_name = content.get("variables"), content.get("operationName")
        if variables is not None and not isinstance(variables, dict):
            raise Refusal(400, "variables is an object, or null.")
        if operation_name is not None and not isinstance(operation_name, str):
            raise Refusal(400, "operationName is text, or null.")
        if not isinstance(content.get("extensions"), dict | None):
            raise Refusal(400, "extensions is an object, or null.")
        return cls(query, variables, operation_name or None)


async def _body(request: Request, most_kilobytes: int) -> bytes:
    try:
        body = await read_body(request, most_kilobytes * 1024)
    except ClientDisconnect:
        raise Refusal(400, "The body ended before it was complete.") from None
    if body is None:
        raise Refusal(413, f"The body is larger than {most_kilobytes} KiB.")
    return body
