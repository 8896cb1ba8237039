"""GitHubApp: the app that the operator has registered; and the tokens with which an app calls GitHub as itself.

Used by the service, its installation tokens and its authorization.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.jwk import RSAKey

from domain.credential_secrets import GitHubAppSecret
from domain.entities.health import Remedy
from domain.secret import Secret
from domain.services.service_fault import FaultKind, ServiceFault


@dataclass(frozen=True, slots=True)
class GitHubApp:
    """The operator's app. `slug` is its name in addresses, `private_key` in PEM."""

    app_id: str
    slug: str
    private_key: Secret = field(repr=False)


class AppTokens:
    """Signs an app's tokens (JWT), and keeps each for as long as it is good: reading a key costs more than signing."""

    def __init__(self, app: GitHubApp | None, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._clock = clock
        self._tokens: dict[tuple[str, bytes], _AppToken] = {}

    def is_operators(self, secret: GitHubAppSecret) -> bool:
        """Whether the secret brings no key of its own, so that whatever is wrong with the key isn't its owner's."""
        return secret.private_key is None

    async def token(self, secret: GitHubAppSecret) -> Secret | ServiceFault:
        """Signed with the secret's own key, or the operator's where the app is the operator's."""
        key = secret.private_key
        if key is None:
            if self._app is None or self._app.app_id != secret.app_id:
                return app_not_set_up()
            key = self._app.private_key
        now, name = self._clock(), (secret.app_id, hashlib.sha256(key.reveal().encode()).digest())
        kept = self._tokens.get(name)
        if kept is not None and now < kept.renew_at:
            return kept.token
        token = await asyncio.to_thread(_signed, secret.app_id, key, now)
        if token is None:
            return _key_malformed(operators=self.is_operators(secret))
        self._tokens = {each: found for each, found in self._tokens.items() if now < found.renew_at}
        self._tokens[name] = _AppToken(token, now + _RENEWED_AFTER)
        return token


@dataclass(frozen=True, slots=True)
class _AppToken:
    token: Secret
    renew_at: datetime


def _signed(app_id: str, pem: Secret, now: datetime) -> Secret | None:
    """A JWT as GitHub wants it; None for what is no RSA key that can be used."""
    text = pem.reveal()
    if len(text) > _PEM_LENGTH:
        return None
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # no PEM, one with a pass phrase, an unknown curve
        return None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _LEAST_KEY_BITS:
        return None
    issued_at = now - _CLOCK_SKEW
    claims = {"iss": app_id, "iat": int(issued_at.timestamp()), "exp": int((now + _LIFETIME).timestamp())}
    return Secret(jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, RSAKey.import_key(key), algorithms=["RS256"]))


def _key_malformed(*, operators: bool) -> ServiceFault:
    if operators:
        return ServiceFault(
            FaultKind.CLIENT_REFUSED,
            "github_app_key_malformed",
            "The private key of this server's GitHub App can't be read. Its operator has to set it anew.",
            Remedy.CONTACT_ADMIN,
        )
    return ServiceFault(
        FaultKind.CREDENTIAL_REFUSED,
        "github_app_key_malformed",
        "This isn't the private key of a GitHub App: it has to be an RSA key in PEM, as GitHub's settings of the app "
        "give it, with all its lines and without a pass phrase.",
        Remedy.RECONNECT,
    )


def app_not_set_up() -> ServiceFault:
    return ServiceFault(
        FaultKind.CLIENT_REFUSED,
        "github_app_not_set_up",
        "This installation belongs to a GitHub App that this server isn't set up with. Its operator can change that.",
        Remedy.CONTACT_ADMIN,
    )


_CLOCK_SKEW: Final = timedelta(seconds=60)
_LIFETIME: Final = timedelta(minutes=8)  # GitHub takes no more than ten, by its own clock
_RENEWED_AFTER: Final = timedelta(minutes=5)
_PEM_LENGTH: Final = 4096  # an RSA key of 4096 bits has 3,300; far longer ones take seconds to read
_LEAST_KEY_BITS: Final = 2048
