"""github.list_repositories: what a connection reaches, page by page.

GitHub numbers its pages, so that a place is a page's size and number: the size of the first one holds for all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import CredentialSecret, GitHubAppSecret
from domain.entities.health import Json
from domain.entities.user import Role
from domain.services.commands import Command, CommandResult
from domain.services.fields import Text
from domain.services.github.api import SERVICE_ID
from domain.services.github.commands.rest import GitHubRest
from domain.services.github.rate_limit import rate_limit
from domain.services.github.repositories import read_repository
from domain.services.listing_fields import FIRST, NEXT, REPOSITORIES, shown
from domain.services.refusals import unexpected_answer
from domain.services.service_fault import ServiceFault

AFTER: Final = Text(
    "after",
    "The place that an earlier page named as its next; its size counts, and `first` no longer.",
    example="30:2",
    pattern=r"(?:100|[1-9][0-9]?):[1-9][0-9]{0,5}",
    form="what an earlier page named as its next",
)


@dataclass(frozen=True, slots=True)
class ListRepositories:
    rest: GitHubRest

    command = Command(
        id="github.list_repositories",
        name="List repositories",
        description="See which repositories on GitHub the connection reaches, the oldest first.",
        documentation_url="https://docs.github.com/rest/repos/repos#list-repositories-for-the-authenticated-user",
        takes=(FIRST, AFTER),
        gives=(REPOSITORIES, NEXT),
        mutating=False,
        repeatable=True,
        least_role=Role.VIEWER,
        required_permissions=("metadata:read",),
        event_types=("installation", "installation_repositories"),
        examples=({}, {"first": 10}),
    )

    def arguments_from(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        return {}

    async def run(self, secret: CredentialSecret, arguments: Mapping[str, Json]) -> CommandResult | ServiceFault:
        size, page = FIRST.read(arguments), 1
        place = re.fullmatch(r"([0-9]+):([0-9]+)", AFTER.read(arguments))
        if place is not None:
            size, page = int(place[1]), int(place[2])
        answer = await self.rest.get(secret, f"{_list_of(secret)}per_page={size}&page={page}")
        if isinstance(answer, ServiceFault):
            return answer
        body = answer.json()
        listed = body.get("repositories") if isinstance(body, dict) else body
        found = [read_repository(each, self.rest.web_url) for each in listed] if isinstance(listed, list) else [None]
        known = [each for each in found if each is not None]
        if len(known) != len(found) or len(known) > size:
            return unexpected_answer(
                SERVICE_ID, answer, "GitHub's answer isn't the list that its documentation describes."
            )
        following = self.rest.following(answer)
        if isinstance(following, ServiceFault):
            return following
        data: dict[str, Json] = {"repositories": [shown(each) for each in known]}
        if following is not None:
            data["next"] = f"{size}:{page + 1}"
        return CommandResult(data, answer.latency_ms, None, rate_limit(answer.headers))


def _list_of(secret: CredentialSecret) -> str:
    if isinstance(secret, GitHubAppSecret):
        return "/installation/repositories?"
    return "/user/repos?sort=created&direction=asc&"
