"""github.create_issue: open an issue in a repository."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.event_words import quoted_text, title_of
from domain.services.field_lists import TextList
from domain.services.fields import Text, WholeNumber
from domain.services.github.commands.fields import LONGEST_BODY, REPOSITORY, TARGET, body, repository_path, title
from domain.services.github.commands.rest import GitHubRest, whole_number
from domain.services.service_fault import ServiceFault

TITLE: Final = title("What the issue is called.")
BODY: Final = body("What is the matter, in Markdown.")
LABELS: Final = TextList(
    "labels",
    "Labels for it. GitHub leaves them out where the account may not set any.",
    Text("label", "A label's name.", "bug", max_length=50),
    max_items=20,
)
ASSIGNEES: Final = TextList(
    "assignees",
    "Logins of those who shall see to it. GitHub leaves out who can't be assigned.",
    Text("assignee", "A login.", "octocat", pattern=r"[A-Za-z0-9_\[\]-]{1,60}", form="a login at GitHub"),
    max_items=10,
)
ISSUE_NUMBER: Final = WholeNumber(
    "number", "Its number in the repository.", 1, (1 << 53) - 1, required=True, example=12
)


@dataclass(frozen=True, slots=True)
class CreateIssue:
    rest: GitHubRest

    command = Command(
        id="github.create_issue",
        name="Create an issue",
        description="Open an issue in a repository on GitHub: report a bug, note a task, ask for a feature.",
        documentation_url="https://docs.github.com/rest/issues/issues#create-an-issue",
        takes=(REPOSITORY, TITLE, BODY, LABELS, ASSIGNEES),
        gives=(ISSUE_NUMBER,),
        mutating=True,
        repeatable=False,
        least_role=Role.MEMBER,
        required_scopes=("public_repo",),
        required_permissions=("issues:write",),
        event_types=("check_run", "check_suite", "discussion", "issue_comment", "push", "release", "workflow_run"),
        target=TARGET,
        examples=({"repository": "acme/api", "title": "Uploads of more than 2 GB fail", "labels": ["bug"]},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        own = event.get("service") == self.command.service
        return {
            "repository": event.get("repository") if own else None,
            "title": title_of(event, TITLE.max_length),
            "body": quoted_text(event, LONGEST_BODY),
        }

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        wanted: dict[str, Json] = {
            "title": TITLE.read(arguments),
            "body": BODY.read(arguments),
            "labels": list[Json](LABELS.read(arguments)),
            "assignees": list[Json](ASSIGNEES.read(arguments)),
        }
        given = {name: value for name, value in wanted.items() if value}
        found = await self.rest.post(secret, f"{repository_path(arguments)}/issues", given)
        if isinstance(found, ServiceFault):
            return found
        return found.result(number=whole_number(found.body.get("number")))
