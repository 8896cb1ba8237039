"""Sessions: in which browsers somebody is signed in. Begun by SignIn, asked for by every request with the cookie.

A session is a secret of 256 random bits that only the browser knows. Nobody chooses it but this server: signing in
always makes a new one and ends the browser's old one, so that a secret which was put into a browser before (session
fixation) opens nothing afterwards.
"""

import asyncio
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from domain.entities.audit import AuditAction, AuditRecord
from domain.entities.event import Actor
from domain.entities.health import Json
from domain.entities.identifiers import new_id
from domain.entities.session import Session
from domain.entities.user import Role, User, Viewer
from domain.errors import Unauthenticated
from domain.moment_cache import MomentCache
from domain.noted_uses import NotedUses
from domain.one_time_tokens import new_one_time_token, one_time_hash
from domain.ports import UnitOfWork, UnitsOfWork
from domain.secret import Secret

SIGNED_OUT: Final = "This session has ended. Sign in again."


@dataclass(frozen=True, slots=True)
class SessionLifetimes:
    """`idle`: how long it lasts unused; `longest`: how long at all."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class BegunSession:
    """The secret that the browser is to keep until `expires_at`. It is told this once."""

    secret: Secret
    expires_at: datetime
    user: User = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who it is, and the session as it was read."""

    viewer: Viewer
    session: Session


class Sessions:
    """One a process: it remembers for a moment who is signed in. Close it before the database.

    `issuers`: by whom people sign in. Once one is taken out of the settings, a session that it has begun opens nothing.

    What is ended here opens nothing in this process from then on, and in others within `moment_cache.LIFETIME`.
    """

    def __init__(
        self,
        units_of_work: UnitsOfWork,
        clock: Callable[[], datetime],
        lifetimes: SessionLifetimes,
        issuers: Collection[str],
    ) -> None:
        self._units_of_work = units_of_work
        self._clock = clock
        self._lifetimes = lifetimes
        self._issuers = issuers
        self._cache: MomentCache[bytes, SignedIn] = MomentCache()
        self._uses = NotedUses(units_of_work, "session(s)", lambda unit, each, at: unit.sessions.mark_seen(each, at))
        self._asking: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def aclose(self) -> None:
        """Wait for what is still being written beside the requests."""
        await self._uses.aclose()

    async def begin(self, user: User, issuer: str, *, replaces: str | None = None) -> BegunSession:
        """Sign a user in who has proven who they are. `replaces`: the secret that the browser has kept so far."""
        secret, now = new_one_time_token(), self._clock()
        session = Session(
            id=new_id(),
            secret_hash=one_time_hash(secret.reveal()),
            user_id=user.id,
            issuer=issuer,
            created_at=now,
            seen_at=now,
            expires_at=now + self._lifetimes.longest,
        )
        replaced_hash = None if replaces is None else one_time_hash(replaces)
        async with self._units_of_work.writing_everywhere() as unit:
            replaced = None if replaced_hash is None else await unit.sessions.take(replaced_hash)
            if replaced is not None and replaced.user_id != user.id:
                await self._record_end(unit, replaced.user_id, {"issuer": replaced.issuer})
            await unit.sessions.add(session)
            await self._record(unit, user, AuditAction.SIGNED_IN, {"issuer": issuer})
            await unit.commit()
        if replaced_hash is not None:
            self._cache.forget(replaced_hash)
        return BegunSession(secret, session.expires_at, user)

    async def authenticate(self, secret: str, *, counts_as_use: bool = True) -> Viewer:
        """Who is signed in by this secret. Raises Unauthenticated, in the same words whatever is wrong with it.

        `counts_as_use`: whether the session is kept from ending unused; not where nobody asks but Tether itself.
        """
        if not _FORM.fullmatch(secret):
            raise Unauthenticated(SIGNED_OUT)
        secret_hash = one_time_hash(secret)
        signed_in = self._cache.find(secret_hash, self._clock())
        if signed_in is None:
            # Of requests that come at once, one asks the database and the others wait for what it learns.
            async with self._asking.setdefault(secret_hash, asyncio.Lock()):
                signed_in = self._cache.find(secret_hash, self._clock()) or await self._look_up(secret_hash)
        if counts_as_use:
            self._uses.note(signed_in.session.id, signed_in.session.seen_at, self._clock())
        return signed_in.viewer

    async def end(self, secret: str) -> None:
        """Sign out in the browser that keeps this secret. Where it has ended already, nothing is to be done."""
        secret_hash = one_time_hash(secret)
        async with self._units_of_work.writing_everywhere() as unit:
            session = await unit.sessions.take(secret_hash)
            if session is not None:
                await self._record_end(unit, session.user_id, {"issuer": session.issuer})
                await unit.commit()
        self._cache.forget(secret_hash)

    async def end_everywhere(self, secret: str) -> None:
        """Sign out whoever is signed in by this secret, in all of their browsers. Raises Unauthenticated for nobody.

        An expired one counts as nobody: it must not end what was begun after it.
        """
        viewer = await self.authenticate(secret, counts_as_use=False)
        async with self._units_of_work.writing_everywhere() as unit:
            sessions = await unit.sessions.take_all_of(viewer.user_id)
            if sessions:
                await self._record_end(unit, viewer.user_id, {"everywhere": True, "sessions": len(sessions)})
                await unit.commit()
        self._cache.forget_where(lambda each: each.viewer.user_id == viewer.user_id)

    async def forget_ended(self, now: datetime, limit: int) -> int:
        """Forget at most `limit` of those that have run out; how many."""
        async with self._units_of_work.writing_everywhere() as unit:
            forgotten = await unit.sessions.forget(expired=now, unused_since=now - self._lifetimes.idle, limit=limit)
            await unit.commit()
        return forgotten

    async def _look_up(self, secret_hash: bytes) -> SignedIn:
        now, ends = self._clock(), self._cache.ends
        async with self._units_of_work.reading_everywhere() as unit:
            found = await unit.sessions.find(secret_hash)
        if found is None or not found[0].usable_at(now, self._lifetimes.idle):
            raise Unauthenticated(SIGNED_OUT)
        session, user = found
        if session.issuer not in self._issuers:
            raise Unauthenticated(SIGNED_OUT)
        signed_in = SignedIn(Viewer(user.id, user.name, Role.OWNER), session)
        until = min(session.expires_at, session.seen_at + self._lifetimes.idle)
        self._cache.keep(secret_hash, signed_in, now, expires_at=until, ends=ends)
        return signed_in

    async def _record_end(self, unit: UnitOfWork, user_id: UUID, data: dict[str, Json]) -> None:
        user = await unit.users.find(user_id)
        if user is not None:
            await self._record(unit, user, AuditAction.SIGNED_OUT, data)

    async def _record(self, unit: UnitOfWork, user: User, action: AuditAction, data: dict[str, Json]) -> None:
        """In each organization that they belong to."""
        actor = Actor.of(Viewer(user.id, user.name, Role.OWNER))
        for organization_id in await unit.memberships.organizations_of(user.id):
            await unit.audit.add(AuditRecord.of_person(actor, organization_id, user, action, self._clock(), **data))


_FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}")
"""Of our one-time tokens: for anything else the database needn't be asked."""
