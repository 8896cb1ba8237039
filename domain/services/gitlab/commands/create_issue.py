"""gitlab.create_issue: open an issue in a project."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.event_words import quoted_text, title_of
from domain.services.field_lists import TextList
from domain.services.fields import Text
from domain.services.gitlab.commands.fields import (
    LONGEST_TEXT,
    LONGEST_TITLE,
    PROJECT,
    TARGET,
    project_path,
    result_number,
    text,
    title,
)
from domain.services.gitlab.commands.rest import GitLabRest, whole_number
from domain.services.service_fault import ServiceFault

TITLE: Final = title("What the issue is called.")
DESCRIPTION: Final = text("description", "What is the matter, in Markdown.")
LABELS: Final = TextList(
    "labels",
    "Labels for it. GitLab makes those that the project doesn't have.",
    Text("label", "A label's name.", "bug", pattern="[^,]+", form="a label's name, in which there is no comma"),
    max_items=20,
)


@dataclass(frozen=True, slots=True)
class CreateIssue:
    rest: GitLabRest

    command = Command(
        id="gitlab.create_issue",
        name="Create an issue",
        description="Open an issue in a project on GitLab: report a bug, note a task, ask for a feature.",
        documentation_url="https://docs.gitlab.com/api/issues/#new-issue",
        takes=(PROJECT, TITLE, DESCRIPTION, LABELS),
        gives=(result_number("Its number in the project."),),
        mutating=True,
        repeatable=False,
        least_role=Role.MEMBER,
        required_scopes=("api",),
        event_types=("build", "note", "pipeline", "push", "release"),
        target=TARGET,
        examples=({"project": "acme/api", "title": "Uploads of more than 2 GB fail", "labels": ["bug"]},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        own = event.get("service") == self.command.service
        return {
            "project": event.get("repository") if own else None,
            "title": title_of(event, LONGEST_TITLE),
            "description": quoted_text(event, LONGEST_TEXT),
        }

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        wanted: dict[str, Json] = {
            "title": TITLE.read(arguments),
            "description": DESCRIPTION.read(arguments),
            "labels": ",".join(LABELS.read(arguments)),
        }
        given = {name: value for name, value in wanted.items() if value}
        found = await self.rest.post(secret, f"{project_path(arguments)}/issues", given)
        if isinstance(found, ServiceFault):
            return found
        return found.result(number=whole_number(found.body.get("iid")))
