"""Syncing repositories, whatever happens meanwhile: generated lists, changes, killed processes and several at once.

`HYPOTHESIS_PROFILE=thorough` makes it some thousands.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.repository_sync_outcome import SyncReport
from persistence.database import Database
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.remote_repositories import ProcessKilled, Syncing, an_organization, remote, syncing

pytestmark = pytest.mark.anyio

NEW = [f"n{number}" for number in range(20)]

changes = st.tuples(
    st.sampled_from(["add", "remove", "remove", "move", "rename", "archive"]), st.integers(0, 9), st.integers(0, 9)
)


@dataclass
class Round:
    """A sync: how much later it is, what changes before it and during which of its calls, and how it ends."""

    minutes_later: int
    before: list[tuple[str, int, int]]
    during: dict[int, tuple[str, int, int]]
    killed_at_call: int | None
    seconds: int
    processes: int


rounds = st.builds(
    Round,
    minutes_later=st.sampled_from([0, 30, 61, 1_500]),
    before=st.lists(changes, max_size=3),
    during=st.dictionaries(st.integers(0, 4), changes, max_size=4),
    killed_at_call=st.sampled_from([None, None, None, 0, 1, 2, 3, 4, 5]),
    seconds=st.sampled_from([0, 60, 60, 60]),
    processes=st.sampled_from([1, 1, 2]),
)


@dataclass
class Team:
    """The people at the service. In the course of a listing nothing that they did is undone."""

    world: Syncing
    always: set[str] = field(default_factory=set)  # what the service and Tether both had the whole time
    touched: set[str] = field(default_factory=set)
    away: list[str] = field(default_factory=lambda: list(NEW))

    def change(self, change: tuple[str, int, int]) -> None:
        what, which, where = change
        items = self.world.remote.now
        chosen = self.away[0] if what == "add" else items[which % len(items)].external_id if items else None
        if chosen is None or chosen in self.touched:
            return
        self.touched.add(chosen)
        known = next((each for each in items if each.external_id == chosen), remote(chosen))
        rest = [each for each in items if each is not known]
        place = where % (len(rest) + 1)
        match what:
            case "add":
                self.away.remove(chosen)
            case "remove":
                self.away.append(chosen)
                self.always.discard(chosen)
                self.world.remote.now = rest
                return
            case "rename":
                known = replace(known, full_name=f"acme/{chosen}-{where}")
            case "archive":
                known, place = replace(known, archived=not known.archived), items.index(known)
        self.world.remote.now = [*rest[:place], known, *rest[place:]]


@pytest.fixture
async def organization(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[tuple[SqlUnitsOfWork, UUID]]:
    file = tmp_path / "tether.db"
    shutil.copyfile(sqlite_template, file)
    async with Database(f"sqlite+aiosqlite:///{file}") as database:
        units = SqlUnitsOfWork(database, lambda organization_id: None)
        yield units, await an_organization(units)


@settings(suppress_health_check=list(HealthCheck))
@given(
    page_size=st.integers(1, 3),
    count=st.sampled_from([0, 1, 3, 5, 6, 7, 8]),
    plan=st.lists(rounds, min_size=1, max_size=3),
    etags_of_items_only=st.booleans(),
    begun=st.sampled_from([True, True, True, False]),
)
async def test_nothing_that_is_there_is_removed_and_a_calm_sync_finds_what_there_is(
    organization: tuple[SqlUnitsOfWork, UUID],
    page_size: int,
    count: int,
    plan: list[Round],
    etags_of_items_only: bool,
    begun: bool,
) -> None:
    world = await syncing(*organization, page_size)
    world.remote.etags_of_items_only = etags_of_items_only
    world.remote.put(*[f"r{number}" for number in range(count)])
    if begun:
        await world.sync()
    team = Team(world)
    for each in plan:
        await _select_some(world)
        selected, complete = await world.selected(), await _sync(world, team, each)
        rows = await world.rows()
        assert team.always <= set(rows)
        assert {id_ for id_ in team.always if rows[id_].selected} == selected & team.always
        if complete:
            team.always, team.touched = set(), set()

    await _calm_sync(world)


async def _sync(world: Syncing, team: Team, each: Round) -> bool:
    """One with all that happens meanwhile. Whether a listing was completed by everybody."""
    world.ahead += timedelta(minutes=each.minutes_later)
    if not team.touched:
        for change in each.before:
            team.change(change)
        team.touched.clear()
        team.always = set(await world.rows()) & {item.external_id for item in world.remote.now}
    first = len(world.remote.calls)
    for call, change in each.during.items():
        world.remote.before_call[first + call] = partial(team.change, change)
    if each.killed_at_call is not None:
        world.remote.before_call[first + each.killed_at_call] = _kill
    outcomes = await asyncio.gather(
        *(world.sync(seconds=each.seconds) for _ in range(each.processes)), return_exceptions=True
    )
    world.remote.before_call.clear()
    assert all(isinstance(outcome, SyncReport | ProcessKilled) for outcome in outcomes), outcomes
    return all(isinstance(outcome, SyncReport) and outcome.complete for outcome in outcomes)


def _kill() -> None:
    raise ProcessKilled


async def _select_some(world: Syncing) -> None:
    await world.select(*sorted(await world.rows())[::2])


async def _calm_sync(world: Syncing) -> None:
    """Two of them, since the first may have to end what another has begun."""
    selected = await world.selected()
    there = {item.external_id for item in world.remote.now}
    assert isinstance(await world.sync(), SyncReport)
    assert await world.told() == set(world.remote.now)
    assert await world.selected() == selected & there

    with suppress(IndexError):
        world.remote.rename(world.remote.now[0].external_id, "acme/renamed")
        world.remote.now.pop(len(world.remote.now) // 2 or 1)
    before = {each.external_id: each for each in await world.told()}
    now = {each.external_id: each for each in world.remote.now}
    assert await world.sync() == SyncReport(
        added=0,
        updated=sum(before[id_] != now[id_] for id_ in now),
        removed=len(before) - len(now),
        unchanged=sum(before[id_] == now[id_] for id_ in now),
        complete=True,
    )
