"""GraphQLRequest: what a client asks for, in a JSON body or an address, or why it can't be read. Used by the view.

A request that is refused here never becomes an operation; each refusal has a status, a code and words for the client.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from domain.errors import BadUserInput
from gql.asked_document import AskedDocument, asked_query
from gql.errors import BAD_USER_INPUT, NO_QUERY
from gql.http.request_body import read_body
from gql.http.strict_json import NotJson, UnfitJson, parse_json
from gql.limit_settings import Limits


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """A request that can't be read. `status` is HTTP's. `noted`: whether the log has a line of it already."""

    status: int
    message: str
    code: str = BAD_USER_INPUT
    headers: Mapping[str, str] = field(default_factory=dict)
    noted: bool = False


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The parameters of the GraphQL-over-HTTP specification. `query` may be an AskedDocument."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None

    @classmethod
    async def read(cls, request: Request, limits: Limits) -> "GraphQLRequest":
        """Read it from a POST. Raises Refusal."""
        _require_json(request)
        return cls.parse(await _body(request, limits))

    @classmethod
    def of_address(cls, request: Request) -> "GraphQLRequest":
        """Read it from a GET, whose address holds `variables` and `extensions` as JSON. Raises Refusal."""
        given = request.query_params.multi_items()
        if len(given) != len(request.query_params):
            raise Refusal(400, "The address says something twice.")
        content: dict[str, Any] = dict(given)
        for name in ("variables", "extensions"):
            if name in content:
                content[name] = _read_json(content[name].encode(), f"{name} is no JSON.")
        return cls._filled(content)

    @classmethod
    def parse(cls, body: bytes) -> "GraphQLRequest":
        """Read it from a body. Raises Refusal."""
        content = _read_json(body, "The body is not JSON in UTF-8.")
        if isinstance(content, list):
            raise Refusal(400, "The body is a list. Operations aren't taken in batches: send each one by itself.")
        if not isinstance(content, dict):
            raise Refusal(400, 'The body is not a JSON object, such as {"query": "{ viewer { user { name } } }"}.')
        return cls._filled(content)

    @classmethod
    def _filled(cls, content: Mapping[str, Any]) -> "GraphQLRequest":
        asked = cls.of(content)
        if not asked.query.strip() and not isinstance(asked.query, AskedDocument):
            raise Refusal(400, NO_QUERY)
        return asked

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "GraphQLRequest":
        """Read it from what was parsed already, such as the payload of a socket's message. Raises Refusal."""
        try:
            query = asked_query(content)
        except BadUserInput as refused:
            raise Refusal(400, refused.message) from None
        variables, operation_name = content.get("variables"), content.get("operationName")
        if variables is not None and not isinstance(variables, dict):
            raise Refusal(400, "variables is an object, or null.")
        if operation_name is not None and not isinstance(operation_name, str):
            raise Refusal(400, "operationName is text, or null.")
        if not isinstance(content.get("extensions"), dict | None):
            raise Refusal(400, "extensions is an object, or null.")
        return cls(query, variables, operation_name or None)


def _require_json(request: Request) -> None:
    """Whether the headers say that the body is JSON as it is written here. Raises Refusal."""
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() != "application/json":
        raise Refusal(
            415, "Send the operation as JSON, with the header Content-Type: application/json.", headers=_TAKEN
        )
    for parameter in parameters.lower().split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in {"utf-8", "utf8"}:
            raise Refusal(415, "Send JSON in UTF-8; no other charset is read.", headers=_TAKEN)
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise Refusal(415, "Send the body as it is: none that is compressed is read.", headers=_UNCOMPRESSED)


async def _body(request: Request, limits: Limits) -> bytes:
    seconds = limits.request_seconds
    try:
        async with asyncio.timeout(seconds):
            body = await read_body(request, limits.body_kilobytes * 1024)
    except ClientDisconnect:
        raise Refusal(400, "The body ended before it was complete.") from None
    except TimeoutError:
        raise Refusal(408, f"The body didn't arrive completely within {seconds} s.", headers=_NO_MORE) from None
    if body is None:
        raise Refusal(413, f"The body is larger than {limits.body_kilobytes} KiB.")
    return body


def _read_json(text: bytes, refusal: str) -> Any:
    """Its value. Raises Refusal."""
    try:
        return parse_json(text)
    except NotJson:
        raise Refusal(400, refusal) from None
    except UnfitJson as unfit:
        raise Refusal(400, str(unfit)) from None


_NO_MORE: Final = {"Connection": "close"}  # so that nobody waits for the rest
_TAKEN: Final = {"Accept-Post": "application/json; charset=utf-8"}
_UNCOMPRESSED: Final = {"Accept-Encoding": "identity"}
