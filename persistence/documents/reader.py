"""DocumentReader: reads a document in one statement, through the driver, with plans that are cached by shape.

Called by `gql/execution.py`. A second equal operation compiles nothing, also with other ids, sizes, filters or cursors.
"""

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from domain.entities.user import Viewer
from domain.errors import BadUserInput
from persistence.database import Database
from persistence.documents.compiler import CatalogueAnswers, Compiler, Plan
from persistence.documents.dialects import DIALECTS
from persistence.documents.gaps import Gap, gaps_in
from persistence.documents.page_arguments import LARGEST_PAGE
from persistence.documents.refusals import Refusal, take_refusals
from persistence.documents.roots import Reference
from persistence.documents.selection import Selection

PLANS_KEPT = 2_000
PLAN_CHARACTERS_KEPT = 32_000_000
AT_ONCE = 3
"""How many documents of one viewer are read at the same time: there are connections for others then."""

FOREIGN_CURSOR = "\x01"
TOO_DEEP = "This nests more lists in each other than SQLite can read at once. Ask for less below one another."


@dataclass(frozen=True, slots=True)
class Document:
    """An object's JSON text, and which of its fields were refused to the viewer: they are null in it.

    `gaps`: where `fill` has to put what SQL couldn't say, before the text is any.
    """

    text: str
    refusals: Sequence[Refusal] = ()
    gaps: Sequence[Gap] = ()


class DocumentReader:
    """Reads documents of one database. `compiled` counts the plans that had to be made."""

    def __init__(
        self,
        database: Database,
        catalogue: CatalogueAnswers,
        clock: Callable[[], datetime],
        *,
        largest_page: int = LARGEST_PAGE,
    ) -> None:
        self._database = database
        self._dialect = DIALECTS[database.dialect_name]
        self._catalogue = catalogue
        self._clock = clock
        self._largest_page = largest_page
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()
        self._plan_characters = 0
        self._turns: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()
        self.compiled = 0

    async def read(
        self,
        reference: Reference,
        *,
        plan_key: Hashable,
        selection: Callable[[], Selection],
        variables: Any,
        viewer: Viewer,
    ) -> Document | None:
        """The document, or None where there is nothing for this viewer.

        `plan_key` stands for the place in its operation and the shape of its variables; `selection` is only asked
        for where no plan is cached. Raises BadUserInput for page sizes, cursors and depth, Forbidden where too
        much of it is refused, and ServiceUnavailable.
        """
        plan = self._plan((plan_key, reference.structure), reference, selection, variables)
        values = plan.bind(viewer, self._clock(), reference.values, variables)
        async with self._turns.setdefault(viewer.user_id, asyncio.Semaphore(AT_ONCE)):
            rows = await self._fetch(plan, values)
        text: str | None = rows[0][0] if rows else None
        if text is None:
            return None
        if plan.checks_cursors and FOREIGN_CURSOR in text:
            raise BadUserInput("This cursor is of another organization. Begin again without it.")
        refusals: Sequence[Refusal] = ()
        if plan.may_refuse:
            text, refusals = take_refusals(text)
        return Document(text, refusals, gaps_in(text) if plan.leaves_gaps else ())

    async def _fetch(self, plan: Plan, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        try:
            return await self._database.fetch(plan.sql, values)
        except sqlite3.OperationalError as failed:
            # Before 3.46 the stack of its parser has a hundred places, which some documents within the limits fill.
            if "parser stack overflow" not in str(failed):
                raise
            raise BadUserInput(TOO_DEEP) from failed

    def _plan(self, key: Hashable, reference: Reference, selection: Callable[[], Selection], variables: Any) -> Plan:
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
            return plan
        compiler = Compiler(self._dialect, variables, self._catalogue, self._largest_page)
        plan = compiler.plan(reference.writer(compiler, selection()))
        self.compiled += 1
        self._plans[key] = plan
        self._plan_characters += len(plan.sql)
        while len(self._plans) > PLANS_KEPT or self._plan_characters > PLAN_CHARACTERS_KEPT:
            _, forgotten = self._plans.popitem(last=False)
            self._plan_characters -= len(forgotten.sql)
        return plan
