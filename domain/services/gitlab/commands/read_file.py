"""gitlab.read_file: a file of a project, as it is at a branch, a tag or a commit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.boundary import clean_url
from domain.services.commands import Command, CommandResult
from domain.services.file_content import FILE, FILE_PATH, LARGEST_FILE_BYTES, file_data, too_large
from domain.services.gitlab.answers import ID, rate_limit
from domain.services.gitlab.commands.fields import PROJECT, TARGET, branch, project_path, segment
from domain.services.gitlab.commands.rest import GitLabRest
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import ServiceFault

REF: Final = branch("ref", "The branch, tag or commit; without it the default branch.", required=False)


@dataclass(frozen=True, slots=True)
class ReadFile:
    rest: GitLabRest

    command = Command(
        id="gitlab.read_file",
        name="Read a file",
        description="Read a file of a project on GitLab: a README, a configuration, some source code.",
        documentation_url="https://docs.gitlab.com/api/repository_files/#get-file-from-repository",
        takes=(PROJECT, FILE_PATH, REF),
        gives=FILE,
        mutating=False,
        repeatable=True,
        least_role=Role.MEMBER,
        required_scopes=("read_api",),
        event_types=("push",),
        target=TARGET,
        examples=({"project": "acme/api", "path": "README.md"},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        if not self.command.suits(event):
            return {}
        return {"project": event.get("repository"), "ref": event.get("subject")}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        path, ref = FILE_PATH.read(arguments), REF.read(arguments) or "HEAD"
        place = f"{project_path(arguments)}/repository/files/{segment(path)}?{urlencode({'ref': ref})}"
        answer = await self.rest.get(secret, place)
        if isinstance(answer, ServiceFault):
            return _too_large(answer)
        file = answer.json()
        size = file.get("size") if isinstance(file, dict) else None
        if isinstance(size, int) and size > LARGEST_FILE_BYTES:
            return too_large(ID, size, answer.latency_ms)
        data = file_data(path, file.get("blob_id"), file.get("content")) if isinstance(file, dict) else None
        if data is None:
            return unexpected_answer(ID, answer, "GitLab's answer isn't the file that its documentation describes.")
        url = clean_url(f"{self.rest.web_url}/{PROJECT.read(arguments)}/-/blob/{quote(ref)}/{quote(path)}")
        return CommandResult(data, answer.latency_ms, url, rate_limit(answer.headers))


def _too_large(fault: ServiceFault) -> ServiceFault:
    """GitLab sends files of any size: one that is too long for us to take is no fault of GitLab's."""
    return too_large(ID, None, fault.latency_ms) if fault.code == "gitlab_answer_too_large" else fault
