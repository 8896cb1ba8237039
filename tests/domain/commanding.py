"""A connection to the sandbox's GitHub with a place of its own, and commands that are run there.

Used by the tests of CommandRuns.
"""

import uuid
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.command_settlement import CommandSettlement
from domain.entities.command_run import CommandRun
from domain.entities.service_connection import ServiceConnection
from domain.entities.task import Task, TaskKind
from domain.entities.user import Role, Viewer
from domain.secret import Secret
from domain.task_outcome import TaskOutcome
from tests.domain.world import World

ISSUE: dict[str, Any] = {"title": "Uploads fail"}


@dataclass(frozen=True, slots=True)
class Place:
    """`repository` is its full name; nobody else's commands are run there."""

    world: World
    connection: ServiceConnection
    token: Secret
    login: str

    @property
    def repository(self) -> str:
        return f"{self.login}/api"

    @property
    def member(self) -> Viewer:
        return self.world.viewers[Role.MEMBER]

    async def open_issue(self, *, viewer: Viewer | None = None, **given: Any) -> CommandRun:
        """Run github.create_issue there."""
        return await self.run("github.create_issue", {"repository": self.repository, **ISSUE}, viewer=viewer, **given)

    async def read_file(self, **given: Any) -> CommandRun:
        """Run github.read_file there."""
        return await self.run("github.read_file", {"repository": self.repository, "path": "README.md"}, **given)

    async def run(self, command: str, arguments: Any, *, viewer: Viewer | None = None, **given: Any) -> CommandRun:
        return await self.world.commands.run(viewer or self.member, self.connection.id, command, arguments, **given)

    async def behave(self, behaviour: str = "normal", **settings: Any) -> None:
        """Have the service treat the connection's token like this from now on."""
        await self.world.change(self.token, **_settings(self.login), behaviour=behaviour, **settings)

    async def issues(self) -> int:
        """How many have been opened there, besides the one that every repository of the sandbox has."""
        content = await self.world.sandbox.github_repository(self.repository)
        return len(content["issues"]) - 1

    async def run_by_id(self, run_id: UUID) -> CommandRun:
        async with self.world.units.reading(self.world.organization_id) as unit:
            return await unit.command_runs.get(run_id)

    async def runs(self) -> list[dict[str, Any]]:
        """All rows of runs through the connection, oldest first."""
        rows = [row for row in await self.world.rows("command_runs") if row["connection_id"] == self.connection.id]
        return sorted(rows, key=lambda row: (row["created_at"], row["id"]))

    async def take_turn(self, run_id: UUID) -> TaskOutcome:
        """What a runner does with the run's task."""
        async with self.world.units.writing_everywhere() as unit:
            task = await unit.tasks.find(TaskKind.RUN_COMMAND, run_id)
        assert task is not None
        return await self.world.commands.run_due(task)


async def settle(world: World) -> None:
    """What a runner does every half minute."""
    await CommandSettlement(world.units, world.clock).settle_abandoned(SETTLING)


async def a_place(world: World, **settings: Any) -> Place:
    """A new one, with a connection that may do everything there."""
    login = f"team-{uuid.uuid4().hex[:12]}"
    token = await world.token(**{**_settings(login), **settings})
    return Place(world, await world.connect(token, name=login), token, login)


def _settings(login: str) -> dict[str, Any]:
    return {
        "account": {"id": int(login[-7:], 16), "login": login, "name": "Some Team"},
        "repositories": [{"id": 7001, "name": "api", "private": True}],
    }


SETTLING = Task(uuid.uuid4(), TaskKind.SETTLE_COMMAND_RUNS, UUID(int=0), None, due_at=None)  # type: ignore[arg-type]
"""The task by which abandoned runs are looked for; nobody asks when it is due."""
