"""ViewerCache: whose an API key or a token is, remembered for a moment, so that not every request asks the database.

Used by UserService and BearerTokens. It holds the hashes of secrets, never a secret.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar
from uuid import UUID

from domain.entities.user import Viewer

LIFETIME: Final = timedelta(seconds=2)
"""How long a key that another process has revoked may go on opening things in this one."""

SIZE: Final = 10_000

_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class _Entry:
    viewer: Viewer
    since: datetime
    until: datetime


class ViewerCache(Generic[_Key]):
    """At most `SIZE` viewers, each for at most `LIFETIME`.

    `ends` counts how often keys were forgotten. Who reads one from the database shows the number from before: a key
    that is revoked here meanwhile isn't kept.
    """

    def __init__(self) -> None:
        self._entries: dict[_Key, _Entry] = {}
        self.ends = 0

    def find(self, key: _Key, now: datetime) -> Viewer | None:
        """The viewer, if it was kept within the lifetime. A clock that was set back ends that, too."""
        entry = self._entries.get(key)
        return entry.viewer if entry is not None and entry.since <= now < entry.until else None

    def keep(
        self, key: _Key, viewer: Viewer, now: datetime, *, expires_at: datetime | None, ends: int | None = None
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
        self._entries[key] = _Entry(viewer, now, until)

    def forget_keys(self, key_ids: Collection[UUID]) -> None:
        """These were revoked: ask the database for them from now on."""
        self.ends += 1
        self._entries = {key: entry for key, entry in self._entries.items() if entry.viewer.api_key_id not in key_ids}
