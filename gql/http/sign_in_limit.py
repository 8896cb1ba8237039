"""SignInLimit: how many sign-ins strangers may begin, each of which is kept for ten minutes. Asked by `sign_in.py`.

Each process counts for itself, so that what is kept is bounded by the number of processes.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from starlette.requests import Request

from gql.http.client import client_network

MOST: Final = 1200
"""In a minute."""
MOST_OF_ONE: Final = 120
"""In a minute from one address: those of an office, which share one, get in, and nobody keeps all others out."""
MINUTE_SECONDS: Final = 60.0

_log: Final = logging.getLogger(__name__)


class SignInLimit:
    """One a process."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ends_at = float("-inf")
        self._begun: Counter[str] = Counter()
        self._told = False

    def takes(self, request: Request) -> bool:
        """Whether one more may be begun, which is then counted."""
        now = self._monotonic()
        if now >= self._ends_at:
            self._ends_at, self._told = now + MINUTE_SECONDS, False
            self._begun.clear()
        client = client_network(request)
        if self._begun.total() >= MOST or (client and self._begun[client] >= MOST_OF_ONE):
            self._tell(client)
            return False
        self._begun[client] += 1
        return True

    def _tell(self, client: str) -> None:
        """Once a minute: whoever floods the server doesn't flood its log."""
        if not self._told:
            _log.warning(
                "Too many sign-ins are begun, from %s among others: more wait for a minute.", client or "a proxy"
            )
            self._told = True
