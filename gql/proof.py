"""Proof: how a caller has shown who they are. Kept by the Context, which asks it again: sockets outlive keys.

Made by `gql/http/callers.py` of what a request or a handshake carries, and by the sockets of `connection_init`.
"""

from dataclasses import dataclass, field
from typing import Protocol

from domain.entities.user import Viewer
from domain.errors import Unauthenticated
from domain.sessions import Sessions
from domain.user_service import UserService


class Proof(Protocol):
    """One caller's."""

    async def viewer(self, *, counts_as_use: bool = True) -> Viewer:
        """Whom it stands for at this moment. Raises Unauthenticated, and ServiceUnavailable.

        `counts_as_use`: False where nobody asks but Tether itself, to see whether it is still good.
        """


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An Authorization header, or the like in `connection_init`."""

    users: UserService
    token: str = field(repr=False)

    async def viewer(self, *, counts_as_use: bool = True) -> Viewer:
        return await self.users.authenticate(self.token)


@dataclass(frozen=True, slots=True)
class SessionProof:
    """The cookie of a browser in which somebody has signed in."""

    sessions: Sessions
    secret: str = field(repr=False)

    async def viewer(self, *, counts_as_use: bool = True) -> Viewer:
        return await self.sessions.authenticate(self.secret, counts_as_use=counts_as_use)


@dataclass(frozen=True, slots=True)
class NoProof:
    """Something that can't be taken for a proof; `why`, for the client."""

    why: str

    async def viewer(self, *, counts_as_use: bool = True) -> Viewer:
        raise Unauthenticated(self.why)
