"""What clients say by graphql-transport-ws: each message read and checked, or closed for. Used by the sockets.

A reason goes into a close frame, to whoever sent the message.
"""

from dataclasses import dataclass
from typing import Any, Final

from starlette.types import Message as Frame

from gql.http.graphql_request import GraphQLRequest, Refusal
from gql.http.strict_json import NotJson, UnfitJson, parse_json

PROTOCOL: Final = "graphql-transport-ws"
LONGEST_ID: Final = 255

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Closing(Exception):
    """The socket has to be closed, with one of the protocol's codes or of RFC 6455's."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionInit:
    payload: Payload


@dataclass(frozen=True, slots=True)
class Ping:
    payload: Payload | None


@dataclass(frozen=True, slots=True)
class Pong:
    """An answer to a ping, or a sign of life."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """An operation of any kind is to run, and its messages are to carry this id."""

    id: str
    asked: GraphQLRequest


@dataclass(frozen=True, slots=True)
class Complete:
    """No more is wanted of the operation with this id."""

    id: str


Message = ConnectionInit | Ping | Pong | Subscribe | Complete


def read_message(frame: Frame) -> Message:
    """What a frame says. Raises Closing, 4400, for what is no message of a client."""
    try:
        return _message(_content(frame))
    except Refusal as refused:
        raise Closing(4400, f"payload: {refused.message}") from None


def _content(frame: Frame) -> Payload:
    text = frame.get("text")
    if text is None:
        raise Closing(4400, "A message is text, not binary.")
    try:
        content = parse_json(text)
    except NotJson:
        raise Closing(4400, "A message is JSON in UTF-8.") from None
    except UnfitJson as unfit:
        raise Closing(4400, str(unfit)) from None
    if not isinstance(content, dict):
        raise Closing(4400, "A message is a JSON object.")
    return content


def _message(content: Payload) -> Message:
    match content.get("type"):
        case "connection_init":
            return ConnectionInit(_payload(content) or {})
        case "ping":
            return Ping(_payload(content))
        case "pong":
            _payload(content)
            return Pong()
        case "subscribe":
            id_, payload = _id(content), _payload(content)
            if payload is None:
                raise Closing(4400, "subscribe has a payload, the operation.")
            return Subscribe(id_, GraphQLRequest.of(payload))
        case "complete":
            return Complete(_id(content))
    raise Closing(4400, "type is connection_init, ping, pong, subscribe or complete.")


def _payload(content: Payload) -> Payload | None:
    payload = content.get("payload")
    if payload is None or isinstance(payload, dict):
        return payload
    raise Closing(4400, "payload is an object.")


def _id(content: Payload) -> str:
    id_ = content.get("id")
    if isinstance(id_, str) and 1 <= len(id_) <= LONGEST_ID:
        return id_
    raise Closing(4400, f"id is text of 1 to {LONGEST_ID} characters.")
