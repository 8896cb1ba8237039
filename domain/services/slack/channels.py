"""SlackChannels: the channels that a token sees, page by page, for the commands that name one.

Channels aren't repositories: nothing of them is kept.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.services.boundary import clean_text
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack.answers import SERVICE_ID, classify
from domain.services.slack.web_api import WebApi

PAGE_SIZE: Final = 200
"""Slack takes up to 1,000, recommends no more than this, and sends fewer where it likes."""
LARGEST_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that isn't archived. `id` never changes, the name does. `member`: whether the bot is in it."""

    id: str
    name: str
    url: str
    private: bool
    member: bool


@dataclass(frozen=True, slots=True)
class ChannelPage:
    """A page. `next` is where the following one is; None: this was the last. A page may be empty and not the last."""

    channels: tuple[Channel, ...]
    next: str | None
    latency_ms: int


class SlackChannels:
    """Public channels, and private ones where the token may see them."""

    def __init__(self, api: WebApi, web_url: str, clock: Callable[[], datetime]) -> None:
        self._api = api
        self._web_url = web_url
        self._clock = clock

    async def page(
        self, secret: CredentialSecret, at: str | None, *, size: int = PAGE_SIZE
    ) -> ChannelPage | ServiceFault:
        """The page at a place that an earlier one named as its next; None: the first."""
        if at is not None:
            types, _, cursor = at.partition(":")
            return await self._listed(secret, types, cursor, size)
        found = await self._listed(secret, _ALL, "", size)
        if isinstance(found, ServiceFault) and found.kind is FaultKind.SCOPE_MISSING:
            # Slack refuses the whole question where one of its types needs a scope that the token lacks.
            return await self._listed(secret, _PUBLIC, "", size)
        return found

    async def _listed(self, secret: CredentialSecret, types: str, cursor: str, size: int) -> ChannelPage | ServiceFault:
        arguments = {"types": types, "exclude_archived": "true", "limit": str(size), "cursor": cursor}
        answer = await self._api.call("conversations.list", secret, arguments, idempotent=True)
        if isinstance(answer, ServiceFault):
            return answer
        fault = classify(answer, self._clock())
        if fault is not None:
            return fault
        body = answer.json()
        page = read_page(body, types, self._web_url, answer.latency_ms) if isinstance(body, dict) else None
        if page is None:
            text = "Slack's answer isn't the list of channels that its documentation describes."
            return unexpected_answer(SERVICE_ID, answer, text)
        return page


def read_page(body: Mapping[str, Json], types: str, web_url: str, latency_ms: int = 0) -> ChannelPage | None:
    """A page of channels of these types; None where the answer can't be understood as a whole."""
    listed = body.get("channels")
    if not isinstance(listed, list):
        return None
    channels = tuple(channel for each in listed if (channel := _channel(each, web_url)) is not None)
    metadata = body.get("response_metadata")
    cursor = metadata.get("next_cursor") if isinstance(metadata, dict) else None
    if len(channels) != len(listed) or len(listed) > LARGEST_PAGE or not isinstance(cursor, str | None):
        return None
    if not cursor:
        return ChannelPage(channels, None, latency_ms)
    return ChannelPage(channels, f"{types}:{cursor}", latency_ms) if _CURSOR.fullmatch(cursor) else None


def _channel(body: Json, web_url: str) -> Channel | None:
    identifier = body.get("id") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(identifier, str) or not _ID.fullmatch(identifier):
        return None
    return Channel(
        identifier,
        clean_text(body.get("name")) or identifier,
        f"{web_url}/archives/{identifier}",
        private=body.get("is_private") is True,
        member=body.get("is_member") is True,
    )


_ID: Final = re.compile(r"[A-Za-z0-9]{1,64}")
_CURSOR: Final = re.compile(r"[\x21-\x7e]{1,1024}")
_PUBLIC: Final = "public_channel"
_ALL: Final = "public_channel,private_channel"
