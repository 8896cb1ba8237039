"""RefusalLog: what clients did wrong, a line each, so that operators see who stumbles over what.

Used by WatchedOperations, the view and the sockets. A line has a code, and of an operation the hash of its text and, if
it is valid, its name. It never has a message, since those may repeat what a client wrote.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

MOST_LINES: Final = 600
"""In a minute: whoever floods the server doesn't flood its log."""

MINUTE_SECONDS: Final = 60.0

_log: Final = logging.getLogger(__name__)


class RefusalLog:
    """One a process."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ends_at = float("-inf")
        self._noted = 0

    def note(self, text: str, *arguments: object) -> None:
        """Write a line, unless there are too many in this minute; how many weren't written is told in a later one."""
        now = self._monotonic()
        if now >= self._ends_at:
            if self._noted > MOST_LINES:
                _log.info("%d more refusals came than were written here.", self._noted - MOST_LINES)
            self._ends_at, self._noted = now + MINUTE_SECONDS, 0
        self._noted += 1
        if self._noted <= MOST_LINES:
            _log.info(text, *arguments)
