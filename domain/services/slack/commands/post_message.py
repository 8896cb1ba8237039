"""slack.post_message: say something in a channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.event_words import summary_of
from domain.services.service_fault import ServiceFault
from domain.services.slack.commands.fields import CHANNEL, LONGEST_TEXT, TARGET, TEXT, escaped, moment
from domain.services.slack.commands.methods import SlackMethods, message_time

MESSAGE: Final = moment("message", "The message's time, by which reactions and threads name it.")


@dataclass(frozen=True, slots=True)
class PostMessage:
    methods: SlackMethods

    command = Command(
        id="slack.post_message",
        name="Post a message",
        description="Say something in a Slack channel: announce, notify, warn.",
        documentation_url="https://docs.slack.dev/reference/methods/chat.postMessage",
        takes=(CHANNEL, TEXT),
        gives=(MESSAGE,),
        mutating=True,
        repeatable=False,
        least_role=Role.MEMBER,
        required_scopes=("chat:write",),
        event_types=("app_mention", "channel_created", "member_joined_channel", "message"),
        target=TARGET,
        examples=({"channel": "C0ACME000", "text": "The deployment has begun."},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        if self.command.suits(event):
            return {"channel": event.get("channel")}
        return {} if event.get("service") == self.command.service else {"text": _news(event)}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        channel = CHANNEL.read(arguments)
        done = await self.methods.call("chat.postMessage", secret, {"channel": channel, "text": TEXT.read(arguments)})
        if isinstance(done, ServiceFault):
            return done
        message = message_time(done.body.get("ts"))
        return done.result({"message": message}, self.methods.link(channel, message))


def _news(event: Mapping[str, Json]) -> str:
    """What goes on at another service, in a message."""
    return escaped(summary_of(event))[:LONGEST_TEXT]
