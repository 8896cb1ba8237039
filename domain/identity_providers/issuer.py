"""Issuer: an OpenID Connect issuer that the operator trusts, and what its word counts for.

Read from the environment by `gql/identity_settings.py`; used by everything in this folder.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""By which a token may be signed: each with a private key that only the issuer has."""


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Which claim says what. With dots, a claim within a claim: `realm_access.roles`. None: nothing says that."""

    name: str = "name"
    email: str = "email"
    email_verified: str = "email_verified"
    organization: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """`id` is the operator's name for it; `url` what `iss` has to be, character by character.

    `audiences`: one of these has to be among a bearer token's; without any, no bearer token of it opens anything.
    `email_domains` and `organizations`: of which alone its word counts; None where it does of all.
    """

    id: str
    url: str
    audiences: Collection[str]
    algorithms: Collection[str] = ALGORITHMS
    accepts_id_tokens: bool = False
    claims: ClaimNames = field(default_factory=ClaimNames)
    emails_always_verified: bool = False
    email_domains: Collection[str] | None = None
    organizations: Collection[str] | None = None
