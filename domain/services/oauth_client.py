"""OAuthClient: what the operator has registered at a service, so that browsers can link it. From the settings."""

from dataclasses import dataclass, field

from domain.secret import Secret


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """One registration. The redirect address that belongs to it is `<public URL>/oauth/callback/<service>`."""

    client_id: str
    client_secret: Secret = field(repr=False)
