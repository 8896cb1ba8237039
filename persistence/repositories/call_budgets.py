"""What is left of the calls that services take, as rows: one moment says it, when a budget will be full again.

Reached as `unit.call_budgets`. A bucket that lacks n calls is full after n times what one of them takes; so taking a
call moves that moment on, and the calls are there as long as it isn't too far ahead.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, or_, select, true, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.entities.call_budget import Block, BudgetKey, CallAllowance
from domain.schedule import LONGEST_WAIT
from persistence.column_types import Timestamp
from persistence.repositories.given_rows import given_rows
from persistence.tables import call_budgets
from persistence.transaction import Transaction

_c = call_budgets.c
_KEY = ("service", "host", "holder")


class SqlCallBudgetRepository:
    """Implements CallBudgetRepository."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def take(
        self, wanted: Mapping[BudgetKey, tuple[CallAllowance, int]], now: datetime
    ) -> Mapping[BudgetKey, Block]:
        """Two statements, however many they are. Rows are locked in the order of their keys."""
        kept = await self._locked(sorted(wanted, key=lambda key: (key.service, key.host, key.holder)), now)
        blocks: dict[BudgetKey, Block] = {}
        full_at: dict[BudgetKey, datetime] = {}
        for key, (allowance, most) in wanted.items():
            known, blocked_until = kept[key]
            emptiest = now + allowance.each * allowance.at_once  # later is a clock's mistake that has been mended since
            blocks[key], full_at[key] = _taken(allowance, min(max(known, now), emptiest), blocked_until, most, now)
        changed = [key for key, moment in full_at.items() if moment != kept[key][0]]
        if changed:
            moments = {"full_at": (Timestamp(), [full_at[key] for key in changed])}
            given = given_rows(self._transaction, {**_keys(changed), **moments})
            await self._transaction.execute(
                update(call_budgets)
                .where(and_(*(_c[name] == given.c[name] for name in _KEY)))
                .values(full_at=given.c.full_at)
            )
        return blocks

    async def block(self, service: str, holder: str, until: datetime) -> None:
        """It is known already: the call that was refused has been taken from it."""
        shorter = or_(_c.blocked_until.is_(None), _c.blocked_until < until)
        await self._transaction.execute(
            update(call_budgets).where(_c.service == service, _c.holder == holder, shorter).values(blocked_until=until)
        )

    async def fill(self, now: datetime) -> None:
        await self._transaction.execute(delete(call_budgets).where(or_(_c.full_at > now, _c.blocked_until > now)))

    async def forget(self, full_before: datetime, limit: int) -> int:
        """Those that have been full for long say nothing."""
        over = (
            select(_c.service, _c.host, _c.holder)
            .where(_c.full_at < full_before, or_(_c.blocked_until.is_(None), _c.blocked_until < full_before))
            .limit(limit)
        )
        forgotten = await self._transaction.execute(
            delete(call_budgets).where(tuple_(_c.service, _c.host, _c.holder).in_(over))
        )
        return forgotten.rowcount

    async def _locked(
        self, keys: Sequence[BudgetKey], now: datetime
    ) -> Mapping[BudgetKey, tuple[datetime, datetime | None]]:
        """When each is full, and until when it is blocked; of one that isn't known yet, now and never."""
        dialect = sqlite if self._transaction.connection.dialect.name == "sqlite" else postgresql
        given = given_rows(self._transaction, {**_keys(keys), "full_at": (Timestamp(), [now] * len(keys))})
        insert = dialect.insert(call_budgets).from_select([*_KEY, "full_at"], select(given).where(true()))
        rows = await self._transaction.execute(
            insert.on_conflict_do_update(index_elements=_KEY, set_={"full_at": _c.full_at}).returning(call_budgets)
        )
        return {BudgetKey(row.service, row.host, row.holder): (row.full_at, row.blocked_until) for row in rows}


def _taken(
    allowance: CallAllowance, full_at: datetime, blocked_until: datetime | None, most: int, now: datetime
) -> tuple[Block, datetime]:
    """The calls that are taken, and when the budget is full after that."""
    if blocked_until is not None and now < blocked_until <= now + LONGEST_WAIT:
        return Block(0, blocked_until), full_at
    left = allowance.at_once - -(-(full_at - now) // allowance.each)
    calls = max(0, min(left, most))
    full_at += allowance.each * calls
    return Block(calls, full_at - allowance.each * (allowance.at_once - 1)), full_at


def _keys(keys: Sequence[BudgetKey]) -> dict[str, Any]:
    return {name: (_c[name].type, [getattr(key, name) for key in keys]) for name in _KEY}
