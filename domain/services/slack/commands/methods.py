"""SlackMethods: calls of Slack's Web API for this folder's commands, and what its refusals mean for them.

Slack names each refusal by a word. Those that answers.py doesn't know are of the one thing that was asked for.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json, Remedy
from domain.http import HttpAnswer
from domain.services.boundary import clean_url
from domain.services.commands import CommandResult
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack.answers import SERVICE_ID, classify, error_name
from domain.services.slack.web_api import WebApi


@dataclass(frozen=True, slots=True)
class Done:
    """An answer that says `ok`."""

    body: Mapping[str, Json]
    answer: HttpAnswer

    def result(self, data: Mapping[str, Json], url: str | None = None) -> CommandResult | ServiceFault:
        """The command's result; a fault where Slack hasn't told all of it, though it has done it."""
        if None in data.values():
            text = "Slack's answer isn't what its documentation describes."
            return unexpected_answer(SERVICE_ID, self.answer, text)
        return CommandResult(data, self.answer.latency_ms, url)


class SlackMethods:
    def __init__(self, api: WebApi, web_url: str, clock: Callable[[], datetime]) -> None:
        self._api = api
        self._web_url = web_url
        self._clock = clock

    async def call(
        self, method: str, secret: CredentialSecret, arguments: Mapping[str, str], *, fine: str | None = None
    ) -> Done | ServiceFault:
        """Call a method that changes something, once. `fine`: a refusal that says that it was so already."""
        answer = await self._api.call(method, secret, arguments, idempotent=False)
        if isinstance(answer, ServiceFault):
            return answer
        fault = classify(answer, self._clock())
        body = answer.json()
        if fault is not None and (fine is None or error_name(answer) != fine):
            return of_a_command(fault)
        return Done(body if isinstance(body, dict) else {}, answer)

    def link(self, channel: str, message: str | None) -> str | None:
        """Where people see a message."""
        return None if message is None else clean_url(f"{self._web_url}/archives/{channel}/p{message.replace('.', '')}")

    def channel_link(self, channel: str) -> str | None:
        """Where people see a channel."""
        return clean_url(f"{self._web_url}/archives/{channel}")


def message_time(value: Json) -> str | None:
    """A message's time, which is its name in its channel."""
    return value if isinstance(value, str) and _TIME.fullmatch(value) else None


def of_a_command(fault: ServiceFault) -> ServiceFault:
    """What a fault of Slack's means for a command."""
    named = None if fault.evidence is None else fault.evidence.get("error")
    error = named if isinstance(named, str) else fault.code.removeprefix("slack_")
    if fault.code == "slack_error" and error in _OWN_ERRORS:
        text = "Slack has failed in the middle of it, and doesn't say how far it came."
        return replace(fault, code=f"slack_{error}", message=text, may_have_happened=True)
    if fault.code not in _OF_THE_REQUEST:
        return fault
    unknown = (None, Remedy.NONE, "Slack doesn't do this as it was asked for.")
    known = unknown if fault.code == "slack_error" else (None, fault.remedy, fault.message)
    argument, remedy, message = _REFUSALS.get(error, known)
    return replace(
        fault,
        kind=FaultKind.REQUEST_REFUSED,
        code="slack_refused" if error == "error" else f"slack_{error}",
        message=message,
        remedy=remedy,
        argument=argument,
    )


_TIME: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")
_OWN_ERRORS: Final = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
_OF_THE_REQUEST: Final = {
    "slack_error",
    "slack_access_denied",
    "slack_enterprise_is_restricted",
    "slack_not_allowed_token_type",
}
"""The codes of faults that say nothing of the connection where they answer a command: `auth.test` has none of them."""
_NOBODY_MAY: Final = "The workspace's or the channel's rules don't let the app do that there."
_TOO_LONG: Final = ("text", Remedy.NONE, "The message is longer than Slack takes.")
_NO_MESSAGE: Final = "There is no such message in the channel, or it was deleted."
_RULE: Final = ("channel", Remedy.CONTACT_ADMIN, _NOBODY_MAY)
_REFUSALS: Final[Mapping[str, tuple[str | None, Remedy, str]]] = {
    "channel_not_found": ("channel", Remedy.NONE, "Slack has no such channel, or doesn't show it to the app."),
    "not_in_channel": (
        "channel",
        Remedy.NONE,
        "The app isn't in this channel. It joins a public one with slack.join_channel; to a private one somebody "
        "invites it.",
    ),
    "is_archived": ("channel", Remedy.NONE, "The channel is archived."),
    "method_not_supported_for_channel_type": ("channel", Remedy.NONE, "Conversations of this kind can't be joined."),
    "too_many_members": ("channel", Remedy.CONTACT_ADMIN, "The channel has as many members as Slack lets it have."),
    "external_channel_migrating": ("channel", Remedy.WAIT, "The channel is being moved by Slack."),
    "messages_tab_disabled": ("channel", Remedy.CONTACT_ADMIN, "The app takes no messages in its own conversation."),
    "invalid_cursor": (
        "after",
        Remedy.NONE,
        "Slack knows no such place in its list, or knows it no longer: begin anew.",
    ),
    "msg_too_long": _TOO_LONG,
    "msg_blocks_too_long": _TOO_LONG,
    "no_text": ("text", Remedy.NONE, "There is nothing in the message."),
    "message_limit_exceeded": (None, Remedy.CONTACT_ADMIN, "The workspace has no room for more messages."),
    "cannot_reply_to_message": ("thread", Remedy.NONE, "Messages of this kind have no threads."),
    "thread_not_found": ("thread", Remedy.NONE, _NO_MESSAGE),
    "message_not_found": ("message", Remedy.NONE, _NO_MESSAGE),
    "bad_timestamp": ("message", Remedy.NONE, _NO_MESSAGE),
    "invalid_name": ("emoji", Remedy.NONE, "The workspace has no emoji of that name."),
    "too_many_emoji": ("emoji", Remedy.NONE, "The message has as many different reactions as Slack lets it have."),
    "too_many_reactions": ("emoji", Remedy.NONE, "The app has reacted to the message as often as Slack lets it."),
    "not_reactable": ("message", Remedy.NONE, "Nobody can react to this."),
    "thread_locked": ("message", Remedy.NONE, "The thread is locked."),
    "restricted_action_thread_locked": ("thread", Remedy.NONE, "The thread is locked."),
    **dict.fromkeys(
        (
            "access_denied",
            "no_permission",
            "restricted_action",
            "restricted_action_non_threadable_channel",
            "restricted_action_read_only_channel",
            "restricted_action_thread_only_channel",
            "channel_is_limited_access",
        ),
        _RULE,
    ),
}
