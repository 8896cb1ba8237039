"""What an operation is answered with over HTTP: its body, the status that fits its errors, and headers that go with it.

Used by the GraphQL view, for answers in JSON, and by streams for each of their results.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import orjson
from starlette.responses import Response
from strawberry.types.execution import ExecutionResult, PreExecutionError

from domain.errors import DomainError, Forbidden, ServiceUnavailable, Unauthenticated
from gql.errors import INTERNAL, RATE_LIMITED, request_error
from gql.http.accepted_media import JSON, RESPONSE_JSON, AcceptedMedia
from gql.http.graphql_request import Refusal
from gql.http.stream_framing import FRAMINGS, StreamFraming


@dataclass(frozen=True, slots=True)
class Failure:
    """How HTTP says that an operation wasn't run because of an error with some code."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


FAILURES: Final[Mapping[str, Failure]] = {
    Unauthenticated.code: Failure(401, {"WWW-Authenticate": "Bearer"}),
    Forbidden.code: Failure(403),
    RATE_LIMITED: Failure(429, {"Retry-After": "5"}),
    ServiceUnavailable.code: Failure(503, {"Retry-After": "5"}),
    INTERNAL: Failure(500),
}
"""By the code of the first error; every other one is the client's to mend, 400.

An error whose extensions have `retryAfterSeconds` says so in Retry-After, too.
"""
_BAD_REQUEST: Final = Failure(400)


def body_of(result: ExecutionResult) -> dict[str, Any]:
    """The response of the GraphQL specification: without `data` where the operation wasn't run."""
    body: dict[str, Any] = {} if was_not_run(result) else {"data": result.data}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def was_not_run(result: ExecutionResult) -> bool:
    """Whether the errors are of the request, such as of its variables, rather than of a field."""
    return isinstance(result, PreExecutionError) or (
        result.data is None and all(error.path is None for error in result.errors or ())
    )


def answer(result: ExecutionResult, accepted: AcceptedMedia) -> Response:
    """An operation that was run, or that the schema refused: in JSON, or as a stream for a client of those alone."""
    body, not_run = body_of(result), was_not_run(result)
    if accepted.json is None and accepted.stream is not None:
        failure, _ = failure_of(body["errors"]) if not_run else (_BAD_REQUEST, {})
        if failure is _BAD_REQUEST:  # the client's mistakes are told in the stream, where they can be read
            return _whole_stream(body, FRAMINGS[accepted.stream])
        return _not_run(body, RESPONSE_JSON)
    media_type = accepted.json or JSON
    return _not_run(body, media_type) if not_run else _json(body, media_type, 200)


def failed(error: DomainError, request_id: str, media_type: str) -> Response:
    """An operation that wasn't run."""
    return _not_run({"errors": [request_error(error.code, error.message, request_id)]}, media_type)


def refused(refusal: Refusal, request_id: str, media_type: str) -> Response:
    """A request that never became an operation."""
    body = {"errors": [request_error(refusal.code, refusal.message, request_id)]}
    return _json(body, media_type, refusal.status, refusal.headers)


def _json(
    body: Mapping[str, Any], media_type: str, status: int, headers: Mapping[str, str] = MappingProxyType({})
) -> Response:
    given = {"Content-Type": f"{media_type}; charset=utf-8", "Vary": "Accept", **headers}
    return Response(orjson.dumps(body), status, given)


def _whole_stream(body: Mapping[str, Any], framing: StreamFraming) -> Response:
    text = framing.begin() + framing.result(body) + framing.complete()
    return Response(text, headers={"Content-Type": framing.content_type, "Vary": "Accept"})


def _not_run(body: Mapping[str, Any], media_type: str) -> Response:
    """application/json means 200 to its clients, who couldn't tell our 4xx from a proxy's."""
    failure, headers = failure_of(body["errors"])
    if media_type == RESPONSE_JSON:
        return _json(body, media_type, failure.status, headers)
    return _json(body, media_type, 200, {name: text for name, text in headers.items() if name == "Retry-After"})


def failure_of(errors: Sequence[Mapping[str, Any]]) -> tuple[Failure, Mapping[str, str]]:
    """The failure of which formatted errors tell, and all its headers."""
    extensions = errors[0].get("extensions", {}) if errors else {}
    failure = FAILURES.get(extensions.get("code", ""), _BAD_REQUEST)
    seconds = extensions.get("retryAfterSeconds")
    return failure, failure.headers if seconds is None else {**failure.headers, "Retry-After": str(seconds)}
