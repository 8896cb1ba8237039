"""AuthorizationCode: the authorization of a service that keeps to OAuth's authorization code grant (RFC 6749, 7636).

Made by GitLab and GenericService, which say where their endpoints are.
"""

from dataclasses import dataclass

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]  # authlib has no types

from domain.credential_secrets import OAuthSecret
from domain.services.authorization import AuthorizationMethod, AuthorizationRequest, AuthorizationReturn, Grant
from domain.services.service_fault import ServiceFault
from domain.services.token_endpoint import TokenEndpoint


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """One client's way through the browser. `issuer`: None for a service that never says who it is."""

    authorize_url: str
    endpoint: TokenEndpoint
    issuer: str | None
    uses_pkce: bool = True

    @property
    def methods(self) -> tuple[AuthorizationMethod, ...]:
        return (AuthorizationMethod.OAUTH2,)

    def address(self, request: AuthorizationRequest) -> str:
        challenge = request.code_challenge if self.uses_pkce else None
        written: str = prepare_grant_uri(
            self.authorize_url,
            self.endpoint.client.client_id,
            "code",
            redirect_uri=request.redirect_uri,
            scope=self.endpoint.scope_separator.join(request.scopes),
            state=request.state.reveal(),
            code_challenge=challenge,
            code_challenge_method=None if challenge is None else "S256",
        )
        return written

    async def exchange(self, returned: AuthorizationReturn) -> Grant | ServiceFault:
        return await self.endpoint.exchange(returned)

    async def refresh(self, secret: OAuthSecret) -> Grant | ServiceFault:
        return await self.endpoint.refresh(secret)
