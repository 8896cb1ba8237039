"""gitlab.create_merge_request: ask for a branch to be merged into another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.fields import Flag
from domain.services.gitlab.commands.fields import (
    LONGEST_TITLE,
    PROJECT,
    TARGET,
    branch,
    project_path,
    result_number,
    text,
    title,
)
from domain.services.gitlab.commands.rest import GitLabRest, whole_number
from domain.services.service_fault import ServiceFault

_DRAFT_PREFIX: Final = "Draft: "
TITLE: Final = title("What the merge request is called.", max_length=LONGEST_TITLE - len(_DRAFT_PREFIX))
SOURCE: Final = branch("sourceBranch", "The branch with the changes.", required=True, example="fix-uploads")
INTO: Final = branch("targetBranch", "The branch that shall have them.", required=True)
DESCRIPTION: Final = text("description", "What it changes and why, in Markdown.")
DRAFT: Final = Flag("draft", "Whether it isn't ready for review yet: its title then says so.")


@dataclass(frozen=True, slots=True)
class CreateMergeRequest:
    rest: GitLabRest

    command = Command(
        id="gitlab.create_merge_request",
        name="Create a merge request",
        description="Ask for the changes of a branch to be merged into another one, in a project on GitLab.",
        documentation_url="https://docs.gitlab.com/api/merge_requests/#create-mr",
        takes=(PROJECT, TITLE, SOURCE, INTO, DESCRIPTION, DRAFT),
        gives=(result_number("Its number in the project."),),
        mutating=True,
        repeatable=False,  # a second one is refused while the first is open, and made once that is closed
        least_role=Role.MEMBER,
        required_scopes=("api",),
        event_types=("push",),
        target=TARGET,
        examples=(
            {
                "project": "acme/api",
                "title": "Take uploads in parts",
                "sourceBranch": "fix-uploads",
                "targetBranch": "main",
            },
        ),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        if not self.command.suits(event):
            return {}
        return {"project": event.get("repository"), "sourceBranch": event.get("subject")}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        prefix = _DRAFT_PREFIX if DRAFT.read(arguments) else ""
        wanted: dict[str, Json] = {
            "title": f"{prefix}{TITLE.read(arguments)}",
            "source_branch": SOURCE.read(arguments),
            "target_branch": INTO.read(arguments),
            "description": DESCRIPTION.read(arguments),
        }
        found = await self.rest.post(secret, f"{project_path(arguments)}/merge_requests", wanted)
        if isinstance(found, ServiceFault):
            return found
        return found.result(number=whole_number(found.body.get("iid")))
