"""github.comment: say something below an issue or a pull request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.fields import WholeNumber
from domain.services.github.commands.fields import NUMBER, REPOSITORY, TARGET, body, numbered, repository_path
from domain.services.github.commands.rest import GitHubRest, whole_number
from domain.services.service_fault import ServiceFault

BODY: Final = body("What to say, in Markdown.", required=True)
COMMENT_ID: Final = WholeNumber("commentId", "The comment's id.", 1, (1 << 53) - 1, required=True, example=2146011001)


@dataclass(frozen=True, slots=True)
class Comment:
    rest: GitHubRest

    command = Command(
        id="github.comment",
        name="Comment on an issue or pull request",
        description="Answer in the conversation of an issue or a pull request on GitHub.",
        documentation_url="https://docs.github.com/rest/issues/comments#create-an-issue-comment",
        takes=(REPOSITORY, NUMBER, BODY),
        gives=(COMMENT_ID,),
        mutating=True,
        repeatable=False,
        least_role=Role.MEMBER,
        required_scopes=("public_repo",),
        required_permissions=("issues:write", "pull_requests:write"),
        event_types=(
            "issue_comment",
            "issues",
            "pull_request",
            "pull_request_review",
            "pull_request_review_comment",
            "pull_request_review_thread",
        ),
        target=TARGET,
        examples=({"repository": "acme/api", "number": 1, "body": "Deployed to production."},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        if not self.command.suits(event):
            return {}
        return {"repository": event.get("repository"), "number": numbered(event)}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        path = f"{repository_path(arguments)}/issues/{NUMBER.read(arguments)}/comments"
        found = await self.rest.post(secret, path, {"body": BODY.read(arguments)})
        if isinstance(found, ServiceFault):
            return found
        return found.result(commentId=whole_number(found.body.get("id")))
