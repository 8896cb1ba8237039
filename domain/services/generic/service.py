"""GenericService: a service that its operator has described. Made by the composition root, one a description."""

from collections.abc import Callable, Sequence
from datetime import datetime

from domain.credential_secrets import CredentialSecret, OAuthSecret
from domain.http import HttpClient, HttpFault
from domain.services.authorization import AuthorizationMethod
from domain.services.authorization_code import AuthorizationCode
from domain.services.base import IdentityAnswer, Revocation
from domain.services.boundary import host_of, malformed_token, transport_fault
from domain.services.generic.answers import read_identity
from domain.services.generic.description import GenericServiceDescription
from domain.services.service_fault import ServiceFault
from domain.services.standard_service import StandardService, bearer_of
from domain.services.token_endpoint import TokenEndpoint


class GenericService(StandardService):
    """Whose a credential is, how a browser links it, how it is refreshed and given back; nothing else."""

    revocation_spreads = True  # RFC 7009 lets a service end the whole grant of the account with one of its tokens
    authorization_methods: Sequence[AuthorizationMethod] = (AuthorizationMethod.OAUTH2, AuthorizationMethod.TOKEN)

    def __init__(self, http: HttpClient, description: GenericServiceDescription, clock: Callable[[], datetime]) -> None:
        self.id = description.id
        self.name = description.name
        self.description = description.description
        self.documentation_url = description.documentation_url
        self.scopes = description.scopes
        self.host = host_of(description.identity_url)
        self._http = http
        self._description = description
        self._clock = clock
        self._endpoint = TokenEndpoint(
            http,
            clock,
            service_id=description.id,
            service_name=description.name,
            url=description.token_url,
            revocation_url=description.revocation_url,
            client=description.client,
            authentication=description.client_authentication,
            scope_separator=description.scope_separator,
        )
        self.authorization = AuthorizationCode(
            description.authorize_url, self._endpoint, description.issuer, description.pkce
        )

    async def identify(self, secret: CredentialSecret) -> IdentityAnswer:
        """One call to the identity's address. It says nothing of scopes or of the token's end."""
        token = bearer_of(secret)
        malformed = malformed_token(self.name, token)
        if malformed is not None:
            return malformed
        headers = {"Accept": "application/json", "Authorization": f"Bearer {token.reveal()}"}
        answer = await self._http.get(self._description.identity_url, headers=headers)
        if isinstance(answer, HttpFault):
            return transport_fault(self.id, self.name, answer)
        return read_identity(answer, self._description, self._clock())

    def revokes(self, secret: CredentialSecret) -> bool:
        return self._endpoint.revokes and isinstance(secret, OAuthSecret)

    async def revoke(self, secret: CredentialSecret) -> Revocation | ServiceFault:
        """Of an OAuth grant. A token that a person has made stays theirs."""
        return await self._endpoint.revoke(secret) if isinstance(secret, OAuthSecret) else Revocation.NOT_REVOCABLE
