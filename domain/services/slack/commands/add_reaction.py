"""slack.add_reaction: put an emoji below a message. One that the app has put there already is well there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.fields import Flag, Text
from domain.services.service_fault import ServiceFault
from domain.services.slack.commands.fields import CHANNEL, TARGET, moment
from domain.services.slack.commands.methods import SlackMethods

MESSAGE: Final = moment("message", "The message's time.")
EMOJI: Final = Text(
    "emoji",
    "The emoji's name.",
    example="white_check_mark",
    required=True,
    max_length=120,
    pattern=r"[^\s:]+(?:::skin-tone-[2-6])?",
    form="an emoji's name without the colons around it",
)
ADDED: Final = Flag("added", "Whether it is new: false where the app had reacted so already.", required=True)


@dataclass(frozen=True, slots=True)
class AddReaction:
    methods: SlackMethods

    command = Command(
        id="slack.add_reaction",
        name="Add a reaction",
        description="React to a message in a Slack channel with an emoji: seen, done, approved.",
        documentation_url="https://docs.slack.dev/reference/methods/reactions.add",
        takes=(CHANNEL, MESSAGE, EMOJI),
        gives=(ADDED,),
        mutating=True,
        repeatable=True,
        least_role=Role.MEMBER,
        required_scopes=("reactions:write",),
        event_types=("app_mention", "message", "reaction_added"),
        target=TARGET,
        examples=({"channel": "C0ACME000", "message": "1764145000.000100", "emoji": "eyes"},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        if not self.command.suits(event):
            return {}
        return {"channel": event.get("channel"), "message": event.get("subject")}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        channel, message = CHANNEL.read(arguments), MESSAGE.read(arguments)
        wanted = {"channel": channel, "timestamp": message, "name": EMOJI.read(arguments)}
        done = await self.methods.call("reactions.add", secret, wanted, fine="already_reacted")
        if isinstance(done, ServiceFault):
            return done
        return done.result({"added": done.body.get("ok") is True}, self.methods.link(channel, message))
