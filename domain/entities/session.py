"""Session: that somebody is signed in in a browser; SignInFlow: that a browser has left to sign in and isn't back yet.

Kept by Sessions and SignIn. Of everything that proves something, only a hash or a sealed text is kept.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(slots=True)
class Session:
    """`issuer`: which identity provider said who it is. `expires_at`: its end, however much it is used."""

    id: UUID
    secret_hash: bytes = field(repr=False)
    user_id: UUID
    issuer: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime

    def usable_at(self, now: datetime, idle: timedelta) -> bool:
        """Whether it opens anything at this moment, where it ends after being unused for `idle`."""
        return now < min(self.expires_at, self.seen_at + idle)


@dataclass(frozen=True, slots=True)
class SignInFlow:
    """`browser_hash`: of what the same browser has to bring back. `return_to`: a path of this server."""

    state_hash: bytes = field(repr=False)
    browser_hash: bytes = field(repr=False)
    issuer: str
    nonce: str = field(repr=False)
    sealed_verifier: str = field(repr=False)
    return_to: str
    created_at: datetime
    expires_at: datetime
