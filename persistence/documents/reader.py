"""DocumentReader: reads a document in one statement, through the driver, with plans that are cached by shape.

Called by `gql/execution.py`. A second equal operation compiles nothing, also with other ids, sizes, filters or cursors.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from typing import Any

from domain.entities.user import Viewer
from domain.errors import BadUserInput
from persistence.database import Database
from persistence.documents.compiler import Compiler, Plan
from persistence.documents.dialects import DIALECTS
from persistence.documents.roots import Reference
from persistence.documents.selection import Selection

PLANS_KEPT = 2_000
FOREIGN_CURSOR = "\x01"


class DocumentReader:
    """Reads documents of one database. `compiled` counts the plans that had to be made."""

    def __init__(
        self,
        database: Database,
        services: Callable[[Selection], Mapping[str, str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._dialect = DIALECTS[database.dialect_name]
        self._services = services
        self._clock = clock
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()
        self.compiled = 0

    async def read(
        self,
        reference: Reference,
        *,
        plan_key: Hashable,
        selection: Callable[[], Selection],
        variables: Any,
        viewer: Viewer,
    ) -> str | None:
        """The document's JSON text, or None where there is nothing for this viewer.

        `plan_key` stands for the place in its operation and the shape of its variables; `selection` is only asked
        for where no plan is cached. Raises BadUserInput for page sizes and cursors, ServiceUnavailable.
        """
        plan = self._plan((plan_key, reference.structure), reference, selection, variables)
        values = plan.bind(viewer, self._clock(), reference.values, variables)
        rows = await self._database.fetch(plan.sql, values)
        text: str | None = rows[0][0] if rows else None
        if plan.checks_cursors and text is not None and FOREIGN_CURSOR in text:
            raise BadUserInput("This cursor is of another organization. Begin again without it.")
        return text

    def _plan(self, key: Hashable, reference: Reference, selection: Callable[[], Selection], variables: Any) -> Plan:
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
            return plan
        compiler = Compiler(self._dialect, variables, self._services)
        plan = compiler.plan(reference.writer(compiler, selection()))
        self.compiled += 1
        self._plans[key] = plan
        if len(self._plans) > PLANS_KEPT:
            self._plans.popitem(last=False)
        return plan
