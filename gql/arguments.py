"""How mutations read their arguments: ids of a type, the credential that is given, what was left out.

Used by `gql/mutations.py`. What can't be read raises what the manager would raise for it.
"""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import strawberry

from domain.credential_secrets import CredentialSecret, GitHubAppSecret, TokenSecret
from domain.entities.identifiers import Kind, parse_id
from domain.errors import InvalidInput, NotFound
from domain.secret import Secret
from domain.unset import UNSET as UNCHANGED
from domain.unset import Unset
from gql.inputs import CredentialInput

Value = TypeVar("Value")


def organization_id(text: str) -> UUID:
    """Raises NotFound."""
    return _id(Kind.ORGANIZATION, text, NotFound.organization)


def connection_id(text: str) -> UUID:
    """Raises NotFound."""
    return _id(Kind.CONNECTION, text, NotFound.connection)


def repository_id(text: str) -> UUID:
    """Raises NotFound."""
    return _id(Kind.REPOSITORY, text, NotFound.repository)


def user_id(text: str) -> UUID:
    """Raises NotFound."""
    return _id(Kind.USER, text, NotFound.member)


def invitation_id(text: str) -> UUID:
    """Raises NotFound."""
    return _id(Kind.INVITATION, text, NotFound.invitation)


def api_key_id(text: str) -> UUID:
    """Raises NotFound."""
    return _id(Kind.API_KEY, text, NotFound.api_key)


def secret_of(credential: CredentialInput) -> CredentialSecret:
    """The credential, given in one of its ways. Raises InvalidInput."""
    field = "token" if credential.token else "githubApp"
    try:
        if credential.token:
            return TokenSecret(Secret(credential.token.token))
        if credential.github_app:
            app = credential.github_app
            return GitHubAppSecret(app.app_id.strip(), app.installation_id.strip(), Secret(app.private_key.strip()))
    except ValueError as wrong:  # which quotes nothing of a secret
        raise InvalidInput(str(wrong), ("input", "credential", field)) from None
    raise InvalidInput("Give a token or a githubApp.", ("input", "credential"))


def given(value: Value | None) -> Value | Unset | None:
    """A member of an input whose null means something else than leaving it out."""
    return UNCHANGED if value is strawberry.UNSET else value


def _id(kind: Kind, text: str, missing: Callable[[], NotFound]) -> UUID:
    parsed = parse_id(kind, text)
    if parsed is None:
        raise missing()
    return parsed
