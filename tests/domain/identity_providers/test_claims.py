"""What an issuer's claims say of a person, and how far its word goes."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.entities.identity import VerifiedIdentity
from domain.entities.user import Role
from domain.identity_providers.claims import ClaimsReader
from domain.identity_providers.issuer import ClaimNames, Issuer
from domain.identity_providers.verification import VerifiedClaims


def read(said: dict[str, Any], **settings: Any) -> VerifiedIdentity:
    return read_by(ClaimsReader(), said, **settings)


def read_by(reader: ClaimsReader, said: dict[str, Any], **settings: Any) -> VerifiedIdentity:
    issuer = Issuer(**{"id": "main", "url": "https://login.example.com", "audiences": (), **settings})
    return reader.identity_of(VerifiedClaims(issuer, "ada-1", datetime.now(UTC), said))


def test_a_person_as_openid_connect_describes_them() -> None:
    claims = {
        "name": " Ada\x00 Lovelace ",
        "email": "ada@acme.example",
        "email_verified": True,
        "picture": "https://pictures.example/ada.png",
        "organization": "acme",
        "role": "OWNER",
    }
    assert read(claims) == VerifiedIdentity(
        "https://login.example.com",
        "ada-1",
        "Ada Lovelace",
        "ada@acme.example",
        "https://pictures.example/ada.png",
        organization=None,  # no setting names a claim of it
        role=None,
    )
    assert read({}) == VerifiedIdentity("https://login.example.com", "ada-1")


@pytest.mark.parametrize(
    "claims",
    [
        {"name": 7},
        {"name": ""},
        {"name": "\u200b\ud800"},
        {"picture": "javascript:alert(1)"},
        {"picture": "https://a b"},
        {"picture": {}},
        {"email": "ada@acme.example"},
        {"email": "ada@acme.example", "email_verified": False},
        {"email": "ada@acme.example", "email_verified": "yes"},
        {"email": "ada@acme.example", "email_verified": [True]},
        {"email": ["ada@acme.example"], "email_verified": True},
        {"email": "ada", "email_verified": True},
        {"email": "a\x00@acme.example", "email_verified": True},
        {"email": f"ada@{'a' * 300}.example", "email_verified": True},
    ],
    ids=str,
)
def test_what_cannot_be_used_is_left_out(claims: dict[str, Any]) -> None:
    assert read(claims) == VerifiedIdentity("https://login.example.com", "ada-1")


def test_a_long_name_is_cut() -> None:
    assert read({"name": "n" * 5_000}).name == "n" * 100


def test_an_address_counts_where_it_is_verified_or_the_operator_says_that_all_are() -> None:
    email = {"email": "Ada@Acme.example"}
    for verified in (True, "true", "1"):
        assert read({**email, "email_verified": verified}).email == "Ada@Acme.example"
    assert read(email, emails_always_verified=True).email == "Ada@Acme.example"
    assert read(email | {"email_verified": False}, emails_always_verified=True).email == "Ada@Acme.example"
    named = ClaimNames(email="https://a.example/mail", email_verified="xms_edov")
    assert (
        read({"https://a.example/mail": "ada@acme.example", "xms_edov": True}, claims=named).email == "ada@acme.example"
    )


def test_an_issuer_speaks_only_for_its_domains() -> None:
    settings: dict[str, Any] = {"email_domains": ("acme.example", "acme.com"), "emails_always_verified": True}
    assert read({"email": "ada@ACME.example"}, **settings).email == "ada@ACME.example"
    for email in ("ada@other.example", "ada@sub.acme.example", "ada@acme.example.org", "acme.example@evil.example"):
        assert read({"email": email}, **settings).email is None


@pytest.mark.parametrize(
    ("value", "role"),
    [
        ("OWNER", Role.OWNER),
        ("admin", Role.ADMIN),
        ("Member", Role.MEMBER),
        (["offline_access", "viewer", "Admin"], Role.ADMIN),
        ({"owner": {"1": "acme"}}, Role.OWNER),
        ("root", None),
        ("adm\u0131n", None),  # which Unicode takes for ADMIN
        (["", "root"], None),
        ([7, None, ["OWNER"]], None),
        (7, None),
        (None, None),
    ],
    ids=str,
)
def test_a_role_is_named_in_any_case_among_others_or_not_at_all(value: Any, role: Role | None) -> None:
    for claims, name in (
        ({"role": value}, "role"),
        ({"realm_access": {"roles": value}}, "realm_access.roles"),
        ({"https://tether.example.com/role": value}, "https://tether.example.com/role"),
    ):
        assert read(claims, claims=ClaimNames(role=name)).role is role
    assert read({"role": "OWNER"}, claims=ClaimNames(role="role.name")).role is None


@pytest.mark.parametrize(
    ("value", "slug"),
    [
        ("acme", "acme"),
        (["acme"], "acme"),
        ({"acme": {"id": "42"}}, "acme"),
        (["acme", "globex"], None),
        ([], None),
        ("Acme", None),
        ("a" * 64, None),
        ("\x00", None),
        (7, None),
    ],
    ids=str,
)
def test_an_organization_is_named_by_its_slug(value: Any, slug: str | None) -> None:
    assert read({"org": value}, claims=ClaimNames(organization="org")).organization == slug


def test_an_issuer_speaks_only_of_its_organizations() -> None:
    settings: dict[str, Any] = {"claims": ClaimNames(organization="org"), "organizations": ("acme",)}
    assert read({"org": "acme"}, **settings).organization == "acme"
    assert read({"org": "globex"}, **settings).organization is None


def test_what_the_operator_may_want_to_mend_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    reader, names = ClaimsReader(), ClaimNames(organization="org", role="role")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            read_by(reader, {"org": ["a", "b"], "role": ["root", "x" * 9_000, "a\nb"]}, claims=names)
            read_by(reader, {"org": "globex"}, claims=names, organizations=("acme",))
    assert [record.getMessage() for record in caplog.records] == [
        "Of the identity provider main: its claim of the organization names several, of which none is taken.",
        "Of the identity provider main: its claim of the role names 'root', which is no role of Tether.",
        f"Of the identity provider main: its claim of the role names '{'x' * 60}', which is no role of Tether.",
        "Of the identity provider main: its claim of the role names 'ab', which is no role of Tether.",
        "Of the identity provider main: its claim names the organization globex, of which it may not speak.",
    ]
