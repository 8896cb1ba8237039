"""SessionCache: who is signed in by a session, remembered for a moment, so that not every request asks the database.

Used by Sessions. It holds the hashes of secrets, never a secret.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.entities.session import Session
from domain.entities.user import Viewer

LIFETIME: Final = timedelta(seconds=2)
"""How long a session that another process has ended may go on opening things in this one."""

SIZE: Final = 10_000


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who it is, and the session as it was read."""

    viewer: Viewer
    session: Session


@dataclass(frozen=True, slots=True)
class _Entry:
    signed_in: SignedIn
    since: datetime
    until: datetime


class SessionCache:
    """At most `SIZE` sessions, each for at most `LIFETIME`.

    `ends` counts what has been forgotten. Who reads a session from the database shows the number from before: a session
    that is ended here meanwhile isn't kept.
    """

    def __init__(self) -> None:
        self._entries: dict[bytes, _Entry] = {}
        self.ends = 0

    def find(self, secret_hash: bytes, now: datetime) -> SignedIn | None:
        """If it was kept within the lifetime. A clock that was set back ends that, too."""
        entry = self._entries.get(secret_hash)
        return entry.signed_in if entry is not None and entry.since <= now < entry.until else None

    def keep(self, signed_in: SignedIn, now: datetime, *, until: datetime, ends: int) -> None:
        """Remember it, but not past its own end, `until`. If there is no room, the oldest entry makes some."""
        if ends != self.ends:
            return
        self._entries.pop(signed_in.session.secret_hash, None)
        if len(self._entries) >= SIZE:
            del self._entries[next(iter(self._entries))]
        self._entries[signed_in.session.secret_hash] = _Entry(signed_in, now, min(now + LIFETIME, until))

    def forget(self, secret_hash: bytes) -> None:
        """It has ended."""
        self.ends += 1
        self._entries.pop(secret_hash, None)

    def forget_all_of(self, user_id: UUID) -> None:
        """All of a user's have ended."""
        self.ends += 1
        entries = self._entries.items()
        self._entries = {each: entry for each, entry in entries if entry.signed_in.viewer.user_id != user_id}
