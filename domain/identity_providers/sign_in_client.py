"""SignInClient: Tether as the client of one identity provider, for browsers: where they go, and who it is that is back.

Made by the composition root for each issuer at which the operator has registered Tether; asked by SignIn.
"""

import base64
import hashlib
import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_plus, urlsplit

import httpx2
from authlib.integrations.httpx_client import (  # type: ignore[import-untyped]  # authlib has no types
    AsyncOAuth2Client,
    OAuthError,
)

from domain.entities.health import Json
from domain.entities.identity import VerifiedIdentity
from domain.errors import ServiceUnavailable
from domain.guarded_transport import GuardedTransport
from domain.http import HttpClient
from domain.identity_providers.provider import IdentityProvider
from domain.identity_providers.refusal import Refusal, TokenRefused
from domain.identity_providers.signed_token import SignedToken
from domain.identity_providers.verification import VerifiedClaims, verified
from domain.secret import Secret
from domain.sign_in import SignInRequest, SignInReturn
from domain.sign_in_failure import SignInFailure, provider_refused, unreachable, unverified, wrong_issuer

# At DEBUG Authlib writes secrets to its log. Nothing here may.
logging.getLogger("authlib").setLevel(logging.INFO)


USUAL_SCOPES: Final = ("openid", "email", "profile")


@dataclass(frozen=True, slots=True)
class ClientRegistration:
    """What the operator has registered at the provider. `name`: what people call it. Without a secret: PKCE alone."""

    name: str
    client_id: str
    client_secret: Secret | None = field(repr=False)
    scopes: tuple[str, ...] = USUAL_SCOPES


class SignInClient:
    """Implements SignInProvider."""

    def __init__(
        self,
        provider: IdentityProvider,
        registration: ClientRegistration,
        http: HttpClient,
        clock: Callable[[], datetime],
        identity_of: Callable[[VerifiedClaims], VerifiedIdentity],
    ) -> None:
        self._provider = provider
        self._registration = registration
        self._http = http
        self._clock = clock
        self._identity_of = identity_of

    @property
    def id(self) -> str:
        return self._provider.issuer.id

    @property
    def issuer(self) -> str:
        return self._provider.issuer.url

    @property
    def name(self) -> str:
        return self._registration.name

    async def address(self, request: SignInRequest) -> str | SignInFailure:
        """The authorization endpoint with all that it needs to know (OpenID Connect Core, 3.1.2.1; RFC 7636)."""
        metadata = await self._metadata()
        if isinstance(metadata, SignInFailure):
            return metadata
        endpoint = self._endpoint(metadata, "authorization_endpoint")
        if isinstance(endpoint, SignInFailure):
            return endpoint
        async with self._client(request.redirect_uri) as client:
            address, _ = client.create_authorization_url(
                endpoint,
                state=request.state.reveal(),
                nonce=request.nonce,
                code_verifier=request.verifier.reveal(),
            )
        written: str = address
        return written

    async def identify(self, returned: SignInReturn) -> VerifiedIdentity | SignInFailure:
        """Exchange the code, and believe of the ID token what its signature, its time and its audience bear out."""
        metadata = await self._metadata()
        if isinstance(metadata, SignInFailure):
            return metadata
        if returned.issuer is None and metadata.get("authorization_response_iss_parameter_supported") is True:
            return wrong_issuer(self.name)
        endpoint = self._endpoint(metadata, "token_endpoint")
        if isinstance(endpoint, SignInFailure):
            return endpoint
        answer = await self._exchange(endpoint, self._authentication(metadata), returned)
        if isinstance(answer, SignInFailure):
            return answer
        try:
            return self._identity_of(await self._verified(answer, returned.nonce))
        except TokenRefused as refused:
            return unverified(self.name, refused.reason)
        except ServiceUnavailable as unavailable:
            return unreachable(self.name, unavailable.message)

    async def _exchange(
        self, endpoint: str, authentication: Any, returned: SignInReturn
    ) -> Mapping[str, Json] | SignInFailure:
        """The code against tokens; sent once, since a code works once."""
        try:
            async with self._client(returned.redirect_uri) as client:
                answer: Mapping[str, Json] = await client.fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=returned.code,
                    code_verifier=returned.verifier.reveal(),
                    auth=client.client_auth(authentication),
                )
        except OAuthError as refused:
            return provider_refused(self.name, f"The token endpoint says {str(refused.error)[:60]!r}.")
        except httpx2.HTTPStatusError as failed:
            return provider_refused(self.name, f"The token endpoint answered with {failed.response.status_code}.")
        except httpx2.HTTPError as failed:
            return unreachable(self.name, f"The token endpoint: {failed}.")
        except (ValueError, TypeError, RecursionError):
            return provider_refused(self.name, "The token endpoint's answer can't be read.")
        return answer

    async def _verified(self, answer: Mapping[str, Json], nonce: str) -> VerifiedClaims:
        """OpenID Connect Core, 3.1.3.7. Raises TokenRefused and ServiceUnavailable."""
        text, client_id = answer.get("id_token"), self._registration.client_id
        if not isinstance(text, str):
            raise TokenRefused(Refusal.MALFORMED)
        token = SignedToken.read(text)
        claims = await verified(token, self._provider, (client_id,), self._clock)
        told = claims.claims
        if "iat" not in told or not _same(told.get("nonce"), nonce):
            raise TokenRefused(Refusal.CLAIMS)
        several = isinstance(told.get("aud"), list) and told["aud"] != [client_id]
        if told.get("azp", None if several else client_id) != client_id:
            raise TokenRefused(Refusal.AUDIENCE)
        at_hash = told.get("at_hash")
        if at_hash is not None and not _same(at_hash, _half_hash(answer.get("access_token"), token.algorithm)):
            raise TokenRefused(Refusal.CLAIMS)
        return claims

    async def _metadata(self) -> Mapping[str, Json] | SignInFailure:
        try:
            return (await self._provider.metadata()).document
        except ServiceUnavailable as unavailable:
            return unreachable(self.name, unavailable.message)

    def _endpoint(self, metadata: Mapping[str, Json], name: str) -> str | SignInFailure:
        """From the provider's metadata, if it is as safe as the provider itself."""
        url = metadata.get(name)
        if not isinstance(url, str) or not _as_safe(url, self.issuer):
            return provider_refused(self.name, f"Its metadata has no {name} that can be used.")
        return url

    def _authentication(self, metadata: Mapping[str, Json]) -> Any:
        """How the client shows its secret: as the provider says it wants it, the usual way first."""
        if self._registration.client_secret is None:
            return "none"
        supported = metadata.get("token_endpoint_auth_methods_supported")
        only_post = isinstance(supported, list) and "client_secret_basic" not in supported
        return "client_secret_post" if only_post else _basic

    def _client(self, redirect_uri: str) -> AsyncOAuth2Client:
        secret = self._registration.client_secret
        return AsyncOAuth2Client(
            self._registration.client_id,
            None if secret is None else secret.reveal(),
            scope=" ".join(self._registration.scopes),
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            transport=GuardedTransport(self._http),
            trust_env=False,
        )


def _basic(client: Any, _method: str, uri: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
    """RFC 6749, 2.3.1: both are encoded first, which Authlib leaves out."""
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return uri, headers, body


def _as_safe(url: str, issuer: str) -> bool:
    """By TLS, unless the provider itself isn't. No address holds anything but ASCII, though JSON's text can."""
    if not url.isascii() or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"https", urlsplit(issuer).scheme} and bool(parts.hostname) and not parts.fragment


def _same(told: Json, expected: str | None) -> bool:
    if not isinstance(told, str) or not told.isascii() or expected is None:
        return False
    return hmac.compare_digest(told, expected)


def _half_hash(access_token: Json, algorithm: str) -> str | None:
    """`at_hash` of an access token: half of its hash by the function that the ID token is signed with."""
    if not isinstance(access_token, str) or not access_token.isascii():
        return None
    digest = hashlib.new(f"sha{_DIGITS.get(algorithm[-3:], '512')}", access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


_DIGITS: Final = {"256": "256", "384": "384", "512": "512"}  # Ed25519's is SHA-512
