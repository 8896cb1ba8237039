"""Commands while the database is away: what is known is kept for it, and what may not have begun is ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

import pytest

from domain.call_budgets import CallBudgets
from domain.command_admission import CommandAdmission
from domain.command_runs import CommandRuns
from domain.credential_vault import CredentialVault
from domain.entities.command_run import CommandRunStatus
from domain.errors import ServiceUnavailable
from domain.ports import UnitOfWork
from persistence.row_security import Reach
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.commanding import ISSUE, Place, a_place
from tests.domain.world import World
from tests.gql.waiting import eventually

pytestmark = pytest.mark.anyio


class Outages(SqlUnitsOfWork):
    """Units of work that can't write from a point on: before they begin, or once they have committed, untold."""

    def __init__(self, real: SqlUnitsOfWork) -> None:
        super().__init__(real.database, lambda organization_id: None)
        self.not_begun = 0
        self.untold_after_writes: int | None = None
        self.untold_by: type[BaseException] = ServiceUnavailable

    def begin(
        self, reach: Reach, organization_id: UUID | None, *, writes: bool
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        if writes and self.not_begun:
            self.not_begun -= 1
            raise ServiceUnavailable
        unit = super().begin(reach, organization_id, writes=writes)
        if not writes or self.untold_after_writes is None:
            return unit
        self.untold_after_writes -= 1
        return self._untold(unit) if self.untold_after_writes == 0 else unit

    @asynccontextmanager
    async def _untold(self, unit: AbstractAsyncContextManager[UnitOfWork]) -> AsyncIterator[UnitOfWork]:
        async with unit as begun:
            yield begun
        raise self.untold_by


def _commands(world: World, units: SqlUnitsOfWork) -> CommandRuns:
    budgets = CallBudgets(world.units, world.catalogue, world.clock)
    admission = CommandAdmission(world.catalogue, budgets, world.board, world.clock)
    return CommandRuns(units, admission, world.refresher, CredentialVault(world.encryption), world.clock)


async def _open_issue(place: Place, commands: CommandRuns, wait_seconds: int) -> UUID:
    arguments = {"repository": place.repository, **ISSUE}
    connection_id = place.connection.id
    return (
        await commands.run(
            place.member,
            connection_id,
            "github.create_issue",
            arguments,
            idempotency_key="one",
            wait_seconds=wait_seconds,
        )
    ).id


async def test_what_a_call_brought_waits_for_the_database(world: World) -> None:
    place, units = await a_place(world), Outages(world.units)
    commands = _commands(world, units)
    await place.behave("slow", delay_seconds=1.2)
    run_id = await _open_issue(place, commands, 1)
    units.not_begun = 2
    await commands.aclose()
    run = await place.run_by_id(run_id)
    assert (run.status, units.not_begun, await place.issues()) == (CommandRunStatus.SUCCEEDED, 0, 1)


@pytest.mark.parametrize(
    ("by", "code"), [(ServiceUnavailable, "database_unreachable"), (asyncio.CancelledError, "asker_gone")]
)
async def test_a_beginning_that_was_kept_though_nobody_was_told_is_ended_without_a_call(
    world: World, by: type[BaseException], code: str
) -> None:
    place, units = await a_place(world), Outages(world.units)
    commands = _commands(world, units)
    units.untold_after_writes, units.untold_by = 1, by
    with pytest.raises(by):
        await _open_issue(place, commands, 8)

    async def ended() -> bool:
        return [row["status"] for row in await place.runs()] == ["FAILED"]

    await eventually(ended)
    run = await place.run_by_id(await _open_issue(place, commands, 8))
    assert run.error is not None
    assert (run.error.code, await place.issues()) == (code, 0)
    await commands.aclose()
