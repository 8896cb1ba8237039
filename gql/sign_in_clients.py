"""By which identity providers browsers sign in: where the operator has registered Tether, and development's own.

Put together for the bootstrap.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from domain.address_guard import OutboundAllow
from domain.entities.identity import VerifiedIdentity
from domain.http import HttpClient
from domain.identity_providers.claims import ClaimsReader
from domain.identity_providers.issuer import ClaimNames, Issuer
from domain.identity_providers.provider import IdentityProvider, IdentityProviders
from domain.identity_providers.sign_in_client import ClientRegistration, SignInClient
from domain.identity_providers.verification import VerifiedClaims
from gql.development import CLIENT_ID, ISSUER_ID, ISSUER_PATH, NAME, SAMPLE_ISSUER
from gql.settings import Environment, Settings


@asynccontextmanager
async def sign_in_clients(
    settings: Settings, providers: IdentityProviders, http: HttpClient, clock: Callable[[], datetime]
) -> AsyncIterator[Sequence[SignInClient]]:
    """In the order of the settings. They can be used for as long as the block lasts."""
    reader, registrations = ClaimsReader(), settings.identity.registrations
    clients = [
        SignInClient(provider, registrations[provider.issuer.id], http.of(_CALLED), clock, reader.identity_of)
        for provider in providers
        if provider.issuer.id in registrations
    ]
    async with AsyncExitStack() as closing:
        if settings.development_issuer:
            # It asks this very server, and for that needs no exception in TETHER_OUTBOUND_ALLOW.
            allow = OutboundAllow.parse(urlsplit(settings.public_url).hostname or "")
            own_http = await closing.enter_async_context(aclosing(HttpClient(allow=allow)))
            own = await closing.enter_async_context(aclosing(IdentityProvider(_development_issuer(settings), own_http)))
            registration = ClientRegistration(NAME, CLIENT_ID, client_secret=None)
            clients.append(SignInClient(own, registration, own_http, clock, _developers_identity(reader)))
        yield clients


def issuers_of_sessions(settings: Settings, clients: Sequence[SignInClient]) -> Collection[str]:
    """By whom sessions count: the clients' issuers, and in development the word of GraphiQL's page."""
    development = settings.environment is Environment.DEVELOPMENT
    return {*(client.issuer for client in clients), *((SAMPLE_ISSUER,) if development else ())}


def _development_issuer(settings: Settings) -> Issuer:
    claims = ClaimNames(organization="organization", role="role")
    return Issuer(ISSUER_ID, f"{settings.public_url}{ISSUER_PATH}", audiences=(), claims=claims)


def _developers_identity(reader: ClaimsReader) -> Callable[[VerifiedClaims], VerifiedIdentity]:
    return lambda claims: replace(reader.identity_of(claims), issuer=ISSUER_ID)


_CALLED: Final = "identity-provider"
