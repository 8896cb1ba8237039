"""slack.list_channels: the channels that the app sees, page by page, with the ids by which other commands name them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.field_lists import ObjectList
from domain.services.fields import Flag, Text
from domain.services.listing_fields import FIRST, NEXT
from domain.services.service_fault import ServiceFault
from domain.services.slack.channels import LARGEST_PAGE, SlackChannels
from domain.services.slack.commands.methods import of_a_command

AFTER: Final = Text(
    "after",
    "The place that an earlier page named as its next.",
    example="public_channel:dGVhbTpDMEFDTUUwMDI=",
    max_length=2048,
    pattern=r"(?:public_channel|public_channel,private_channel):[!-~]{1,1024}",
    form="what an earlier page named as its next",
)
CHANNELS: Final = ObjectList(
    "channels",
    "The channels of this page, without archived ones. A page may be empty and not the last.",
    (
        Text("id", "Its id, which never changes.", "C0ACME002", required=True),
        Text("name", "What it is called.", "deployments", required=True),
        Text(
            "url", "Where to look at it.", "https://acme.slack.com/archives/C0ACME002", required=True, max_length=2048
        ),
        Flag("private", "Whether only those who are invited see it.", required=True),
        Flag("member", "Whether the app is in it.", required=True),
    ),
    max_items=LARGEST_PAGE,
)


@dataclass(frozen=True, slots=True)
class ListChannels:
    channels: SlackChannels

    command = Command(
        id="slack.list_channels",
        name="List channels",
        description="See which Slack channels there are, which of them the app is in, and their ids.",
        documentation_url="https://docs.slack.dev/reference/methods/conversations.list",
        takes=(FIRST, AFTER),
        gives=(CHANNELS, NEXT),
        mutating=False,
        repeatable=True,
        least_role=Role.MEMBER,
        required_scopes=("channels:read",),
        event_types=("channel_created", "channel_rename"),
        examples=({}, {"first": 5}),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        return {}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        page = await self.channels.page(secret, AFTER.read(arguments) or None, size=FIRST.read(arguments))
        if isinstance(page, ServiceFault):
            return of_a_command(page)
        listed: list[Json] = [
            {"id": each.id, "name": each.name, "url": each.url, "private": each.private, "member": each.member}
            for each in page.channels
        ]
        following: dict[str, Json] = {} if page.next is None else {"next": page.next}
        return CommandResult({"channels": listed, **following}, page.latency_ms)
