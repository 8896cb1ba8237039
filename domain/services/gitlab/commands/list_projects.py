"""gitlab.list_projects: what a connection's account is a member of, page by page. A place is the id of a project."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.fields import Text
from domain.services.gitlab.answers import ID, rate_limit
from domain.services.gitlab.commands.rest import GitLabRest
from domain.services.gitlab.repositories import read_project
from domain.services.listing_fields import FIRST, NEXT, REPOSITORIES, shown
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import ServiceFault

AFTER: Final = Text(
    "after",
    "The place that an earlier page named as its next.",
    example="4102",
    pattern="[1-9][0-9]{0,18}",
    form="what an earlier page named as its next",
)


@dataclass(frozen=True, slots=True)
class ListProjects:
    rest: GitLabRest

    command = Command(
        id="gitlab.list_projects",
        name="List projects",
        description="See which projects on GitLab the connection's account is a member of, the oldest first.",
        documentation_url="https://docs.gitlab.com/api/projects/#list-all-projects",
        takes=(FIRST, AFTER),
        gives=(REPOSITORIES, NEXT),
        mutating=False,
        repeatable=True,
        least_role=Role.VIEWER,
        required_scopes=("read_api",),
        event_types=("project_create", "user_add_to_group", "user_add_to_team"),
        examples=({}, {"first": 2}),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        return {}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        size, after = FIRST.read(arguments), AFTER.read(arguments)
        query = f"membership=true&pagination=keyset&order_by=id&sort=asc&per_page={size}"
        answer = await self.rest.get(secret, f"/projects?{query}{f'&id_after={after}' if after else ''}")
        if isinstance(answer, ServiceFault):
            return answer
        body = answer.json()
        found = [read_project(each) for each in body] if isinstance(body, list) else [None]
        known = [each for each in found if each is not None]
        if len(known) != len(found) or len(known) > size:
            return unexpected_answer(ID, answer, "GitLab's answer isn't the list of projects that it documents.")
        data: dict[str, Json] = {"repositories": [shown(each) for each in known]}
        if known and _NAMES_NEXT.search(answer.headers.get("link", "")):
            data["next"] = known[-1].external_id
        return CommandResult(data, answer.latency_ms, None, rate_limit(answer.headers))


_NAMES_NEXT: Final = re.compile(r'rel="?next"?')
