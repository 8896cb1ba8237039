"""slack.join_channel: have the app enter a public channel, so that it may speak and listen there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.boundary import clean_text
from domain.services.commands import Command, CommandResult
from domain.services.fields import Flag, Text
from domain.services.service_fault import ServiceFault
from domain.services.slack.commands.fields import CHANNEL, TARGET
from domain.services.slack.commands.methods import SlackMethods

NAME: Final = Text("name", "What the channel is called.", "general", required=True)
JOINED: Final = Flag("joined", "Whether it is new: false where the app was in it already.", required=True)


@dataclass(frozen=True, slots=True)
class JoinChannel:
    methods: SlackMethods

    command = Command(
        id="slack.join_channel",
        name="Join a channel",
        description="Have the app enter a public Slack channel.",
        documentation_url="https://docs.slack.dev/reference/methods/conversations.join",
        takes=(CHANNEL,),
        gives=(NAME, JOINED),
        mutating=True,
        repeatable=True,
        least_role=Role.MEMBER,
        required_scopes=("channels:join",),
        event_types=("channel_created",),
        target=TARGET,
        examples=({"channel": "C0ACME002"},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        return {"channel": event.get("channel")} if self.command.suits(event) else {}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        channel = CHANNEL.read(arguments)
        done = await self.methods.call("conversations.join", secret, {"channel": channel})
        if isinstance(done, ServiceFault):
            return done
        told = done.body.get("channel")
        name = clean_text(told.get("name")) if isinstance(told, dict) else None
        return done.result(
            {"name": name, "joined": done.body.get("warning") != "already_in_channel"},
            self.methods.channel_link(channel),
        )
