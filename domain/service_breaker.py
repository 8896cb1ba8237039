"""BreakerWindow: whether a service is down, by the latest answers that a process had from it. Pure; used by
ServiceBreakers.
"""

from collections import Counter, deque
from typing import Final

LATEST: Final = 40
"""How many of the latest answers count."""
LEAST: Final = 10
"""How few of them prove nothing: with a handful of connections, each one's health says it better."""
SHARE: Final = 0.7
"""How many of them have to be the same failure."""
SECONDS: Final = 60.0
"""How old they may be: longer than a call may take, so that a service that doesn't answer is seen as well."""


class BreakerWindow:
    """One service's. Each answer is told by its code where it was a failure of the service, else by None."""

    def __init__(self) -> None:
        self._answers: deque[tuple[float, str | None]] = deque(maxlen=LATEST)

    def add(self, code: str | None, at_seconds: float) -> None:
        """`at_seconds` is of a clock that never goes back."""
        self._answers.append((at_seconds, code))

    def failing_as(self, now_seconds: float) -> str | None:
        """The code of the failure that most answers are; None where the service isn't down."""
        while self._answers and self._answers[0][0] < now_seconds - SECONDS:
            self._answers.popleft()
        if len(self._answers) < LEAST:
            return None
        code, count = Counter(code for _, code in self._answers).most_common(1)[0]
        return code if code is not None and count >= SHARE * len(self._answers) else None

    def is_open(self, now_seconds: float) -> bool:
        """Whether a few answers more may show that the service is down: too few yet, and all of them failures."""
        self.failing_as(now_seconds)
        return len(self._answers) < LEAST and all(code is not None for _, code in self._answers)

    def clear(self) -> None:
        """Forget them: what was so before an incident says nothing about the time after it."""
        self._answers.clear()
