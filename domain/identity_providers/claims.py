"""ClaimsReader: what verified claims say of a person, as far as the issuer's word counts. Called by `bearer_tokens.py`
and by sign-in.

A claim that can't be used is left out, so that nobody is locked out by their picture; what the operator may want to
mend is told to the log, once.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Final

from domain.entities.health import Json
from domain.entities.identity import VerifiedIdentity
from domain.entities.text import NAME_LENGTH
from domain.entities.user import Role
from domain.identity_providers.issuer import Issuer
from domain.identity_providers.verification import VerifiedClaims
from domain.services.boundary import clean_text, clean_url

LONGEST_EMAIL: Final = 254
MOST_TOLD: Final = 1_000

_log: Final = logging.getLogger(__name__)


class ClaimsReader:
    """One a process: it remembers what it has told."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def identity_of(self, verified: VerifiedClaims) -> VerifiedIdentity:
        """The person, with an address only where it is theirs for certain."""
        issuer, claims = verified.issuer, verified.claims
        name = clean_text(_claim(claims, issuer.claims.name))
        return VerifiedIdentity(
            issuer=issuer.url,
            subject=verified.subject,
            name=None if name is None else name[:NAME_LENGTH].strip(),
            email=_email(issuer, claims),
            avatar_url=clean_url(claims.get("picture")),
            organization=self._organization(issuer, claims),
            role=self._role(issuer, claims),
            issued_at=verified.issued_at,
        )

    def _organization(self, issuer: Issuer, claims: Mapping[str, Json]) -> str | None:
        """The slug, if the claim names one organization, of which the issuer may speak."""
        if issuer.claims.organization is None:
            return None
        named = list(_texts(_claim(claims, issuer.claims.organization)))
        if not named:
            return None
        if len(named) > 1:
            self._tell(issuer, "its claim of the organization names several, of which none is taken")
            return None
        slug = named[0]
        if not _SLUG.fullmatch(slug):
            self._tell(issuer, "its claim of the organization holds what can't be an organization's slug")
            return None
        if issuer.organizations is not None and slug not in issuer.organizations:
            self._tell(issuer, f"its claim names the organization {slug}, of which it may not speak")
            return None
        return slug

    def _role(self, issuer: Issuer, claims: Mapping[str, Json]) -> Role | None:
        """The highest role that the claim names, among whatever else it names."""
        if issuer.claims.role is None:
            return None
        roles: list[Role] = []
        for named in _texts(_claim(claims, issuer.claims.role)):
            if named.isascii() and named.upper() in set(Role):  # to Unicode, an ı without its dot is an I, too
                roles.append(Role(named.upper()))
            else:
                shown = clean_text(named) or ""
                self._tell(issuer, f"its claim of the role names {shown[:60]!r}, which is no role of Tether")
        return min(roles, key=lambda role: role.rank, default=None)

    def _tell(self, issuer: Issuer, what: str) -> None:
        if (issuer.id, what) not in self._told and len(self._told) < MOST_TOLD:
            self._told.add((issuer.id, what))
            _log.warning("Of the identity provider %s: %s.", issuer.id, what)


def _claim(claims: Mapping[str, Json], name: str) -> Json:
    """The claim of that very name; else what stands where its dots lead."""
    if name in claims:
        return claims[name]
    found: Json = dict(claims)
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def _texts(value: Json) -> Iterator[str]:
    """A text, the texts of a list, or the names in an object: in each of these forms providers tell of groups."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | Mapping):
        yield from (each for each in value if isinstance(each, str))


def _email(issuer: Issuer, claims: Mapping[str, Json]) -> str | None:
    email = _claim(claims, issuer.claims.email)
    if not isinstance(email, str) or len(email) > LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        return None
    if not issuer.emails_always_verified and _claim(claims, issuer.claims.email_verified) not in _YES:
        return None
    domain = email.rpartition("@")[2].lower()
    return email if issuer.email_domains is None or domain in issuer.email_domains else None


_SLUG: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_EMAIL: Final = re.compile(r"[!-?A-~]{1,64}@[a-zA-Z0-9.-]{1,189}")
_YES: Final = (True, "true", "1")  # providers write it in each of these ways
