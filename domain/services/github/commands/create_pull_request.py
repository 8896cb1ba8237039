"""github.create_pull_request: ask for a branch to be merged into another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.fields import Flag, Text, WholeNumber
from domain.services.github.commands.fields import (
    GIT_NAME,
    REPOSITORY,
    TARGET,
    body,
    branch,
    repository_path,
    title,
)
from domain.services.github.commands.rest import GitHubRest, whole_number
from domain.services.service_fault import ServiceFault

TITLE: Final = title("What the pull request is called.")
HEAD: Final = Text(
    "head",
    "The branch with the changes; of a fork with its owner before it, as in octocat:fix-uploads.",
    example="fix-uploads",
    required=True,
    pattern=rf"(?:[A-Za-z0-9_-]{{1,100}}:)?{GIT_NAME}",
    form="the name of a branch, for a fork's after its owner and a colon",
)
BASE: Final = branch("base", "The branch that shall have them.", required=True)
BODY: Final = body("What it changes and why, in Markdown.")
DRAFT: Final = Flag("draft", "Whether it isn't ready for review yet.")
PULL_NUMBER: Final = WholeNumber("number", "Its number in the repository.", 1, (1 << 53) - 1, required=True, example=13)


@dataclass(frozen=True, slots=True)
class CreatePullRequest:
    rest: GitHubRest

    command = Command(
        id="github.create_pull_request",
        name="Create a pull request",
        description="Ask for the changes of a branch to be merged into another one, in a repository on GitHub.",
        documentation_url="https://docs.github.com/rest/pulls/pulls#create-a-pull-request",
        takes=(REPOSITORY, TITLE, HEAD, BASE, BODY, DRAFT),
        gives=(PULL_NUMBER,),
        mutating=True,
        repeatable=False,  # a second one is refused while the first is open, and made once that is closed
        least_role=Role.MEMBER,
        required_scopes=("public_repo",),
        required_permissions=("pull_requests:write",),
        event_types=("create", "push"),
        target=TARGET,
        examples=({"repository": "acme/api", "title": "Take uploads in parts", "head": "fix-uploads", "base": "main"},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        if not self.command.suits(event):
            return {}
        return {"repository": event.get("repository"), "head": event.get("subject")}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        text = BODY.read(arguments)
        wanted: dict[str, Json] = {
            "title": TITLE.read(arguments),
            "head": HEAD.read(arguments),
            "base": BASE.read(arguments),
            "draft": DRAFT.read(arguments),
            **({"body": text} if text else {}),
        }
        found = await self.rest.post(secret, f"{repository_path(arguments)}/pulls", wanted)
        if isinstance(found, ServiceFault):
            return found
        return found.result(number=whole_number(found.body.get("number")))
