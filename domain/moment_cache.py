"""MomentCache: who somebody is, or what is published, remembered for a moment, so that not every request asks for it.

Used by UserService for API keys, by BearerTokens, Sessions and TrustedDocuments. Its keys are hashes or ids, never
secrets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

LIFETIME: Final = timedelta(seconds=2)
"""How long what another process has revoked or ended may go on opening things in this one."""

SIZE: Final = 10_000

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[_Value]):
    value: _Value
    since: datetime
    until: datetime


class MomentCache(Generic[_Key, _Value]):
    """At most `SIZE` values, each for at most `LIFETIME`.

    `ends` counts how often something was forgotten. Who reads a value from the database shows the number from before:
    what is revoked or ended here meanwhile isn't kept.
    """

    def __init__(self) -> None:
        self._entries: dict[_Key, _Entry[_Value]] = {}
        self.ends = 0

    def find(self, key: _Key, now: datetime) -> _Value | None:
        """If it was kept within the lifetime. A clock that was set back ends that, too."""
        entry = self._entries.get(key)
        return entry.value if entry is not None and entry.since <= now < entry.until else None

    def keep(
        self, key: _Key, value: _Value, now: datetime, *, expires_at: datetime | None, ends: int | None = None
    ) -> None:
        """Remember it, but not past its end, `expires_at`. If there is no room, the oldest entry makes some.

        `ends`: None for what nobody can revoke here.
        """
        if ends not in {None, self.ends}:
            return
        until = now + LIFETIME if expires_at is None else min(now + LIFETIME, expires_at)
        self._entries.pop(key, None)
        if len(self._entries) >= SIZE:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = _Entry(value, now, until)

    def forget(self, key: _Key) -> None:
        """It has ended."""
        self.ends += 1
        self._entries.pop(key, None)

    def forget_where(self, ended: Callable[[_Value], bool]) -> None:
        """All of these have ended."""
        self.ends += 1
        self._entries = {key: entry for key, entry in self._entries.items() if not ended(entry.value)}
