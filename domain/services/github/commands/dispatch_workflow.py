"""github.dispatch_workflow: have GitHub Actions run a workflow.

GitHub tells which run it has begun if it is asked to; a GitHub Enterprise Server may be too old for the question.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.boundary import clean_url
from domain.services.commands import Command, CommandResult
from domain.services.field_lists import TextMap
from domain.services.fields import Text, WholeNumber
from domain.services.github.commands.fields import REPOSITORY, TARGET, branch, path_of, repository_path
from domain.services.github.commands.rest import GitHubRest, whole_number
from domain.services.service_fault import FaultKind, ServiceFault

WORKFLOW: Final = Text(
    "workflow",
    "The workflow's file below .github/workflows, or its number.",
    example="deploy.yml",
    required=True,
    pattern=r"[0-9]{1,18}|(?!\.)[^/\\]{1,200}\.ya?ml",
    form="the name of a workflow's file, or its number",
)
REF: Final = branch("ref", "The branch or tag that it shall run for.", required=True)
INPUTS: Final = TextMap(
    "inputs",
    "What the workflow asks for, as its file names it; what is left out is as the file has it.",
    name=Text("input", "An input's name.", "environment", pattern="[A-Za-z_][A-Za-z0-9_-]*", form="an input's name"),
    value=Text("value", "An input's value.", "production", max_length=8_192, lines=True, blank=True),
    max_items=25,
)
RUN_ID: Final = WholeNumber(
    "runId", "The run that it has begun, where GitHub tells it.", 1, (1 << 53) - 1, example=16_012_345_678
)


@dataclass(frozen=True, slots=True)
class DispatchWorkflow:
    rest: GitHubRest

    command = Command(
        id="github.dispatch_workflow",
        name="Run a workflow",
        description="Have GitHub Actions run a workflow of a repository: deploy, release, test, build.",
        documentation_url="https://docs.github.com/rest/actions/workflows#create-a-workflow-dispatch-event",
        takes=(REPOSITORY, WORKFLOW, REF, INPUTS),
        gives=(RUN_ID,),
        mutating=True,
        repeatable=False,
        least_role=Role.ADMIN,
        required_scopes=("repo",),
        required_permissions=("actions:write",),
        event_types=("create", "push", "release"),
        target=TARGET,
        examples=(
            {
                "repository": "acme/api",
                "workflow": "deploy.yml",
                "ref": "main",
                "inputs": {"environment": "production"},
            },
        ),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        if not self.command.suits(event):
            return {}
        return {"repository": event.get("repository"), "ref": event.get("subject")}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        path = f"{repository_path(arguments)}/actions/workflows/{path_of(WORKFLOW.read(arguments))}/dispatches"
        wanted: dict[str, Json] = {"ref": REF.read(arguments), "inputs": {**INPUTS.read(arguments)}}
        found = await self.rest.post(secret, path, wanted | {"return_run_details": True})
        if isinstance(found, ServiceFault) and _asks_too_much(found):
            found = await self.rest.post(secret, path, wanted)
        if isinstance(found, ServiceFault):
            return found
        run_id = whole_number(found.body.get("workflow_run_id"))
        return CommandResult(
            {} if run_id is None else {"runId": run_id},
            found.latency_ms,
            clean_url(found.body.get("html_url")),
            found.rate_limit,
        )


def _asks_too_much(fault: ServiceFault) -> bool:
    """Whether this GitHub doesn't know the question for the run; it has refused the request as a whole."""
    return fault.kind is FaultKind.REQUEST_REFUSED and "return_run_details" in fault.message
