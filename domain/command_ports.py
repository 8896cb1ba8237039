"""What the domain needs of whatever keeps runs of commands.

Properties of UnitOfWork in `domain/ports.py`, which says what the verbs mean; implemented in `persistence/`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.entities.command_run import CommandRun


class CommandRunRepository(Protocol):
    """Runs of the unit of work's organization, those through deleted connections included."""

    async def get(self, run_id: UUID) -> CommandRun:
        """Locked against other writers until the unit ends. Raises NotFound."""

    async def find(self, run_id: UUID) -> CommandRun | None: ...

    async def add(self, run: CommandRun) -> None: ...

    async def save(self, run: CommandRun) -> None:
        """Store how far it has come."""


class CommandRunHistory(Protocol):
    """Runs of all organizations."""

    async def abandoned(self, now: datetime, limit: int) -> Sequence[tuple[UUID, UUID]]:
        """Organization and id of runs of which whoever called should have told by now what came of them."""

    async def forget(self, created_before: datetime, limit: int) -> int:
        """Remove those that have finished, the oldest first; how many it were."""
