"""The services that have commands, each with a place of its own in the sandbox: for the tests of what all commands do.

Adding a service with commands is one more entry in CASES.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx2

from domain.credential_secrets import TokenSecret
from domain.entities.health import Json
from domain.http import HttpClient
from domain.secret import Secret
from domain.services.base import Service
from domain.services.commands import Command, CommandResult, Commands
from domain.services.github import GitHub
from domain.services.gitlab import GitLab
from domain.services.service_fault import FaultKind, ServiceFault
from domain.services.slack import Slack
from tests.sandbox_server import SandboxServer, SandboxService


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """How to make the service, what its tokens are in the sandbox, and what of a place its commands change.

    `token`: settings of one that may do everything, in a place of that name. `prepared`: what has to be so before each
    command can be done. `made`: the lists of the place that grow.
    """

    id: SandboxService
    make: Callable[[HttpClient, SandboxServer], Service]
    token: Callable[[str], Mapping[str, object]]
    target: Callable[[str], str]
    content: Callable[[SandboxServer, str], Any]
    made: Sequence[str]


CASES = [
    Case(
        "github",
        lambda http, sandbox: GitHub(http, sandbox.github_api_url, sandbox.github_url, now),
        lambda place: {
            "account": {"id": 71, "login": place, "name": "Some Team"},
            "repositories": [{"id": 7001, "name": "api", "private": True}],
        },
        lambda place: f"{place}/api",
        lambda sandbox, place: sandbox.github_repository(f"{place}/api"),
        ("issues", "comments", "pulls", "dispatches"),
    ),
    Case(
        "slack",
        lambda http, sandbox: Slack(http, sandbox.slack_api_url, sandbox.slack_url, now),
        lambda place: {
            "account": {"id": place, "login": "some-team", "name": "Some Team"},
            "scopes": ["channels:join", "channels:read", "chat:write", "groups:read", "reactions:write"],
        },
        lambda place: "C0ACME000",
        lambda sandbox, place: sandbox.slack_workspace(place),
        ("messages", "reactions", "joined"),
    ),
    Case(
        "gitlab",
        lambda http, sandbox: GitLab(http, sandbox.gitlab_api_url, sandbox.gitlab_url, now),
        lambda place: {"scopes": ["api"], "projects": [{"id": 7001, "path": f"{place}/api"}]},
        lambda place: f"{place}/api",
        lambda sandbox, place: sandbox.gitlab_project(f"{place}/api"),
        ("issues", "notes", "merge_requests", "pipelines"),
    ),
]


def nobody_at(url: str) -> SandboxServer:
    """The addresses of services where nobody is."""
    return SandboxServer(url, _NOBODY)


def with_commands() -> list[Service]:
    """The services, none of which can be called."""
    return [case.make(HttpClient(), nobody_at("https://service.example")) for case in CASES]


_NOBODY: Final = httpx2.AsyncClient(verify=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A service, and a token of its own in the sandbox, with which to run commands where nobody else does."""

    case: Case
    commands: Commands
    name: str
    secret: TokenSecret
    sandbox: SandboxServer

    async def behave(self, behaviour: str = "normal", **settings: object) -> None:
        """Have the token behave like this from now on."""
        token = {**self.case.token(self.name), "behaviour": behaviour, **settings}
        await self.sandbox.put_token(self.secret.token.reveal(), service=self.case.id, **token)

    def example_of(self, command: Command) -> dict[str, Json]:
        """Its first example, in this place."""
        return self.here(command, command.examples[0])

    def here(self, command: Command, arguments: Mapping[str, Json]) -> dict[str, Json]:
        if command.target is None or command.id == "slack.join_channel":
            return dict(arguments)
        return {**arguments, command.target.argument: self.case.target(self.name)}

    async def run(self, command_id: str, **arguments: Json) -> CommandResult | ServiceFault:
        """Run one of the service's with these arguments; with the place's own target, but for Slack's channels."""
        command = self.commands.find(command_id)
        assert command is not None
        given = arguments if self.case.id == "slack" else self.here(command, arguments)
        return await self.commands.run(command, self.secret, given)

    async def refuses(self, command_id: str, arguments: Mapping[str, Json], code: str, argument: str | None) -> None:
        """Assert that the service refuses this very request by that code, and that nothing has been made of it."""
        before = await self.count()

        fault = await self.run(command_id, **arguments)

        assert isinstance(fault, ServiceFault)
        assert (fault.kind, fault.code, fault.argument) == (FaultKind.REQUEST_REFUSED, code, argument)
        assert not fault.may_have_happened
        assert await self.count() == before

    async def count(self) -> int:
        """How much has been made here."""
        content = await self.case.content(self.sandbox, self.name)
        return sum(len(content[name]) for name in self.case.made)


async def place_of(case: Case, http: HttpClient, sandbox: SandboxServer) -> Place:
    """A new one, with a token that works."""
    name = f"team-{secrets.token_hex(6)}" if case.id != "slack" else f"T{secrets.token_hex(6).upper()}"
    commands = case.make(http, sandbox).commands
    assert commands is not None
    place = Place(case, commands, name, TokenSecret(Secret(f"canary-{secrets.token_hex(12)}")), sandbox)
    await place.behave()
    return place
