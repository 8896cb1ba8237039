"""What the environment may say of identity providers, and what an operator is told about what it may not say."""

from pathlib import Path
from typing import Any

import pytest

from domain.identity_providers.issuer import ALGORITHMS, ClaimNames, Issuer
from domain.identity_providers.sign_in_client import ClientRegistration
from domain.key_ring import generate_key
from domain.secret import Secret
from gql.identity_settings import ISSUERS
from gql.settings import Settings, SettingsError

LEAST = {
    "TETHER_DATABASE_URL": "sqlite+aiosqlite:///tether.db",
    "TETHER_ENCRYPTION_KEY": generate_key(),
    "TETHER_PUBLIC_URL": "https://tether.example.com",
}
MAIN = {
    ISSUERS: "main",
    "TETHER_OIDC_MAIN_ISSUER": "https://login.example.com/",
    "TETHER_OIDC_MAIN_AUDIENCE": "https://tether.example.com",
}


def issuers(**variables: str) -> tuple[Issuer, ...]:
    return Settings.from_environment({**LEAST, **variables}).identity.issuers


def problems(**variables: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refusal:
        issuers(**variables)
    return refusal.value.problems


def test_without_any_nobody_but_keys_is_trusted() -> None:
    assert issuers() == ()


def test_the_least_that_an_issuer_needs() -> None:
    [issuer] = issuers(**MAIN)
    assert issuer == Issuer(
        id="main",
        url="https://login.example.com/",  # with its slash, which the issuer writes, too
        audiences=("https://tether.example.com",),
        algorithms=ALGORITHMS,
        claims=ClaimNames("name", "email", "email_verified", None, None),
    )
    assert not issuer.accepts_id_tokens
    assert not issuer.emails_always_verified


def test_all_that_can_be_said_of_several() -> None:
    first, second = issuers(
        **MAIN | {ISSUERS: " main,partner2 "},
        TETHER_OIDC_PARTNER2_ISSUER="https://partner.example/realms/x",
        TETHER_OIDC_PARTNER2_AUDIENCE="tether, api://tether , tether",
        TETHER_OIDC_PARTNER2_ALGORITHMS="ES256,EdDSA",
        TETHER_OIDC_PARTNER2_ID_TOKENS="accept",
        TETHER_OIDC_PARTNER2_NAME_CLAIM="https://partner.example/name",
        TETHER_OIDC_PARTNER2_EMAIL_CLAIM="mail",
        TETHER_OIDC_PARTNER2_EMAIL_VERIFIED_CLAIM="xms_edov",
        TETHER_OIDC_PARTNER2_EMAIL_VERIFIED="always",
        TETHER_OIDC_PARTNER2_EMAIL_DOMAINS="Partner.example, partner.org",
        TETHER_OIDC_PARTNER2_ORGANIZATION_CLAIM="org",
        TETHER_OIDC_PARTNER2_ORGANIZATIONS="partner,other-partner",
        TETHER_OIDC_PARTNER2_ROLE_CLAIM="realm_access.roles",
    )
    assert first.id == "main"
    assert second == Issuer(
        id="partner2",
        url="https://partner.example/realms/x",
        audiences=("tether", "api://tether"),
        algorithms=("ES256", "EdDSA"),
        accepts_id_tokens=True,
        claims=ClaimNames("https://partner.example/name", "mail", "xms_edov", "org", "realm_access.roles"),
        emails_always_verified=True,
        email_domains=("partner.example", "partner.org"),
        organizations=("partner", "other-partner"),
    )


@pytest.mark.parametrize(
    ("ending", "value", "told"),
    [
        ("ISSUERS", "Main", ": Write names of small letters and digits"),
        ("ISSUERS", "main,a_b", ": Write names of small letters and digits"),
        ("ISSUERS", ",", ": Write names of small letters and digits"),
        ("ISSUERS", ",".join(f"n{number}" for number in range(21)), ": Write at most 20 names."),
        ("MAIN_ISSUER", "", " isn't set, which the issuer main of TETHER_OIDC_ISSUERS needs."),
        ("MAIN_ISSUER", "login.example.com", ": Write an address such as"),
        ("MAIN_ISSUER", "https://ada:secret@login.example.com", ": Write an address such as"),
        ("MAIN_ISSUER", "https://login.example.com/?tenant=acme", ": Write an address such as"),
        ("MAIN_ISSUER", "http://login.example.com", ": Write https://…"),
        ("MAIN_AUDIENCE", "", " isn't set, which the issuer main of TETHER_OIDC_ISSUERS needs."),
        ("MAIN_AUDIENCE", "a b", ": Write what tokens for Tether carry"),
        ("MAIN_ALGORITHMS", "RS256,HS256", ": Write some of RS256, "),
        ("MAIN_ALGORITHMS", "none", ": Write some of RS256, "),
        ("MAIN_ALGORITHMS", ",", ": Write names of algorithms"),
        ("MAIN_ID_TOKENS", "yes", ": Write refuse or accept, not 'yes'."),
        ("MAIN_EMAIL_VERIFIED", "true", ": Write claim or always, not 'true'."),
        ("MAIN_EMAIL_DOMAINS", "@acme.com", ": Write domains with commas"),
        ("MAIN_ORGANIZATIONS", "Acme", ": Write the slugs of organizations"),
        ("MAIN_ROLE_CLAIM", "a b", ": Write the name of a claim, without spaces."),
        ("PARTNER_ISSUER", "https://partner.example", " is no setting of Tether. Did you mean TETHER_OIDC_"),
        ("MAIN_AUDIENZ", "x", " is no setting of Tether. Did you mean TETHER_OIDC_MAIN_AUDIENCE?"),
    ],
)
def test_what_cannot_be_is_told_with_its_variable(ending: str, value: str, told: str) -> None:
    name = f"TETHER_OIDC_{ending}"
    found = [problem for problem in problems(**MAIN | {name: value}) if problem.startswith(name + told)]
    assert len(found) == 1
    assert "secret" not in found[0]


def test_two_issuers_have_two_addresses() -> None:
    twice = {f"TETHER_OIDC_B_{name}": MAIN[f"TETHER_OIDC_MAIN_{name}"] for name in ("ISSUER", "AUDIENCE")}
    assert problems(**MAIN | twice | {ISSUERS: "main,b"}) == (
        f"{ISSUERS}: Two of these issuers have the same address.",
    )


@pytest.mark.parametrize(
    ("environment", "url", "allow", "fine"),
    [
        ("production", "http://127.0.0.1:9000", "127.0.0.1", True),
        ("production", "http://localhost:9000", "localhost", True),
        ("production", "http://127.0.0.1:9000", "", False),
        ("production", "http://login.internal", "login.internal", False),
        ("production", "https://login.internal", "login.internal", True),
        ("development", "http://login.internal", "login.internal", True),
        ("development", "http://login.internal", "", False),
    ],
)
def test_in_production_an_issuer_is_reached_by_tls_or_is_this_machine(
    environment: str, url: str, allow: str, fine: bool
) -> None:
    changes: dict[str, Any] = {
        "TETHER_ENVIRONMENT": environment,
        "TETHER_OIDC_MAIN_ISSUER": url,
        "TETHER_OUTBOUND_ALLOW": allow,
    }
    if fine:
        [issuer] = issuers(**MAIN | changes)
        assert issuer.url == url
    else:
        [problem] = problems(**MAIN | changes)
        assert problem.startswith("TETHER_OIDC_MAIN_ISSUER: Write https://…")


# Browsers


def registered(**variables: str) -> dict[str, ClientRegistration]:
    return dict(Settings.from_environment({**LEAST, **MAIN, **variables}).identity.registrations)


def test_browsers_sign_in_where_tether_is_registered(tmp_path: Path) -> None:
    assert registered() == {}
    given = {"TETHER_OIDC_MAIN_CLIENT_ID": "tether"}
    assert registered(**given) == {"main": ClientRegistration("Main", "tether", None)}
    (tmp_path / "secret").write_text("s3cret\n", "ascii")
    all_of_it = {
        **given,
        "TETHER_OIDC_MAIN_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        "TETHER_OIDC_MAIN_DISPLAY_NAME": "Acme’s accounts",
        "TETHER_OIDC_MAIN_SCOPES": "openid, email ,organization",
    }
    expected = ClientRegistration("Acme’s accounts", "tether", Secret("s3cret"), ("openid", "email", "organization"))
    assert registered(**all_of_it) == {"main": expected}
    assert "s3cret" not in repr(expected)


def test_where_only_browsers_sign_in_no_token_needs_an_audience() -> None:
    [issuer] = issuers(**{**MAIN, "TETHER_OIDC_MAIN_AUDIENCE": "", "TETHER_OIDC_MAIN_CLIENT_ID": "tether"})
    assert issuer.audiences == ()  # so that none of its bearer tokens opens anything


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"CLIENT_SECRET": "s3cret"}, "TETHER_OIDC_MAIN_CLIENT_ID isn't set, to which the client's secret belongs."),
        ({"CLIENT_ID": "te ther"}, "TETHER_OIDC_MAIN_CLIENT_ID: Write the client id that the identity provider"),
        ({"CLIENT_ID": "x", "DISPLAY_NAME": "x" * 61}, "TETHER_OIDC_MAIN_DISPLAY_NAME: Write at most 60 characters."),
        ({"CLIENT_ID": "x", "DISPLAY_NAME": "a\u202eb"}, "TETHER_OIDC_MAIN_DISPLAY_NAME: Write at most 60"),
        ({"CLIENT_ID": "x", "SCOPES": "email"}, "TETHER_OIDC_MAIN_SCOPES: Among the scopes has to be openid"),
        ({"CLIENT_ID": "x", "SCOPES": "openid email"}, "TETHER_OIDC_MAIN_SCOPES: Write scopes with commas between"),
        ({"CLIENT_SECRETS": "x"}, "TETHER_OIDC_MAIN_CLIENT_SECRETS is no setting of Tether. Did you mean"),
    ],
)
def test_what_a_registration_cant_be(given: dict[str, str], problem: str) -> None:
    [told] = problems(**MAIN, **{f"TETHER_OIDC_MAIN_{ending}": value for ending, value in given.items()})
    assert told.startswith(problem)
    assert "s3cret" not in told
