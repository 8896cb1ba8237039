"""gitlab.comment: say something below an issue or a merge request.

GitLab answers text that is nothing but quick actions without a comment: it has done them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.boundary import clean_url
from domain.services.commands import Command, CommandResult
from domain.services.fields import Choice, WholeNumber
from domain.services.gitlab.commands.fields import NUMBER, PROJECT, TARGET, project_path, text
from domain.services.gitlab.commands.rest import GitLabRest, whole_number
from domain.services.service_fault import ServiceFault

ON: Final = Choice("on", "What the number is of.", ("issue", "merge_request"))
BODY: Final = text("body", "What to say, in Markdown.", required=True)
NOTE_ID: Final = WholeNumber(
    "noteId", "The comment's id; absent where the text was quick actions only.", 1, (1 << 53) - 1, example=302
)


@dataclass(frozen=True, slots=True)
class Comment:
    rest: GitLabRest

    command = Command(
        id="gitlab.comment",
        name="Comment on an issue or merge request",
        description="Answer in the conversation of an issue or a merge request on GitLab.",
        documentation_url="https://docs.gitlab.com/api/notes/",
        takes=(PROJECT, NUMBER, ON, BODY),
        gives=(NOTE_ID,),
        mutating=True,
        repeatable=False,
        least_role=Role.MEMBER,
        required_scopes=("api",),
        event_types=("issue", "merge_request", "note"),
        target=TARGET,
        examples=({"project": "acme/api", "number": 1, "body": "Deployed to production."},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        subject = event.get("subject")
        if not self.command.suits(event) or not isinstance(subject, str) or subject[:1] not in _ON:
            return {}
        number = int(subject[1:11]) if subject[1:].isascii() and subject[1:].isdigit() else None
        return {"project": event.get("repository"), "number": number, "on": _ON[subject[0]]}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        what, number = f"{ON.read(arguments)}s", NUMBER.read(arguments)
        path = f"{project_path(arguments)}/{what}/{number}/notes"
        found = await self.rest.post(secret, path, {"body": BODY.read(arguments)})
        if isinstance(found, ServiceFault):
            return found
        note_id = whole_number(found.body.get("id"))
        place = f"{self.rest.web_url}/{PROJECT.read(arguments)}/-/{what}/{number}"
        if note_id is None and found.status == 202:
            return found.result(clean_url(place))
        return found.result(clean_url(f"{place}#note_{note_id}"), noteId=note_id)


_ON: Final = {"#": "issue", "!": "merge_request"}
