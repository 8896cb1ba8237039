"""What an operator says of identity providers: whose tokens open Tether, by which browsers sign in, and what
their claims count for.

Read by `settings.py`. `TETHER_OIDC_ISSUERS` gives each issuer a name; what is said of one stands in variables with its
name in capitals, such as `TETHER_OIDC_MAIN_ISSUER` for `main`.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from domain.address_guard import OutboundAllow
from domain.identity_providers.issuer import ALGORITHMS, ClaimNames, Issuer
from domain.identity_providers.sign_in_client import USUAL_SCOPES, ClientRegistration
from domain.secret import Secret
from gql.settings_reader import LOOPBACK, SettingsReader, absolute_url, service_url

ISSUERS: Final = "TETHER_OIDC_ISSUERS"
"""Names the issuers, with commas between."""

ISSUER_ENDINGS: Final = (
    "ISSUER",
    "AUDIENCE",
    "ALGORITHMS",
    "ID_TOKENS",
    "NAME_CLAIM",
    "EMAIL_CLAIM",
    "EMAIL_VERIFIED_CLAIM",
    "EMAIL_VERIFIED",
    "EMAIL_DOMAINS",
    "ORGANIZATION_CLAIM",
    "ORGANIZATIONS",
    "ROLE_CLAIM",
    "DISPLAY_NAME",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "CLIENT_SECRET_FILE",
    "SCOPES",
)
"""How the names of each issuer's variables end."""

_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """The issuers in the order in which they are named, and every variable that may be set for them.

    `registrations`: as what browsers sign in, by the issuers' names; only of those at which Tether is registered.
    """

    issuers: tuple[Issuer, ...]
    registrations: Mapping[str, ClientRegistration]
    variables: tuple[str, ...]

    @classmethod
    def read(cls, reader: SettingsReader, allow: OutboundAllow, *, production: bool) -> Self:
        """Notes what is wrong with the reader."""
        names = reader.optional(ISSUERS, _names, "")
        readers = [_IssuerReader(reader, name) for name in names]
        issuers = tuple(each.read(allow, production) for each in readers)
        registered = {name: each.registration() for name, each in zip(names, readers, strict=True)}
        addresses = [issuer.url for issuer in issuers if issuer.url]
        if len(set(addresses)) < len(addresses):
            reader.problems.append(f"{ISSUERS}: Two of these issuers have the same address.")
        registrations = {name: found for name, found in registered.items() if found is not None}
        variables = tuple(variable(name, ending) for name in names for ending in ISSUER_ENDINGS)
        return cls(issuers, registrations, variables)


def variable(name: str, ending: str) -> str:
    """The variable that says this of the issuer that is called so."""
    return f"TETHER_OIDC_{name.upper()}_{ending}"


class _IssuerReader:
    """Reads the variables of one issuer."""

    def __init__(self, reader: SettingsReader, name: str) -> None:
        self._reader = reader
        self._name = name

    def read(self, allow: OutboundAllow, production: bool) -> Issuer:
        """What is missing or wrong is noted, and something in its place that nobody will see."""
        usual = ClaimNames()
        return Issuer(
            id=self._name,
            url=self._required("ISSUER", lambda text: _issuer_url(text, allow, production)) or "",
            audiences=self._audiences(),
            algorithms=self._optional("ALGORITHMS", _algorithms) or ALGORITHMS,
            accepts_id_tokens=self._choice("ID_TOKENS", "refuse", "accept"),
            claims=ClaimNames(
                name=self._optional("NAME_CLAIM", _claim) or usual.name,
                email=self._optional("EMAIL_CLAIM", _claim) or usual.email,
                email_verified=self._optional("EMAIL_VERIFIED_CLAIM", _claim) or usual.email_verified,
                organization=self._optional("ORGANIZATION_CLAIM", _claim),
                role=self._optional("ROLE_CLAIM", _claim),
            ),
            emails_always_verified=self._choice("EMAIL_VERIFIED", "claim", "always"),
            email_domains=self._optional("EMAIL_DOMAINS", _domains),
            organizations=self._optional("ORGANIZATIONS", _slugs),
        )

    def registration(self) -> ClientRegistration | None:
        """As what Tether is registered there for browsers that sign in; None where it isn't."""
        _, secret = self._reader.secret(variable(self._name, "CLIENT_SECRET"))
        client_id = self._optional("CLIENT_ID", _client_id)
        if client_id is None:
            if secret is not None:
                missing = variable(self._name, "CLIENT_ID")
                self._reader.problems.append(f"{missing} isn't set, to which the client's secret belongs.")
            return None
        return ClientRegistration(
            self._optional("DISPLAY_NAME", _display_name) or self._name.capitalize(),
            client_id,
            None if secret is None else Secret(secret),
            self._optional("SCOPES", _scopes) or USUAL_SCOPES,
        )

    def _audiences(self) -> Collection[str]:
        """Where browsers sign in, its bearer tokens needn't open anything; nowhere would it be of no use."""
        if self._reader.text(variable(self._name, "CLIENT_ID")) is not None:
            return self._optional("AUDIENCE", _audiences) or ()
        return self._required("AUDIENCE", _audiences) or ()

    def _required(self, ending: str, parse: Callable[[str], _Parsed]) -> _Parsed | None:
        name = variable(self._name, ending)
        if self._reader.text(name) is None:
            self._reader.problems.append(f"{name} isn't set, which the issuer {self._name} of {ISSUERS} needs.")
        return self._optional(ending, parse)

    def _optional(self, ending: str, parse: Callable[[str], _Parsed]) -> _Parsed | None:
        name = variable(self._name, ending)
        text = self._reader.text(name)
        try:
            return None if text is None else parse(text)
        except ValueError as wrong:
            self._reader.problems.append(f"{name}: {wrong}")
            return None

    def _choice(self, ending: str, usual: str, other: str) -> bool:
        """Whether it is the other one."""

        def parse(text: str) -> bool:
            if text not in {usual, other}:
                raise ValueError(f"Write {usual} or {other}, not {text[:40]!r}.")
            return text == other

        return self._optional(ending, parse) or False


def _names(text: str) -> Collection[str]:
    names = _several(text, _NAME, "Write names of small letters and digits with commas between, such as main,partner.")
    if len(names) > _MOST_ISSUERS:
        raise ValueError(f"Write at most {_MOST_ISSUERS} names.")
    return names


def _issuer_url(text: str, allow: OutboundAllow, production: bool) -> str:
    """As it is written, since the issuer writes it so into its tokens: a slash at its end counts."""
    service_url(text, allow)
    url = absolute_url(text)
    if production and url.scheme != "https" and url.hostname not in LOOPBACK:
        raise ValueError("Write https://…: in production, http:// is only for this machine itself (http://127.0.0.1).")
    return text


def _audiences(text: str) -> Collection[str]:
    return _several(text, _AUDIENCE, "Write what tokens for Tether carry as `aud`; several with commas between.")


def _client_id(text: str) -> str:
    if not _AUDIENCE.fullmatch(text):
        raise ValueError("Write the client id that the identity provider has given to Tether.")
    return text


def _display_name(text: str) -> str:
    if len(text) > _LONGEST_NAME or not text.isprintable():
        raise ValueError(f"Write at most {_LONGEST_NAME} characters.")
    return text


def _scopes(text: str) -> tuple[str, ...]:
    scopes = tuple(_several(text, _AUDIENCE, "Write scopes with commas between, such as openid,email,profile."))
    if "openid" not in scopes:
        raise ValueError("Among the scopes has to be openid: without it, nobody is told who signs in.")
    return scopes


def _algorithms(text: str) -> Collection[str]:
    algorithms = _several(text, _AUDIENCE, "Write names of algorithms with commas between.")
    if not set(algorithms) <= set(ALGORITHMS):
        raise ValueError(
            f"Write some of {', '.join(ALGORITHMS)}. Others can't be had: anybody could forge a signature."
        )
    return algorithms


def _claim(text: str) -> str:
    if not _CLAIM.fullmatch(text):
        raise ValueError("Write the name of a claim, without spaces.")
    return text


def _domains(text: str) -> Collection[str]:
    return _several(text.lower(), _DOMAIN, "Write domains with commas between, such as acme.com,acme.example.")


def _slugs(text: str) -> Collection[str]:
    return _several(text, _SLUG, "Write the slugs of organizations with commas between.")


def _several(text: str, form: re.Pattern[str], words: str) -> Collection[str]:
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if (text and not parts) or not all(map(form.fullmatch, parts)):
        raise ValueError(words)
    return parts


_MOST_ISSUERS: Final = 20
_LONGEST_NAME: Final = 60
_NAME: Final = re.compile("[a-z][a-z0-9]{0,30}")
_AUDIENCE: Final = re.compile("[!-~]{1,255}")
_CLAIM: Final = re.compile(r"[^\s]{1,255}")
_DOMAIN: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_SLUG: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
