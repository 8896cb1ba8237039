"""github.read_file: a file of a repository, as it is at a branch, a tag or a commit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.boundary import clean_url
from domain.services.commands import Command, CommandResult
from domain.services.file_content import FILE, FILE_PATH, LARGEST_FILE_BYTES, file_data, not_a_file, too_large
from domain.services.github.api import SERVICE_ID
from domain.services.github.commands.fields import REPOSITORY, TARGET, branch, path_of, repository_path
from domain.services.github.commands.rest import GitHubRest
from domain.services.github.rate_limit import rate_limit
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import ServiceFault

REF: Final = branch("ref", "The branch, tag or commit; without it the default branch.", required=False)


@dataclass(frozen=True, slots=True)
class ReadFile:
    rest: GitHubRest

    command = Command(
        id="github.read_file",
        name="Read a file",
        description="Read a file of a repository on GitHub: a README, a configuration, some source code.",
        documentation_url="https://docs.github.com/rest/repos/contents#get-repository-content",
        takes=(REPOSITORY, FILE_PATH, REF),
        gives=FILE,
        mutating=False,
        repeatable=True,
        least_role=Role.MEMBER,
        required_permissions=("contents:read",),
        event_types=("push",),
        target=TARGET,
        examples=({"repository": "acme/api", "path": "README.md"},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        if not self.command.suits(event):
            return {}
        return {"repository": event.get("repository"), "ref": event.get("subject")}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        path = FILE_PATH.read(arguments)
        ref = REF.read(arguments)
        query = f"?{urlencode({'ref': ref})}" if ref else ""
        answer = await self.rest.get(secret, f"{repository_path(arguments)}/contents/{path_of(path)}{query}")
        if isinstance(answer, ServiceFault):
            return answer
        file = answer.json()
        if isinstance(file, list) or (isinstance(file, dict) and file.get("type") != "file"):
            return not_a_file(SERVICE_ID, answer.latency_ms)
        size = file.get("size") if isinstance(file, dict) else None
        if isinstance(size, int) and size > LARGEST_FILE_BYTES:
            return too_large(SERVICE_ID, size, answer.latency_ms)
        data = file_data(path, file.get("sha"), file.get("content")) if isinstance(file, dict) else None
        if data is None or not isinstance(file, dict):
            return unexpected_answer(
                SERVICE_ID, answer, "GitHub's answer isn't the file that its documentation describes."
            )
        url = clean_url(file.get("html_url"))
        return CommandResult(data, answer.latency_ms, url, rate_limit(answer.headers))
