"""gitlab.run_pipeline: have GitLab CI/CD run a pipeline.

GitLab puts the pipeline together before it answers, which takes its time where the configuration is large.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.field_lists import TextMap
from domain.services.fields import Text, WholeNumber
from domain.services.gitlab.commands.fields import PROJECT, TARGET, branch, project_path
from domain.services.gitlab.commands.rest import GitLabRest, whole_number
from domain.services.service_fault import ServiceFault

REF: Final = branch("ref", "The branch or tag that it shall run for.", required=True)
VARIABLES: Final = TextMap(
    "variables",
    "Variables for its jobs, where the account may set any.",
    name=Text("variable", "A variable's name.", "DEPLOY_TO", pattern="[A-Za-z0-9_]+", form="a variable's name"),
    value=Text("value", "A variable's value.", "production", max_length=8_192, lines=True, blank=True),
    max_items=50,
)
PIPELINE_ID: Final = WholeNumber("pipelineId", "The pipeline's id.", 1, (1 << 53) - 1, required=True, example=61)


@dataclass(frozen=True, slots=True)
class RunPipeline:
    rest: GitLabRest

    command = Command(
        id="gitlab.run_pipeline",
        name="Run a pipeline",
        description="Have GitLab CI/CD run a pipeline of a project: deploy, release, test, build.",
        documentation_url="https://docs.gitlab.com/api/pipelines/#create-a-new-pipeline",
        takes=(PROJECT, REF, VARIABLES),
        gives=(PIPELINE_ID,),
        mutating=True,
        repeatable=False,
        least_role=Role.ADMIN,
        required_scopes=("api",),
        event_types=("push", "release", "tag_push"),
        target=TARGET,
        long_running=True,
        examples=({"project": "acme/api", "ref": "main", "variables": {"DEPLOY_TO": "production"}},),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        if not self.command.suits(event):
            return {}
        return {"project": event.get("repository"), "ref": event.get("subject")}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        variables: list[Json] = [{"key": key, "value": value} for key, value in VARIABLES.read(arguments).items()]
        wanted: dict[str, Json] = {"ref": REF.read(arguments), **({"variables": variables} if variables else {})}
        found = await self.rest.post(secret, f"{project_path(arguments)}/pipeline", wanted)
        if isinstance(found, ServiceFault):
            return found
        return found.result(pipelineId=whole_number(found.body.get("id")))
