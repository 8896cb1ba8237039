"""slack.reply_in_thread: answer a message where it was said, without disturbing the channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.fields import Flag
from domain.services.service_fault import ServiceFault
from domain.services.slack.commands.fields import CHANNEL, TARGET, TEXT, moment
from domain.services.slack.commands.methods import SlackMethods, message_time

THREAD: Final = moment("thread", "The time of the message that the thread begins with.")
BROADCAST: Final = Flag("broadcast", "Whether the channel is shown the reply, too.")
MESSAGE: Final = moment("message", "The reply's time, by which reactions name it.")


@dataclass(frozen=True, slots=True)
class ReplyInThread:
    methods: SlackMethods

    command = Command(
        id="slack.reply_in_thread",
        name="Reply in a thread",
        description="Answer a message in its thread in a Slack channel.",
        documentation_url="https://docs.slack.dev/reference/methods/chat.postMessage",
        takes=(CHANNEL, THREAD, TEXT, BROADCAST),
        gives=(MESSAGE,),
        mutating=True,
        repeatable=False,
        least_role=Role.MEMBER,
        required_scopes=("chat:write",),
        event_types=("app_mention", "message", "reaction_added"),
        target=TARGET,
        examples=({"channel": "C0ACME000", "thread": "1764145000.000100", "text": "On it."},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        """A message that isn't in a thread begins one."""
        if not self.command.suits(event):
            return {}
        return {"channel": event.get("channel"), "thread": event.get("thread") or event.get("subject")}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        channel = CHANNEL.read(arguments)
        done = await self.methods.call(
            "chat.postMessage",
            secret,
            {
                "channel": channel,
                "thread_ts": THREAD.read(arguments),
                "text": TEXT.read(arguments),
                "reply_broadcast": str(BROADCAST.read(arguments)).lower(),
            },
        )
        if isinstance(done, ServiceFault):
            return done
        message = message_time(done.body.get("ts"))
        return done.result({"message": message}, self.methods.link(channel, message))
