"""A UserService that trusts issuers, on a real database, with clocks that tests move. Used by the tests here."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from domain.address_guard import OutboundAllow
from domain.entities.identifiers import new_id
from domain.entities.user import User
from domain.errors import ServiceUnavailable, Unauthenticated
from domain.http import HttpClient
from domain.identity_providers.bearer_tokens import BearerTokens
from domain.identity_providers.issuer import Issuer
from domain.identity_providers.provider import IdentityProviders
from domain.measurements import NoMeasurements
from domain.recognition import Recognition
from domain.user_service import UNAUTHENTICATED, UserService
from persistence.database import Database
from persistence.unit_of_work import SqlUnitsOfWork
from tests.domain.world import Clock
from tests.local_issuer import AUDIENCE, LocalIssuer


class Told(NoMeasurements):
    """Remembers what was told of tokens and of providers."""

    def __init__(self) -> None:
        self.tokens: Counter[tuple[str, str]] = Counter()
        self.providers: Counter[tuple[str, str]] = Counter()

    def token_verified(self, issuer: str, outcome: str) -> None:
        self.tokens[issuer, outcome] += 1

    def provider_asked(self, issuer: str, outcome: str) -> None:
        self.providers[issuer, outcome] += 1


@dataclass
class Desk:
    """`now` is the clock of tokens, `seconds` that of what is kept."""

    users: UserService
    units: SqlUnitsOfWork
    database: Database
    clock: Clock = field(default_factory=Clock)
    told: Told = field(default_factory=Told)
    seconds: float = 0.0

    def claims(self, issuer: LocalIssuer, **changes: Any) -> dict[str, Any]:
        return issuer.claims(self.clock().timestamp(), **changes)

    def token(self, issuer: LocalIssuer, **changes: Any) -> str:
        """A good one, but for what is changed in its claims."""
        return issuer.sign(self.claims(issuer, **changes))

    async def user(self, token: str) -> User:
        """Whose the token is."""
        viewer = await self.users.authenticate(token)
        async with self.units.reading_everywhere() as unit:
            user = await unit.users.find(viewer.user_id)
        assert user is not None
        return user

    async def refusal(self, token: str) -> str:
        """Why the token is refused, as the operator is told; whoever sends it is told the same for every reason."""
        before = self.told.tokens.copy()
        with pytest.raises(Unauthenticated) as refusal:
            await self.users.authenticate(token)
        assert refusal.value.message == UNAUTHENTICATED
        [((_, reason), count)] = (self.told.tokens - before).items()
        assert count == 1
        return reason


@asynccontextmanager
async def a_desk(database_url: str, *issuers: Issuer) -> AsyncIterator[Desk]:
    clock, told = Clock(), Told()
    async with AsyncExitStack() as opened:
        database = await opened.enter_async_context(Database(database_url))
        units = SqlUnitsOfWork(database, lambda organization_id: None)
        http = await opened.enter_async_context(
            aclosing(HttpClient(allow=OutboundAllow.parse("127.0.0.1"), retry_delay_seconds=lambda: 0.0))
        )
        providers = IdentityProviders(issuers, http, measurements=told, monotonic=lambda: desk.seconds)
        await opened.enter_async_context(aclosing(providers))
        bearer_tokens = BearerTokens(providers, Recognition(units, clock), clock, told)
        users = await opened.enter_async_context(aclosing(UserService(units, clock, bearer_tokens)))
        desk = Desk(users, units, database, clock, told)
        yield desk


def trusted(issuer: LocalIssuer, **changes: Any) -> Issuer:
    """What the operator says of it."""
    return Issuer(**{"id": "main", "url": issuer.url, "audiences": (AUDIENCE, "tether-api"), **changes})


def signed(desk: Desk, issuer: LocalIssuer, kid: str | None = "rsa", **changes: Any) -> str:
    """A token like no other, so that none is remembered."""
    return issuer.sign(desk.claims(issuer, jti=str(new_id()), **changes), kid=kid)


async def unavailable(desk: Desk, token: str) -> None:
    with pytest.raises(ServiceUnavailable, match="The identity provider main can't be asked for its keys"):
        await desk.users.authenticate(token)
