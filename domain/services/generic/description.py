"""GenericServiceDescription: all that Tether has to know of a service with OAuth2. Made by `read_descriptions`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from domain.services.base import ServiceScope
from domain.services.oauth_client import OAuthClient
from domain.services.token_endpoint import ClientAuthentication

OPENID_ACCOUNT_ID: Final = "sub"
"""OpenID Connect's name for an account's id."""


@dataclass(frozen=True, slots=True)
class AccountPaths:
    """Where the account stands in the identity's JSON: keys with dots between, such as `data.viewer.id`."""

    id: str = OPENID_ACCOUNT_ID
    name: str | None = None
    url: str | None = None
    avatar_url: str | None = None


@dataclass(frozen=True, slots=True)
class GenericServiceDescription:
    """One service. `identity_url` tells whose a token is; `issuer`: what the callback's `iss` has to be."""

    id: str
    name: str
    description: str
    documentation_url: str
    authorize_url: str
    token_url: str
    identity_url: str
    client: OAuthClient
    scopes: Sequence[ServiceScope] = ()
    account: AccountPaths = AccountPaths()
    revocation_url: str | None = None
    issuer: str | None = None
    scope_separator: str = " "
    client_authentication: ClientAuthentication = ClientAuthentication.BASIC
    pkce: bool = True
