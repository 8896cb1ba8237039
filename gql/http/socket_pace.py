"""SocketPace: how fast the messages of one socket are heard. Used by SocketConversation.

Who sends faster isn't refused but read more slowly, down to their own network's buffer: a burst comes through, and a
flood of pings costs no more than as many as are heard.
"""

import asyncio
import time


class SocketPace:
    """One socket's. As many messages as are heard in a second may come at once."""

    def __init__(self, per_second: int) -> None:
        self._seconds_each = 1 / per_second
        self._free_at = time.monotonic() - 1.0

    async def turn(self) -> None:
        """When the next message may be heard."""
        now = time.monotonic()
        self._free_at = max(self._free_at, now - 1.0) + self._seconds_each
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)
