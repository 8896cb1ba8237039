"""Ways of being someone: by a key, by a key for one organization, or as a person by a provider's token or a session.

A way is a function from a person to whom a request of theirs is from; a new one is a line in `WAYS`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import update

from domain.address_guard import OutboundAllow
from domain.api_key import parse_api_key
from domain.entities.user import User, Viewer
from domain.http import HttpClient
from domain.identity_providers.bearer_tokens import BearerTokens
from domain.identity_providers.issuer import Issuer
from domain.identity_providers.provider import IdentityProviders
from domain.recognition import Recognition
from domain.sessions import SessionLifetimes, Sessions
from domain.user_service import UserService
from gql.proof import BearerToken, Proof, SessionProof
from persistence.database import Database
from persistence.tables import api_keys
from persistence.unit_of_work import SqlUnitsOfWork
from tests.documents.world_maker import NOW
from tests.every_row import every_row
from tests.isolation.two_organizations import Person
from tests.local_issuer import AUDIENCE, LocalIssuer, running_local_issuer


@dataclass(frozen=True, slots=True)
class Reception:
    """Who recognizes callers, and the identity provider that it trusts."""

    database: Database
    users: UserService
    sessions: Sessions
    issuer: LocalIssuer


@dataclass(frozen=True, slots=True)
class Known:
    """Whom a request is from, and how they show it."""

    viewer: Viewer
    proof: Proof


Way = Callable[[Reception, Person, UUID], Awaitable[Known]]
"""Given the id of the person's organization, too."""


async def by_key(reception: Reception, person: Person, _organization_id: UUID) -> Known:
    """A real key, recognized as each request's is."""
    assert person.organization is not None
    token = (await reception.users.issue_api_key(person.organization, person.email, person.role)).reveal()
    return await _known(BearerToken(reception.users, token))


async def by_confined_key(reception: Reception, person: Person, organization_id: UUID) -> Known:
    """A key that acts in one organization only."""
    assert person.organization is not None
    token = (await reception.users.issue_api_key(person.organization, person.email, person.role)).reveal()
    key = parse_api_key(token)
    assert key is not None
    async with every_row(reception.database) as connection:
        await connection.execute(update(api_keys).where(api_keys.c.id == key.id).values(confined=True))
    known = await _known(BearerToken(reception.users, token))
    assert known.viewer.confined_to == organization_id
    return known


async def as_person(reception: Reception, person: Person, _organization_id: UUID) -> Known:
    """By a real access token of an identity provider, which says whose e-mail address it is."""
    claims = reception.issuer.claims(
        NOW.timestamp(), sub=str(person.user_id), name=person.name, email=person.email, email_verified=True
    )
    known = await _known(BearerToken(reception.users, reception.issuer.sign(claims)))
    assert known.viewer.user_id == person.user_id
    return known


async def by_session(reception: Reception, person: Person, _organization_id: UUID) -> Known:
    """As a person who has signed in with a browser."""
    user = User(person.user_id, person.name, person.email, None, NOW)
    begun = await reception.sessions.begin(user, reception.issuer.url)
    return await _known(SessionProof(reception.sessions, begun.secret.reveal()))


async def _known(proof: Proof) -> Known:
    return Known(await proof.viewer(), proof)


WAYS: Final[dict[str, Way]] = {
    "key": by_key,
    "confined key": by_confined_key,
    "person": as_person,
    "session": by_session,
}


@asynccontextmanager
async def reception(database: Database) -> AsyncIterator[Reception]:
    """At the moment at which the generated world stands still."""
    async with AsyncExitStack() as opened:
        issuer = await opened.enter_async_context(running_local_issuer())
        units = SqlUnitsOfWork(database, lambda _: None)
        http = await opened.enter_async_context(aclosing(HttpClient(allow=OutboundAllow.parse("127.0.0.1"))))
        trusted = Issuer(id="main", url=issuer.url, audiences=(AUDIENCE,))
        providers = await opened.enter_async_context(aclosing(IdentityProviders([trusted], http)))
        bearer_tokens = BearerTokens(providers, Recognition(units, lambda: NOW), lambda: NOW)
        users = await opened.enter_async_context(aclosing(UserService(units, lambda: NOW, bearer_tokens)))
        lifetimes = SessionLifetimes(timedelta(hours=1), timedelta(days=1))
        kept = Sessions(units, lambda: NOW, lifetimes, {issuer.url})
        sessions = await opened.enter_async_context(aclosing(kept))
        yield Reception(database, users, sessions, issuer)
