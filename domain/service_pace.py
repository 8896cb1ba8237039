"""ServicePace: how many calls of a service a process makes at once. Pure; used by HealthWorker through ServiceBreakers.

It begins with a few, makes one more with each answer, and half as many with each failure of the service, as TCP does: a
service that has just died, or is about to, isn't called by everybody at once.
"""

from typing import Final

FIRST: Final = 8


class ServicePace:
    """One service's, `most` at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._at_once = float(min(FIRST, most))

    @property
    def at_once(self) -> int:
        """At least one."""
        return int(self._at_once)

    def answered(self) -> None:
        """It has answered, whatever it said."""
        self._at_once = min(self._most, self._at_once + 1)

    def failed(self) -> None:
        """It gave no answer to use."""
        self._at_once = max(1.0, self._at_once / 2)
