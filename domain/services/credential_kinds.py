"""Which kinds of credential a service takes from people. Used by ServiceConnectionManager."""

from typing import Final

from domain.credential_secrets import CredentialSecret
from domain.entities.credential import CredentialKind
from domain.errors import InvalidInput
from domain.services.authorization import AuthorizationMethod
from domain.services.base import Service

_FIELD: Final = {CredentialKind.TOKEN: "token", CredentialKind.GITHUB_APP: "githubApp"}


def require_kind(service: Service, secret: CredentialSecret) -> None:
    """Raises InvalidInput for a credential of another service's kind, naming the kinds that this one takes."""
    field = _FIELD.get(secret.kind)
    taken = [name for kind, name in _FIELD.items() if AuthorizationMethod(kind.value) in service.authorization_methods]
    if field is None or field in taken:  # what OAuth gave comes from the service itself
        return
    ways = f"give a {' or a '.join(taken)}" if taken else "use authorizeConnection"
    raise InvalidInput(f"{service.name} takes no {field} as a credential: {ways}.", ("input", "credential", field))
